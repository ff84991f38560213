//! Which server is meant, and as which user.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use backup_core::secret::Secret;

use crate::adapters::connection::address::Address;
use crate::adapters::connection::conninfo::{parse_application, parse_server, parse_target};
use crate::adapters::connection::demands::{ChannelBinding, RequireAuth, SessionAttributes};
use crate::adapters::connection::libpq::{self, Parameters};
use crate::adapters::connection::parameter::invalid;
use crate::adapters::connection::server_options;
use crate::adapters::connection::service;
use crate::adapters::connection::tls::{Roots, SslMode};
use crate::adapters::connection::{Environment, Origin, Server};
use crate::error::{PgError, PgResult};
use crate::guard::{ALLOW_RESTORE, Guard};

/// Long enough for a distant server, short enough for a cron job to say something.
const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(15);

/// Who we are in `pg_stat_activity`.
const APPLICATION_NAME_DEFAULT: &str = "lastgood";

/// The server that is meant, and the database.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Resolved {
    /// The server, with how to log in.
    pub server: Server,
    /// The database, if one is named anywhere.
    pub database: Option<String>,
}

impl Server {
    /// Finds out which server and database are meant. `target` is a database name, a connection string
    /// (`host=… dbname=…`) or a URL. What it and options leave open comes from LASTGOOD_PG_URL, or else DATABASE_URL, then
    /// from the service that any of them or PGSERVICE names, then from libpq's variables, each as for `psql`; but a target
    /// that names a host of its own gets nothing from a URL, whose password is meant for another.
    ///
    /// # Errors
    /// [`PgError::Usage`] for what cannot be understood or done, and for a password on the command line.
    pub fn resolve(target: Option<&str>, origin: Origin, environment: &Environment) -> PgResult<Resolved> {
        environment.refuse_unreadable()?;
        let mut parameters = target.map_or(Ok(Parameters::new()), parse_target)?;
        if parameters.contains_key("password") && origin == Origin::CommandLine {
            return Err(PgError::Usage {
                what: "a password on the command line can be read by every user of this machine".to_owned(),
                help: "put it into ~/.pgpass (mode 0600) or the file that PGPASSFILE names, or put the whole URL into \
                     LASTGOOD_PG_URL; \
                     then omit it here"
                    .into(),
            });
        }
        take_options(&mut parameters, environment)?;
        if !names_host(&parameters) {
            fill(&mut parameters, environment_url(environment)?);
        }
        let served = take_service(&mut parameters, environment.get("PGSERVICE"), environment)?;
        fill(&mut parameters, environment.parameters());
        let mut fallback = environment.fallback(names_host(&parameters));
        if !served {
            take_service(&mut fallback, None, environment)?;
        }
        fill(&mut parameters, fallback);
        libpq::refuse(&parameters)?;
        let database = parameters.get("dbname").filter(|name| !name.is_empty()).cloned();
        Ok(Resolved { server: Self::from_parameters(&parameters, environment)?, database })
    }

    fn from_parameters(parameters: &Parameters, environment: &Environment) -> PgResult<Self> {
        let get = |name: &str| parameters.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let sslmode: Option<SslMode> = get("sslmode").map(str::parse).transpose()?;
        let roots = match get("sslrootcert") {
            Some("system") => Roots::System,
            Some(path) => Roots::File(PathBuf::from(path)),
            None => environment.default_root_certificates().map_or(Roots::Default, Roots::File),
        };
        if roots == Roots::System && sslmode.is_some_and(|mode| mode != SslMode::VerifyFull) {
            // As libpq: anybody can get a certificate of one of those authorities, for another name.
            return Err(invalid("sslmode", "must be verify-full with sslrootcert=system"));
        }
        Ok(Self {
            addresses: Address::list(get("host"), get("hostaddr"), get("port").unwrap_or_default())?,
            chosen: Arc::new(OnceLock::new()),
            logged_in: Arc::new(OnceLock::new()),
            user: get("user").or_else(|| environment.user()).unwrap_or("postgres").to_owned(),
            password: get("password").map(Secret::new),
            passfile: get("passfile").map(PathBuf::from).or_else(|| environment.default_passfile()),
            sslmode,
            roots,
            connect_timeout: connect_timeout(get("connect_timeout"))?,
            channel_binding: get("channel_binding").map(ChannelBinding::parse).transpose()?,
            session_attributes: get("target_session_attrs")
                .map_or(Ok(SessionAttributes::Any), SessionAttributes::parse)?,
            require_auth: get("require_auth").map(RequireAuth::parse).transpose()?,
            require_peer: get("requirepeer").map(ToOwned::to_owned),
            options: get("options").map(server_options::check).transpose()?,
            application_name: get("application_name")
                .or_else(|| get("fallback_application_name"))
                .unwrap_or(APPLICATION_NAME_DEFAULT)
                .to_owned(),
            statement_timeout: Duration::ZERO,
            guard: Arc::new(Guard::of_variable(environment.get(ALLOW_RESTORE))?),
        })
    }
}

/// Takes in what only `parameters` leaves open.
fn fill(parameters: &mut Parameters, weaker: Parameters) {
    for (name, value) in weaker {
        parameters.entry(name).or_insert(value);
    }
}

fn names_host(parameters: &Parameters) -> bool {
    ["host", "hostaddr"].iter().any(|name| parameters.contains_key(*name))
}

/// Takes in what options say. `psql` lets a connection string win over them; we ask which is meant.
fn take_options(parameters: &mut Parameters, environment: &Environment) -> PgResult<()> {
    for (name, value) in environment.options() {
        if parameters.get(name).is_some_and(|given| given != value) {
            return Err(PgError::Usage {
                what: format!("the options and the connection string give different values for `{name}`"),
                help: "nothing was done. Give it once".into(),
            });
        }
        parameters.insert(name.clone(), value.clone());
    }
    Ok(())
}

/// Takes in the settings of the service that is named there, or else of `otherwise`; says whether there was one.
fn take_service(parameters: &mut Parameters, otherwise: Option<&str>, environment: &Environment) -> PgResult<bool> {
    let mut places = environment.service_places();
    if let Some(file) = parameters.remove("servicefile").filter(|path| !path.is_empty()) {
        places.named = Some(PathBuf::from(file));
    }
    let named = parameters.remove("service").filter(|name| !name.is_empty());
    let Some(service) = named.as_deref().or(otherwise) else { return Ok(false) };
    fill(parameters, service::lookup(service, &places)?);
    Ok(true)
}

/// What LASTGOOD_PG_URL says, or else DATABASE_URL. The latter is an application's, and may hold parameters only the
/// application's framework knows; of another kind of database it is no reason to look elsewhere.
fn environment_url(environment: &Environment) -> PgResult<Parameters> {
    if let Some(url) = environment.get("LASTGOOD_PG_URL") {
        return parse_server(url, "LASTGOOD_PG_URL");
    }
    environment.get("DATABASE_URL").map_or(Ok(Parameters::new()), |url| parse_application(url, "DATABASE_URL"))
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
        both(Server::resolve(target, origin, &Environment::from_pairs(pairs.iter().copied())))
    }

    fn both(resolved: PgResult<Resolved>) -> PgResult<(Server, Option<String>)> {
        resolved.map(|resolved| (resolved.server, resolved.database))
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
    fn another_kind_of_database_url_is_refused_unless_a_server_is_named() {
        for variable in ["DATABASE_URL", "LASTGOOD_PG_URL"] {
            let pairs = [("PGHOST", "h1"), (variable, "mysql://u:hush@h2/d2")];
            for target in [None, Some("shop"), Some("user=u3")] {
                let error = resolve(target, Origin::CommandLine, &pairs).unwrap_err();
                let said = format!("{error} {error:?}");
                assert!(said.contains(&format!("{variable} is a `mysql` URL")) && !said.contains("hush"), "{said}");
            }
            // Nobody reads it then.
            assert_eq!(resolve(Some("host=h3"), Origin::CommandLine, &pairs).unwrap().0.describe(), "h3:5432");
        }
        assert!(resolve(Some("mysql://h/d"), Origin::CommandLine, &[]).is_err());
    }

    #[test]
    fn options_count_most_and_must_not_contradict_the_target() {
        let with = |target: Option<&str>, options: &[(&str, &str)]| {
            let mut environment = Environment::from_pairs(PAIRS);
            for (name, value) in options {
                environment.set_option(name, *value);
            }
            let (server, database) = both(Server::resolve(target, Origin::CommandLine, &environment))?;
            let login = format!("{}@{}", server.user, server.describe());
            Ok::<_, PgError>((login, password(&server).is_some(), database))
        };
        let shop = Some("shop".to_owned());
        // Nothing of the URL, which is about another host.
        assert_eq!(with(Some("shop"), &[("host", "h3")]).unwrap(), ("u1@h3:1".to_owned(), false, shop.clone()));
        let all = [("host", "h3"), ("port", "3"), ("user", "u3")];
        assert_eq!(with(Some("shop"), &all).unwrap(), ("u3@h3:3".to_owned(), false, shop.clone()));
        assert_eq!(with(Some("shop"), &[("port", "3")]).unwrap().0, "u2@h2:3");
        assert_eq!(with(Some("shop"), &[("host", "")]).unwrap().0, "u2@h2:1");
        assert_eq!(with(Some("postgres://h3/shop"), &all).unwrap().2, shop);
        let error = with(Some("postgres://h4/shop"), &all).unwrap_err().to_string();
        assert!(error.contains("values for `host`"), "{error}");
    }

    #[test]
    fn a_service_stands_between_what_is_said_and_the_variables() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("services");
        std::fs::write(&file, "[prod]\nhost=h5\nport=5\nuser=u5\npassword=p5\ndbname=d5\n[bare]\nuser=u6\n").unwrap();
        let file = file.to_str().unwrap();
        let with = |target: Option<&str>, pairs: &[(&str, &str)]| {
            let mut environment =
                Environment::from_pairs(pairs.iter().copied().chain([("PGSERVICEFILE", file), ("PGUSER", "u1")]));
            environment.set_fallback_url("postgres://u9@h9:9/d9").unwrap();
            let (server, database) = both(Server::resolve(target, Origin::CommandLine, &environment))?;
            let login = format!("{}@{}/{}", server.user, server.describe(), database.unwrap_or_default());
            Ok::<_, PgError>((login, password(&server).map(ToOwned::to_owned)))
        };
        let prod = ("u5@h5:5/d5".to_owned(), Some("p5".to_owned()));
        assert_eq!(with(None, &[("PGSERVICE", "prod"), ("PGHOST", "h1"), ("PGPORT", "1")]).unwrap(), prod);
        assert_eq!(with(Some("service=prod"), &[("PGSERVICE", "nowhere")]).unwrap(), prod);
        assert_eq!(with(None, &[("LASTGOOD_PG_URL", "service=prod")]).unwrap(), prod);
        let elsewhere = format!("service=prod servicefile={file}");
        assert_eq!(with(Some(&elsewhere), &[("PGSERVICEFILE", "/nonexistent")]).unwrap(), prod);
        assert_eq!(with(Some("postgres:///d3?service=prod"), &[]).unwrap().0, "u5@h5:5/d3");
        assert_eq!(with(Some("d3"), &[("PGSERVICE", "bare")]).unwrap().0, "u6@h9:9/d3");
        assert_eq!(with(Some("host=h3 service=prod"), &[]).unwrap().0, "u5@h3:5/d5");
        assert!(with(None, &[("PGSERVICE", "prdo")]).unwrap_err().to_string().contains("no service `prdo`"));
        let mut environment = Environment::from_pairs([("PGSERVICEFILE", file)]);
        environment.set_fallback_url("service=prod").unwrap();
        let server = Server::resolve(None, Origin::CommandLine, &environment).unwrap().server;
        assert_eq!(server.describe(), "h5:5");
    }

    #[test]
    fn what_cannot_be_done_is_refused_wherever_it_is_said_unless_something_stronger_undoes_it() {
        let gss = [("PGHOST", "h"), ("PGGSSENCMODE", "require")];
        let error = resolve(None, Origin::CommandLine, &gss).unwrap_err().to_string();
        assert!(error.contains("`gssencmode` (PGGSSENCMODE)"), "{error}");
        resolve(Some("gssencmode=disable"), Origin::CommandLine, &gss).unwrap();
        for target in ["postgres://h/d?sslcert=x", "host=h sslcert=x"] {
            assert!(resolve(Some(target), Origin::CommandLine, &[]).is_err(), "{target}");
        }
        assert!(resolve(None, Origin::CommandLine, &[("DATABASE_URL", "postgres://h/d?sslkey=x&schema=y")]).is_err());
        for harmless in [("PGCLIENTENCODING", "LATIN1"), ("PGTZ", "UTC"), ("PGGEQO", "off"), ("PGSSLSNI", "1")] {
            resolve(None, Origin::CommandLine, &[harmless]).unwrap();
        }
    }

    #[test]
    fn the_systems_authorities_are_only_trusted_for_a_name() {
        let with = |mode: &'static str| {
            resolve(Some("host=localhost sslrootcert=system"), Origin::CommandLine, &[("PGSSLMODE", mode)])
        };
        for weak in ["disable", "prefer", "require", "verify-ca"] {
            assert!(with(weak).is_err(), "{weak}");
        }
        assert_eq!(with("").unwrap().0.roots, Roots::System);
        with("verify-full").unwrap();
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
            both(Server::resolve(target, Origin::CommandLine, &environment)).unwrap()
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
