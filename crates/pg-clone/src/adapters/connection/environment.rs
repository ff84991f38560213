//! The environment variables that say where the server is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::adapters::conninfo::Parameters;

/// libpq's variables (PostgreSQL manual, "Environment Variables") and the parameters they stand for.
pub(super) const LIBPQ: [(&str, &str); 12] = [
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGPASSFILE", "passfile"),
    ("PGDATABASE", "dbname"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
];

/// Environment variables as a value, so that what reads them can be tested.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// The name of the system's user we run as.
    user: Option<String>,
}

impl Environment {
    /// The variables of this process, and the user it runs as.
    #[must_use]
    pub fn current() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        Self { variables, user: user_name(&passwd, rustix::process::geteuid().as_raw()) }
    }

    /// Just these variables.
    #[must_use]
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let variables = pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { variables, user: None }
    }

    /// A variable's value; an empty one counts as absent, as in libpq.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn parameters(&self) -> Parameters {
        let pairs = LIBPQ
            .iter()
            .filter_map(|(variable, parameter)| Some(((*parameter).to_owned(), self.get(variable)?.to_owned())));
        pairs.collect()
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
