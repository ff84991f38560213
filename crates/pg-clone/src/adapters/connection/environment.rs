//! The environment variables that say where the server is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::adapters::connection::conninfo::parse_server;
use crate::adapters::connection::libpq::{self, Parameters};
use crate::adapters::connection::service::Places;
use crate::error::{PgError, PgResult};

/// Ours, beside libpq's.
const URLS: [&str; 2] = ["LASTGOOD_PG_URL", "DATABASE_URL"];

/// Environment variables as a value, so that what reads them can be tested.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// Names of variables whose values are no text: what they mean cannot be known, and another server must not be meant.
    unreadable: Vec<String>,
    /// The name of the system's user we run as.
    user: Option<String>,
    /// What options of a command line say.
    options: Parameters,
    /// What counts where neither an argument nor a variable says anything.
    fallback: Parameters,
}

impl Environment {
    /// The variables of this process, and the user it runs as.
    #[must_use]
    pub fn current() -> Self {
        Self { user: user_of(rustix::process::geteuid().as_raw()), ..Self::of(std::env::vars_os()) }
    }

    fn of(all: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let (mut variables, mut unreadable) = (BTreeMap::new(), Vec::new());
        for (name, value) in all {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => drop(variables.insert(name, value)),
                (Ok(name), Err(_)) if libpq::is_variable(&name) || URLS.contains(&name.as_str()) => {
                    unreadable.push(name)
                }
                // Somebody else's.
                _ => {}
            }
        }
        Self { variables, unreadable, ..Self::default() }
    }

    /// Refuses variables that say which server is meant, in bytes that are no text.
    pub(super) fn refuse_unreadable(&self) -> PgResult<()> {
        match self.unreadable.first() {
            None => Ok(()),
            Some(name) => Err(PgError::Usage {
                what: format!("the value of `{name}` is not UTF-8"),
                help: "nothing was done. Write it in UTF-8, or unset it and name the database or server on the command line"
                    .into(),
            }),
        }
    }

    /// Just these variables.
    #[must_use]
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let variables = pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { variables, ..Self::default() }
    }

    /// A variable's value; an empty one counts as absent, as in libpq.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Sets what an option of a command line says: a parameter by libpq's name, such as `host`. It counts more than every
    /// variable; where the target itself says something else, nobody knows which is meant.
    pub fn set_option(&mut self, parameter: &str, value: impl Into<String>) {
        self.options.insert(parameter.to_owned(), value.into());
    }

    /// Sets what counts where neither an argument nor a variable says anything: a parameter by libpq's name, such as
    /// `application_name`.
    pub fn set_fallback(&mut self, parameter: &str, value: impl Into<String>) {
        self.fallback.insert(parameter.to_owned(), value.into());
    }

    /// [`Environment::set_fallback`] with all that a URL or connection string says.
    ///
    /// # Errors
    /// [`PgError::Usage`] for what cannot be understood, and for a password: it is meant to stand in a file.
    pub fn set_fallback_url(&mut self, url: &str) -> PgResult<()> {
        let parameters = parse_server(url, "the configured URL")?;
        if parameters.contains_key("password") {
            return Err(PgError::Usage {
                what: "a configuration file must not contain a password".to_owned(),
                help: "put it into ~/.pgpass (mode 0600) or the file that PGPASSFILE names, or put the whole URL into \
                       LASTGOOD_PG_URL"
                    .into(),
            });
        }
        self.fallback.extend(parameters);
        Ok(())
    }

    /// The fallback for a server that is named elsewhere or not: of a host, its port, user and TLS belong together.
    pub(super) fn fallback(&self, host_is_named: bool) -> Parameters {
        let anywhere = ["application_name", "connect_timeout"];
        let fits = |name: &str| !host_is_named || anywhere.contains(&name);
        self.fallback.iter().filter(|(name, _)| fits(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// What options say; an empty value says nothing, as for `psql`.
    pub(super) fn options(&self) -> impl Iterator<Item = (&String, &String)> {
        self.options.iter().filter(|(_, value)| !value.is_empty())
    }

    /// What libpq's variables say, but for the service and its file.
    pub(super) fn parameters(&self) -> Parameters {
        libpq::variables()
            .filter(|(_, keyword)| !["service", "servicefile"].contains(keyword))
            .filter_map(|(variable, keyword)| Some((keyword.to_owned(), self.get(variable)?.to_owned())))
            .collect()
    }

    /// Where services are looked for.
    pub(super) fn service_places(&self) -> Places {
        let path = |name: &str| self.get(name).map(PathBuf::from);
        Places { named: path("PGSERVICEFILE"), home: path("HOME"), system: path("PGSYSCONFDIR") }
    }

    /// Who we are to the server unless somebody says otherwise: as in libpq the system's user, whatever `$USER` says;
    /// that is asked where the user is not in the system's own file.
    pub(super) fn user(&self) -> Option<&str> {
        self.user.as_deref().or_else(|| self.get("USER")).or_else(|| self.get("LOGNAME"))
    }

    /// `~/.postgresql/root.crt`, if there is such a file.
    pub(super) fn default_root_certificates(&self) -> Option<PathBuf> {
        Some(PathBuf::from(self.get("HOME")?).join(".postgresql/root.crt")).filter(|path| path.is_file())
    }

    /// `~/.pgpass`.
    pub(super) fn default_passfile(&self) -> Option<PathBuf> {
        Some(PathBuf::from(self.get("HOME")?).join(".pgpass"))
    }
}

impl std::fmt::Debug for Environment {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

/// The name of a user id, if the system's own file has it.
pub(super) fn user_of(uid: u32) -> Option<String> {
    user_name(&std::fs::read_to_string("/etc/passwd").unwrap_or_default(), uid)
}

/// The name of a user id, from the text of `/etc/passwd`.
fn user_name(passwd: &str, uid: u32) -> Option<String> {
    let mut lines = passwd.lines().map(|line| line.split(':'));
    lines.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_id() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n# odd\n\npostgres:x:101:104::/var/lib/postgresql:/bin/bash\n";
        assert_eq!(user_name(passwd, 101).as_deref(), Some("postgres"));
        assert_eq!(user_name(passwd, 0).as_deref(), Some("root"));
        assert_eq!(user_name(passwd, 104), None);
    }

    #[test]
    fn values_are_not_shown() {
        let environment = Environment::from_pairs([("PGPASSWORD", "hush")]);
        assert_eq!(format!("{environment:?}"), r#"{"PGPASSWORD"}"#);
    }
}
