//! Connections to the server: where it is, who we are, and how the password gets there.

mod environment;
mod session;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backup_core::secret::Secret;
use tokio::process::Command;
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::either::Either;

pub use crate::adapters::connection::environment::Environment;
pub(crate) use crate::adapters::connection::session::DrivenSession;
use crate::adapters::connection::session::RawSocket;
pub use crate::adapters::connection::session::Session;
use crate::adapters::conninfo::{Parameters, is_conninfo, is_url, parse_conninfo, parse_url};
use crate::adapters::passfile::{self, Login};
pub use crate::adapters::tls::SslMode;
use crate::adapters::tls::connector;
use crate::error::{PgError, PgResult};

/// PostgreSQL's port.
const PORT_DEFAULT: u16 = 5432;

/// Long enough for a distant server, short enough for a cron job to say something.
const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(15);

/// A dump leaves connections idle for long: without probes a firewall forgets them.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);

/// Where Debian and its kin keep the certificates a libpq before 16 cannot find by itself.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Where an argument came from. What stands on a command line can be read by every user of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An argument.
    CommandLine,
    /// An environment variable, or a value in a program.
    Environment,
}

/// A server and how to log in.
#[derive(Clone, Debug)]
pub struct Server {
    addresses: Vec<Address>,
    user: String,
    password: Option<Secret>,
    passfile: Option<PathBuf>,
    sslmode: Option<SslMode>,
    root_certificates: Option<PathBuf>,
    connect_timeout: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Address {
    /// A name, an address, or the folder of a Unix socket.
    host: String,
    port: u16,
}

impl Address {
    fn is_socket(&self) -> bool {
        self.host.starts_with(['/', '@'])
    }

    async fn open(self) -> std::io::Result<RawSocket> {
        if self.is_socket() {
            let path = Path::new(&self.host).join(format!(".s.PGSQL.{}", self.port));
            return Ok(Either::Right(tokio::net::UnixStream::connect(path).await?));
        }
        let stream = tokio::net::TcpStream::connect((self.host, self.port)).await?;
        stream.set_nodelay(true)?;
        rustix::net::sockopt::set_socket_keepalive(&stream, true)?;
        Ok(Either::Left(stream))
    }

    fn is_local(&self) -> bool {
        self.is_socket() || ["localhost", "127.0.0.1", "::1"].contains(&self.host.as_str())
    }
}

impl Server {
    /// Finds out which server and database are meant. `target` is a database name, a connection string
    /// (`host=… dbname=…`) or a URL; what it leaves open comes from LASTGOOD_PG_URL or DATABASE_URL, then from libpq's
    /// variables. Returns the database too, if one is named anywhere.
    ///
    /// # Errors
    /// [`PgError::Usage`] for what cannot be understood, and for a password on the command line.
    pub fn resolve(
        target: Option<&str>,
        origin: Origin,
        environment: &Environment,
    ) -> PgResult<(Self, Option<String>)> {
        let mut parameters = environment.parameters();
        if let Some(url) = environment.get("LASTGOOD_PG_URL").or_else(|| environment.get("DATABASE_URL")) {
            parameters.extend(if is_url(url) { parse_url(url)? } else { parse_conninfo(url)? });
        }
        let mut database = parameters.get("dbname").cloned();
        match target {
            Some(text) if is_url(text) || is_conninfo(text) => {
                let given = if is_url(text) { parse_url(text)? } else { parse_conninfo(text)? };
                if given.contains_key("password") && origin == Origin::CommandLine {
                    return Err(PgError::Usage {
                        what: "a password on the command line can be read by every user of this machine".to_owned(),
                        help: "put it into ~/.pgpass (mode 0600), or PGPASSFILE, or put the whole URL into \
                               LASTGOOD_PG_URL; then leave it out here"
                            .to_owned(),
                    });
                }
                database = given.get("dbname").cloned().or(database);
                parameters.extend(given);
            }
            Some(name) => database = Some(name.to_owned()),
            None => {}
        }
        Ok((Self::from_parameters(&parameters, environment)?, database))
    }

    fn from_parameters(parameters: &Parameters, environment: &Environment) -> PgResult<Self> {
        let get = |name: &str| parameters.get(name).filter(|value| !value.is_empty());
        let hosts = get("host").or_else(|| get("hostaddr")).cloned().unwrap_or_else(default_host);
        let ports = get("port").cloned().unwrap_or_default();
        let connect_timeout = match get("connect_timeout") {
            None => CONNECT_TIMEOUT_DEFAULT,
            Some(text) => Duration::from_secs(text.parse().map_err(|_| invalid("connect_timeout", text))?),
        };
        let user = get("user").cloned().or_else(|| environment.get("USER").map(ToOwned::to_owned));
        Ok(Self {
            addresses: addresses(&hosts, &ports)?,
            user: user.unwrap_or_else(|| "postgres".to_owned()),
            password: get("password").cloned().map(Secret::from),
            passfile: get("passfile").map(PathBuf::from).or_else(|| environment.default_passfile()),
            sslmode: get("sslmode").map(|mode| mode.parse()).transpose()?,
            root_certificates: get("sslrootcert").filter(|path| *path != "system").map(PathBuf::from),
            connect_timeout,
        })
    }

    /// Host and port, without secrets.
    #[must_use]
    pub fn describe(&self) -> String {
        let addresses: Vec<String> =
            self.addresses.iter().map(|address| format!("{}:{}", address.host, address.port)).collect();
        addresses.join(",")
    }

    /// The password this server would be sent, to be kept out of every text.
    #[must_use]
    pub fn known_secret(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// Connects to `database`, trying the hosts in turn.
    ///
    /// # Errors
    /// [`PgError::Unreachable`], [`PgError::NoDatabase`], or [`PgError::Usage`] for an unsafe password file.
    pub async fn connect(&self, database: &str) -> PgResult<Session> {
        let mut failed = None;
        for address in &self.addresses {
            match self.connect_to(address, database).await {
                Ok(session) => return Ok(session),
                Err(error @ PgError::Unreachable { .. }) => failed = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(failed.unwrap_or_else(|| invalid("host", "")))
    }

    /// Connects to a database from which others can be created and renamed: `postgres`, else `template1`.
    ///
    /// # Errors
    /// As [`Server::connect`].
    pub async fn connect_admin(&self) -> PgResult<Session> {
        self.connect_admin_for("").await
    }

    /// [`Server::connect_admin`], but never `target` itself, which is to be renamed.
    ///
    /// # Errors
    /// As [`Server::connect`].
    pub async fn connect_admin_for(&self, target: &str) -> PgResult<Session> {
        let mut first = None;
        for database in ["postgres", "template1"].into_iter().filter(|database| *database != target) {
            match self.connect(database).await {
                Ok(session) => return Ok(session),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or_else(|| invalid("database", target)))
    }

    /// [`Server::connect`], for a session that its user drives.
    pub(crate) async fn connect_driven(&self, database: &str) -> PgResult<DrivenSession> {
        let mut failed = None;
        for address in &self.addresses {
            let (config, tls) = self.prepare(address, database)?;
            let open = DrivenSession::open(address.clone().open(), address.host.clone(), config, tls);
            let opened = match tokio::time::timeout(self.connect_timeout, open).await {
                Ok(opened) => opened,
                Err(late) => Err(late.into()),
            };
            match opened.map_err(|error| self.not_opened(address, database, error)) {
                Ok(session) => return Ok(session),
                Err(error @ PgError::Unreachable { .. }) => failed = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(failed.unwrap_or_else(|| invalid("host", "")))
    }

    fn not_opened(&self, address: &Address, database: &str, error: backup_core::error::Cause) -> PgError {
        match error.downcast::<tokio_postgres::Error>() {
            Ok(error) => self.not_connected(address, database, *error),
            Err(source) => PgError::Unreachable {
                server: format!("{}:{}, database `{database}`", address.host, address.port),
                help: "check PGHOST and PGPORT, and that the server runs and takes connections".to_owned(),
                source,
            },
        }
    }

    async fn connect_to(&self, address: &Address, database: &str) -> PgResult<Session> {
        let (config, tls) = self.prepare(address, database)?;
        Session::open(&config, tls).await.map_err(|error| self.not_connected(address, database, error))
    }

    fn prepare(&self, address: &Address, database: &str) -> PgResult<(tokio_postgres::Config, MakeRustlsConnect)> {
        let mode = self.mode_for(address);
        let mut config = tokio_postgres::Config::new();
        config
            .host(&address.host)
            .port(address.port)
            .user(&self.user)
            .dbname(database)
            .application_name("lastgood")
            .ssl_mode(mode.driver())
            .connect_timeout(self.connect_timeout)
            .keepalives(true)
            .keepalives_idle(KEEPALIVE_IDLE);
        if let Some(password) = self.password_for(address, database)? {
            config.password(password.expose());
        }
        Ok((config, connector(mode, self.root_certificates.as_deref())?))
    }

    fn not_connected(&self, address: &Address, database: &str, error: tokio_postgres::Error) -> PgError {
        let server = format!("{}:{}", address.host, address.port);
        match error.code().map(tokio_postgres::error::SqlState::code) {
            Some("3D000") => PgError::NoDatabase { database: database.to_owned(), server },
            Some("28P01" | "28000") => PgError::Unreachable {
                server: format!("{server} as `{}`", self.user),
                help: "check PGUSER, and the password in PGPASSFILE or ~/.pgpass".to_owned(),
                source: error.into(),
            },
            // object_not_in_prerequisite_state: the database does not accept connections.
            Some("55000") => PgError::Refused {
                what: format!("the database `{database}` does not accept connections"),
                help: "if a restore was killed, `lastgood pg recover` mends it".to_owned(),
            },
            _ => PgError::Unreachable {
                server: format!("{server}, database `{database}`"),
                help: "check PGHOST and PGPORT, and that the server runs and takes connections".to_owned(),
                source: error.into(),
            },
        }
    }

    /// Verified by default wherever a network lies between.
    fn mode_for(&self, address: &Address) -> SslMode {
        match self.sslmode {
            _ if address.is_socket() => SslMode::Disable,
            Some(mode) => mode,
            None if address.is_local() => SslMode::Prefer,
            None => SslMode::VerifyFull,
        }
    }

    fn password_for(&self, address: &Address, database: &str) -> PgResult<Option<Secret>> {
        if self.password.is_some() {
            return Ok(self.password.clone());
        }
        let Some(path) = &self.passfile else { return Ok(None) };
        let login = Login { host: &address.host, port: address.port, database, user: &self.user };
        passfile::lookup(path, login)
    }

    /// What `pg_dump` and `pg_restore` need to reach `database`: variables, and a private password file that lives as
    /// long as the returned value.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn child_environment(&self, database: &str) -> PgResult<ChildEnvironment> {
        let address = self.addresses.first().ok_or_else(|| invalid("host", ""))?;
        let mut variables = vec![
            ("PGHOST", address.host.clone()),
            ("PGPORT", address.port.to_string()),
            ("PGUSER", self.user.clone()),
            ("PGDATABASE", database.to_owned()),
            ("PGSSLMODE", self.mode_for(address).as_str().to_owned()),
            ("PGAPPNAME", "lastgood".to_owned()),
            ("PGCONNECT_TIMEOUT", self.connect_timeout.as_secs().to_string()),
        ];
        let roots = self.root_certificates.as_deref().or_else(|| Some(Path::new(SYSTEM_ROOTS)).filter(|p| p.exists()));
        if let (SslMode::VerifyFull, Some(roots)) = (self.mode_for(address), roots) {
            variables.push(("PGSSLROOTCERT", roots.display().to_string()));
        }
        let passfile = match self.password_for(address, database)? {
            None => None,
            Some(password) => Some(private_passfile(&password)?),
        };
        Ok(ChildEnvironment { variables, passfile })
    }
}

/// `host1,host2` with `port1,port2`; one port stands for all.
fn addresses(hosts: &str, ports: &str) -> PgResult<Vec<Address>> {
    let ports: Vec<&str> = ports.split(',').collect();
    hosts
        .split(',')
        .enumerate()
        .map(|(at, host)| {
            let port = ports.get(at).or_else(|| ports.first()).copied().unwrap_or_default();
            let port = if port.is_empty() { PORT_DEFAULT } else { port.parse().map_err(|_| invalid("port", port))? };
            Ok(Address { host: if host.is_empty() { default_host() } else { host.to_owned() }, port })
        })
        .collect()
}

/// As libpq on Debian: the local socket if there is one, else the loopback.
fn default_host() -> String {
    let socket = "/var/run/postgresql";
    if Path::new(socket).is_dir() { socket.to_owned() } else { "localhost".to_owned() }
}

fn invalid(name: &str, value: &str) -> PgError {
    PgError::Usage {
        what: format!("the connection parameter `{name}` cannot be `{value}`"),
        help: "see PGHOST, PGPORT, PGUSER, PGSSLMODE and PGCONNECT_TIMEOUT in the PostgreSQL manual".to_owned(),
    }
}

/// One wildcard line: the file is for one child and one server.
fn private_passfile(password: &Secret) -> PgResult<tempfile::NamedTempFile> {
    let escaped = password.expose().replace('\\', "\\\\").replace(':', "\\:");
    let write = || {
        // Created with mode 0600 by the library.
        let mut file = tempfile::Builder::new().prefix("lastgood-").tempfile()?;
        writeln!(file, "*:*:*:*:{escaped}")?;
        file.flush()?;
        Ok(file)
    };
    write().map_err(|error: std::io::Error| PgError::Refused {
        what: format!("no private password file can be written for the PostgreSQL programs: {error}"),
        help: "check TMPDIR; nothing was changed".to_owned(),
    })
}

/// The environment of a child; see [`Server::child_environment`].
#[derive(Debug)]
pub struct ChildEnvironment {
    variables: Vec<(&'static str, String)>,
    passfile: Option<tempfile::NamedTempFile>,
}

impl ChildEnvironment {
    /// Gives it to `command`, in place of whatever libpq variables we were started with.
    pub fn apply(&self, command: &mut Command) {
        for inherited in environment::LIBPQ.iter().map(|(variable, _)| variable).chain(&environment::OTHERS) {
            command.env_remove(inherited);
        }
        command.envs(self.variables.iter().map(|(name, value)| (*name, value)));
        if let Some(passfile) = &self.passfile {
            command.env("PGPASSFILE", passfile.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(target: Option<&str>, origin: Origin, pairs: &[(&str, &str)]) -> PgResult<(Server, Option<String>)> {
        Server::resolve(target, origin, &Environment::from_pairs(pairs.iter().copied()))
    }

    #[test]
    fn flags_win_over_urls_over_libpq_variables() {
        let pairs = [("PGHOST", "h1"), ("PGPORT", "1"), ("PGUSER", "u1"), ("DATABASE_URL", "postgres://u2:p@h2/d2")];
        let (server, database) = resolve(Some("host=h3,h4 dbname=d3"), Origin::CommandLine, &pairs).unwrap();
        assert_eq!(server.describe(), "h3:1,h4:1");
        assert_eq!((server.user.as_str(), database.as_deref()), ("u2", Some("d3")));
        let (_, database) = resolve(None, Origin::CommandLine, &pairs).unwrap();
        assert_eq!(database.as_deref(), Some("d2"));
        let (_, database) = resolve(Some("a=b"), Origin::CommandLine, &pairs).unwrap();
        assert_eq!(database.as_deref(), Some("a=b"), "not a connection string: a strange name");
    }

    #[test]
    fn c17_passwords_on_the_command_line_are_refused_and_never_shown() {
        for target in ["postgres://u:hush@h/d", "host=h password=hush"] {
            let error = resolve(Some(target), Origin::CommandLine, &[]).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hush"));
            let (server, _) = resolve(Some(target), Origin::Environment, &[]).unwrap();
            assert!(!format!("{server:?} {}", server.describe()).contains("hush"));
        }
    }

    #[test]
    fn networks_are_verified_by_default() {
        let mode = |host: &str| {
            let (server, _) = resolve(None, Origin::Environment, &[("PGHOST", host)]).unwrap();
            server.mode_for(&server.addresses[0])
        };
        assert_eq!(mode("db.example.org"), SslMode::VerifyFull);
        assert_eq!(mode("127.0.0.1"), SslMode::Prefer);
        assert_eq!(mode("/run/postgresql"), SslMode::Disable);
    }
}
