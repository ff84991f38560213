//! Which server is meant, and who we are there.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use backup_core::secret::Secret;

use crate::adapters::connection::address::Address;
use crate::adapters::connection::{ChannelBinding, Environment, Origin, Server, SessionAttributes, invalid};
use crate::adapters::conninfo::{
    Parameters, is_application_url, is_conninfo, is_url, parse_application_url, parse_conninfo, parse_url,
};
use crate::error::{PgError, PgResult};
use crate::guard::Guard;

/// Long enough for a distant server, short enough for a cron job to say something.
const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(15);

/// Who we are in `pg_stat_activity`.
const APPLICATION_NAME_DEFAULT: &str = "lastgood";

impl Server {
    /// Finds out which server and database are meant. `target` is a database name, a connection string
    /// (`host=… dbname=…`) or a URL. What it leaves open comes from LASTGOOD_PG_URL, or else DATABASE_URL, and then from
    /// libpq's variables; but a target that names a host of its own gets nothing from a URL, whose password is meant for
    /// another. Returns the database too, if one is named anywhere.
    ///
    /// # Errors
    /// [`PgError::Usage`] for what cannot be understood, and for a password on the command line.
    pub fn resolve(
        target: Option<&str>,
        origin: Origin,
        environment: &Environment,
    ) -> PgResult<(Self, Option<String>)> {
        let given = match target {
            Some(text) if is_url(text) => parse_url(text)?,
            Some(text) if is_conninfo(text) => parse_conninfo(text)?,
            Some(name) => Parameters::from([("dbname".to_owned(), name.to_owned())]),
            None => Parameters::new(),
        };
        if given.contains_key("password") && origin == Origin::CommandLine {
            return Err(PgError::Usage {
                what: "a password on the command line can be read by every user of this machine".to_owned(),
                help:
                    "put it into ~/.pgpass (mode 0600), or PGPASSFILE, or put the whole URL into LASTGOOD_PG_URL; then \
                       leave it out here"
                        .to_owned(),
            });
        }
        let names_host =
            |parameters: &Parameters| ["host", "hostaddr"].iter().any(|name| parameters.contains_key(*name));
        let mut stronger = environment.parameters();
        if !names_host(&given) {
            stronger.extend(environment_url(environment)?);
        }
        stronger.extend(given);
        let mut parameters = environment.fallback(names_host(&stronger));
        parameters.extend(stronger);
        let database = parameters.get("dbname").filter(|name| !name.is_empty()).cloned();
        Ok((Self::from_parameters(&parameters, environment)?, database))
    }

    fn from_parameters(parameters: &Parameters, environment: &Environment) -> PgResult<Self> {
        let get = |name: &str| parameters.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let roots = match get("sslrootcert") {
            Some("system") => None,
            Some(path) => Some(PathBuf::from(path)),
            None => environment.default_root_certificates(),
        };
        Ok(Self {
            addresses: Address::list(get("host"), get("hostaddr"), get("port").unwrap_or_default())?,
            chosen: Arc::new(OnceLock::new()),
            user: get("user").or_else(|| environment.user()).unwrap_or("postgres").to_owned(),
            password: get("password").map(Secret::new),
            passfile: get("passfile").map(PathBuf::from).or_else(|| environment.default_passfile()),
            sslmode: get("sslmode").map(str::parse).transpose()?,
            root_certificates: roots,
            connect_timeout: connect_timeout(get("connect_timeout"))?,
            channel_binding: get("channel_binding").map(ChannelBinding::parse).transpose()?,
            session_attributes: get("target_session_attrs")
                .map_or(Ok(SessionAttributes::Any), SessionAttributes::parse)?,
            application_name: get("application_name")
                .or_else(|| get("fallback_application_name"))
                .unwrap_or(APPLICATION_NAME_DEFAULT)
                .to_owned(),
            statement_timeout: Duration::ZERO,
            guard: Arc::new(Guard::of_environment(environment)?),
        })
    }
}

/// What LASTGOOD_PG_URL says, or else DATABASE_URL. The latter is an application's: it may be of another kind of
/// database, and hold parameters only the application's framework knows.
fn environment_url(environment: &Environment) -> PgResult<Parameters> {
    if let Some(url) = environment.get("LASTGOOD_PG_URL") {
        return if is_url(url) { parse_url(url) } else { parse_conninfo(url) };
    }
    match environment.get("DATABASE_URL") {
        Some(url) if is_application_url(url) => parse_application_url(url),
        Some(text) if is_conninfo(text) => parse_conninfo(text),
        _ => Ok(Parameters::new()),
    }
}

/// As in libpq, none for zero and negative numbers.
fn connect_timeout(text: Option<&str>) -> PgResult<Option<Duration>> {
    let Some(text) = text else { return Ok(Some(CONNECT_TIMEOUT_DEFAULT)) };
    let seconds: i64 = text.parse().map_err(|_| invalid("connect_timeout", "is not a number of seconds"))?;
    Ok(u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(target: Option<&str>, origin: Origin, pairs: &[(&str, &str)]) -> PgResult<(Server, Option<String>)> {
        Server::resolve(target, origin, &Environment::from_pairs(pairs.iter().copied()))
    }

    fn password(server: &Server) -> Option<&str> {
        server.password.as_ref().map(Secret::expose)
    }

    const PAIRS: [(&str, &str); 5] = [
        ("PGHOST", "h1"),
        ("PGPORT", "1"),
        ("PGUSER", "u1"),
        ("PGDATABASE", "d1"),
        ("DATABASE_URL", "postgres://u2:p2@h2/d2?schema=public"),
    ];

    #[test]
    fn arguments_win_over_urls_over_libpq_variables() {
        let (server, database) = resolve(None, Origin::CommandLine, &PAIRS).unwrap();
        assert_eq!((server.describe().as_str(), database.as_deref()), ("h2:1", Some("d2")));
        let (server, database) = resolve(Some("d3"), Origin::CommandLine, &PAIRS).unwrap();
        assert_eq!((server.describe().as_str(), server.user.as_str(), database.as_deref()), ("h2:1", "u2", Some("d3")));
        let (server, database) = resolve(Some("user=u3"), Origin::CommandLine, &PAIRS).unwrap();
        assert_eq!((server.user.as_str(), password(&server), database.as_deref()), ("u3", Some("p2"), Some("d2")));
        let (_, database) = resolve(Some("a=b"), Origin::CommandLine, &PAIRS).unwrap();
        assert_eq!(database.as_deref(), Some("a=b"), "not a connection string: a strange name");
        let both = [PAIRS[4], ("LASTGOOD_PG_URL", "host=h4 user=u4")];
        assert_eq!(resolve(None, Origin::CommandLine, &both).unwrap().0.describe(), "h4:5432");
    }

    #[test]
    fn a_password_is_not_sent_to_a_host_its_url_does_not_name() {
        for target in ["host=h3,h4 dbname=d3", "postgres://h3,h4/d3", "hostaddr=10.0.0.1 dbname=d3"] {
            let (server, database) = resolve(Some(target), Origin::CommandLine, &PAIRS).unwrap();
            assert_eq!(
                (server.user.as_str(), password(&server), database.as_deref()),
                ("u1", None, Some("d3")),
                "{target}"
            );
        }
    }

    #[test]
    fn another_kind_of_database_url_is_none_of_our_business() {
        let pairs = [("PGHOST", "h1"), ("DATABASE_URL", "mysql://u:p@h2/d2")];
        assert_eq!(resolve(None, Origin::CommandLine, &pairs).unwrap().0.describe(), "h1:5432");
        let ours = [("LASTGOOD_PG_URL", "mysql://u:hush@h2/d2")];
        let error = resolve(None, Origin::CommandLine, &ours).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hush"));
    }

    #[test]
    fn c17_passwords_on_the_command_line_are_refused_and_never_shown() {
        for target in ["postgres://u:hush@h/d", "postgres://u@h/d?password=hush", "host=h password=hush"] {
            let error = resolve(Some(target), Origin::CommandLine, &[]).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hush"));
            let (server, _) = resolve(Some(target), Origin::Environment, &[]).unwrap();
            assert!(!format!("{server:?} {}", server.describe()).contains("hush"));
        }
    }

    #[test]
    fn a_configured_server_counts_where_nobody_names_another() {
        let resolve = |target: Option<&str>, pairs: &[(&str, &str)]| {
            let mut environment = Environment::from_pairs(pairs.iter().copied());
            environment.set_fallback_url("postgres://u9@h9:9/d9").unwrap();
            environment.set_fallback("application_name", "nightly");
            Server::resolve(target, Origin::CommandLine, &environment).unwrap()
        };
        let (server, database) = resolve(None, &[("PGUSER", "u1")]);
        assert_eq!((server.describe().as_str(), server.user.as_str(), database.as_deref()), ("h9:9", "u1", Some("d9")));
        let (server, database) = resolve(Some("d3"), &[]);
        assert_eq!((server.describe().as_str(), database.as_deref()), ("h9:9", Some("d3")));
        for (target, pairs) in
            [(Some("host=h1"), &[][..]), (None, &[("PGHOST", "h1")]), (None, &[("DATABASE_URL", "postgres://h1")])]
        {
            let (server, database) = resolve(target, pairs);
            assert_eq!((server.describe().as_str(), database), ("h1:5432", None), "{target:?} {pairs:?}");
            assert_ne!(server.user, "u9");
            assert_eq!(server.application_name, "nightly");
        }
        assert_eq!(resolve(None, &[("PGAPPNAME", "cron")]).0.application_name, "cron");
        let mut environment = Environment::default();
        let refused = environment.set_fallback_url("postgres://u:hush@h/d").unwrap_err();
        assert!(!format!("{refused} {refused:?} {environment:?}").contains("hush"));
    }

    #[test]
    fn timeouts_are_libpqs() {
        let timeout = |text: &str| {
            let (server, _) = resolve(None, Origin::Environment, &[("PGCONNECT_TIMEOUT", text)])?;
            Ok::<_, PgError>(server.connect_timeout)
        };
        assert_eq!(timeout("7").unwrap(), Some(Duration::from_secs(7)));
        assert_eq!(timeout("").unwrap(), Some(CONNECT_TIMEOUT_DEFAULT));
        assert_eq!((timeout("0").unwrap(), timeout("-1").unwrap()), (None, None));
        assert!(timeout("soon").is_err());
    }
}
