//! Connections to the server: where it is, who we are, and how the password gets there.

mod address;
mod child;
mod environment;
mod failure;
mod resolve;
mod session;
mod settings;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use backup_core::error::Cause;
use backup_core::secret::Secret;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_postgres::config;
use tokio_postgres::error::DbError;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::adapters::connection::address::Address;
pub use crate::adapters::connection::child::ChildEnvironment;
pub(crate) use crate::adapters::connection::child::without_secrets;
pub use crate::adapters::connection::environment::Environment;
pub(crate) use crate::adapters::connection::session::DrivenSession;
pub use crate::adapters::connection::session::Session;
use crate::adapters::passfile::{self, Login};
pub use crate::adapters::tls::SslMode;
use crate::adapters::tls::connector;
use crate::error::{PgError, PgResult};
use crate::guard::Guard;

/// A dump leaves connections idle for long: without probes a firewall forgets them.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);

/// Where an argument came from. What stands on a command line can be read by every user of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An argument.
    CommandLine,
    /// An environment variable, or a value in a program.
    Environment,
}

/// A server and how to log in. Clones stay with the host the first of them reached: a run that came upon two servers
/// would mix their databases.
#[derive(Clone, Debug)]
pub struct Server {
    addresses: Vec<Address>,
    /// The address of the first connection, by its place.
    chosen: Arc<OnceLock<usize>>,
    user: String,
    password: Option<Secret>,
    passfile: Option<PathBuf>,
    sslmode: Option<SslMode>,
    root_certificates: Option<PathBuf>,
    connect_timeout: Option<Duration>,
    channel_binding: Option<ChannelBinding>,
    session_attributes: SessionAttributes,
    application_name: String,
    /// How long any statement may take; zero for any time.
    statement_timeout: Duration,
    guard: Arc<Guard>,
}

/// Whether the password exchange is tied to the TLS connection (libpq's `channel_binding`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChannelBinding {
    Disable,
    Prefer,
    Require,
}

impl ChannelBinding {
    fn parse(text: &str) -> PgResult<Self> {
        match text {
            "disable" => Ok(Self::Disable),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            _ => Err(invalid("channel_binding", "is none of disable, prefer, require")),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
        }
    }

    fn driver(self) -> config::ChannelBinding {
        match self {
            Self::Disable => config::ChannelBinding::Disable,
            Self::Prefer => config::ChannelBinding::Prefer,
            Self::Require => config::ChannelBinding::Require,
        }
    }
}

/// Which of several hosts will do (libpq's `target_session_attrs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SessionAttributes {
    Any,
    ReadWrite,
    ReadOnly,
}

impl SessionAttributes {
    fn parse(text: &str) -> PgResult<Self> {
        match text {
            "any" => Ok(Self::Any),
            "read-write" | "primary" => Ok(Self::ReadWrite),
            "read-only" | "standby" => Ok(Self::ReadOnly),
            _ => Err(invalid("target_session_attrs", "is none of any, read-write, read-only, primary, standby")),
        }
    }
}

impl Server {
    /// Host and port, without secrets.
    #[must_use]
    pub fn describe(&self) -> String {
        self.candidates().iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }

    /// Host and port as they mean something elsewhere: this machine's own name where no network lies between.
    #[must_use]
    pub fn host_for_people(&self) -> String {
        let Some(address) = self.candidates().first() else { return String::new() };
        match address.is_local() {
            true => format!("{}:{}", backup_core::source::host(), address.port),
            false => address.to_string(),
        }
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
        self.connect_any(database, |address, config, tls| Box::pin(Session::open(address, config, tls))).await
    }

    /// [`Server::connect`], with the server's notices.
    pub(crate) async fn connect_hearing(&self, database: &str, notices: mpsc::Sender<DbError>) -> PgResult<Session> {
        let open =
            |_, config, tls| -> BoxFuture<'static, _> { Box::pin(Session::open_hearing(config, tls, notices.clone())) };
        self.connect_any(database, open).await
    }

    /// [`Server::connect`], for a session that its user drives.
    pub(crate) async fn connect_driven(&self, database: &str) -> PgResult<DrivenSession> {
        self.connect_any(database, |address, config, tls| Box::pin(DrivenSession::open(address, config, tls))).await
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
        if target != "postgres" {
            match self.connect("postgres").await {
                Err(error) if not_that_database(&error) => {}
                other => return other,
            }
        }
        self.connect("template1").await
    }

    /// The addresses to try: all, or the one that answered first.
    fn candidates(&self) -> &[Address] {
        match self.chosen.get() {
            Some(at) => &self.addresses[*at..=*at],
            None => &self.addresses,
        }
    }

    async fn connect_any<T>(
        &self,
        database: &str,
        open: impl Fn(Address, config::Config, MakeRustlsConnect) -> BoxFuture<'static, Result<T, Cause>>,
    ) -> PgResult<T> {
        let mut failed = None;
        for address in self.candidates() {
            let (config, tls) = self.prepare(address, database)?;
            let opening = open(address.clone(), config, tls);
            // Around all of it: a server that takes the connection and then says nothing must not be waited for.
            let opened = match self.connect_timeout {
                None => opening.await,
                Some(timeout) => tokio::time::timeout(timeout, opening).await.unwrap_or_else(|late| Err(late.into())),
            };
            match opened.map_err(|error| self.not_opened(address, database, error)) {
                Ok(opened) => {
                    if let Some(at) = self.addresses.iter().position(|other| other == address) {
                        let _ = self.chosen.set(at);
                    }
                    return Ok(opened);
                }
                Err(error @ PgError::Unreachable { .. }) => failed = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(failed.unwrap_or_else(|| invalid("host", "names no server")))
    }

    fn prepare(&self, address: &Address, database: &str) -> PgResult<(config::Config, MakeRustlsConnect)> {
        let mode = self.mode_for(address);
        let mut config = config::Config::new();
        config
            .host(&address.host)
            .port(address.port)
            .user(&self.user)
            .dbname(database)
            .application_name(&self.application_name)
            .options(self.session_options())
            .ssl_mode(mode.driver())
            .keepalives(true)
            .keepalives_idle(KEEPALIVE_IDLE)
            .target_session_attrs(match self.session_attributes {
                SessionAttributes::Any => config::TargetSessionAttrs::Any,
                SessionAttributes::ReadWrite => config::TargetSessionAttrs::ReadWrite,
                SessionAttributes::ReadOnly => config::TargetSessionAttrs::ReadOnly,
            });
        if let Some(ip) = address.ip {
            config.hostaddr(ip);
        }
        if let Some(timeout) = self.connect_timeout {
            config.connect_timeout(timeout);
        }
        if let Some(binding) = self.channel_binding {
            config.channel_binding(binding.driver());
        }
        if let Some(password) = self.password_for(address, database)? {
            config.password(password.expose());
        }
        Ok((config, connector(mode, self.root_certificates.as_deref())?))
    }

    /// Verified by default wherever a network lies between.
    fn mode_for(&self, address: &Address) -> SslMode {
        match self.sslmode {
            _ if address.is_socket() => SslMode::Disable,
            // As libpq: whoever names an authority wants it asked.
            Some(SslMode::Require) if self.root_certificates.is_some() => SslMode::VerifyCa,
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
}

/// Whether it is this database that does not let us in, and another may.
fn not_that_database(error: &PgError) -> bool {
    match error {
        PgError::NoDatabase { .. } | PgError::Refused { .. } => true,
        PgError::Unreachable { source, .. } => {
            let code = source.downcast_ref::<tokio_postgres::Error>().and_then(tokio_postgres::Error::code);
            // insufficient_privilege, and invalid_authorization_specification: pg_hba.conf has rules by database.
            code.is_some_and(|code| ["42501", "28000"].contains(&code.code()))
        }
        _ => false,
    }
}

/// A parameter that cannot be used. Its value is not repeated: what a URL is cut into may be part of a password.
fn invalid(name: &str, what: &str) -> PgError {
    PgError::Usage {
        what: format!("the connection parameter `{name}` {what}"),
        help: "see PGHOST, PGPORT, PGUSER, PGSSLMODE and PGCONNECT_TIMEOUT in the PostgreSQL manual".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(pairs: &[(&str, &str)]) -> SslMode {
        let (server, _) =
            Server::resolve(None, Origin::Environment, &Environment::from_pairs(pairs.iter().copied())).unwrap();
        server.mode_for(&server.addresses[0])
    }

    #[test]
    fn networks_are_verified_by_default() {
        assert_eq!(mode(&[("PGHOST", "db.example.org")]), SslMode::VerifyFull);
        assert_eq!(mode(&[("PGHOST", "localhost"), ("PGHOSTADDR", "10.0.0.1")]), SslMode::VerifyFull);
        assert_eq!(mode(&[("PGHOST", "127.0.0.1")]), SslMode::Prefer);
        assert_eq!(mode(&[("PGHOST", "/run/postgresql"), ("PGSSLMODE", "verify-full")]), SslMode::Disable);
        assert_eq!(mode(&[("PGHOST", "127.0.0.1"), ("PGSSLMODE", "verify-full")]), SslMode::VerifyFull);
    }

    #[test]
    fn what_is_asked_for_is_what_is_done() {
        let asked = |mode_asked, roots| {
            mode(&[("PGHOST", "db"), ("PGSSLMODE", mode_asked), ("PGSSLROOTCERT", roots), ("HOME", "/nonexistent")])
        };
        assert_eq!(asked("disable", ""), SslMode::Disable);
        assert_eq!(asked("require", ""), SslMode::Require);
        assert_eq!(asked("require", "/ca.pem"), SslMode::VerifyCa);
        assert_eq!(asked("verify-ca", ""), SslMode::VerifyCa);
        assert_eq!(asked("verify-full", "system"), SslMode::VerifyFull);
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_given_up_in_time() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = silent.local_addr().unwrap().port().to_string();
        let pairs = [("PGHOST", "127.0.0.1"), ("PGPORT", port.as_str()), ("PGCONNECT_TIMEOUT", "1")];
        let (server, _) = Server::resolve(None, Origin::Environment, &Environment::from_pairs(pairs)).unwrap();
        let begun = std::time::Instant::now();
        for error in [server.connect("d").await.unwrap_err(), server.connect_driven("d").await.unwrap_err()] {
            assert!(matches!(error, PgError::Unreachable { .. }), "{error:?}");
        }
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
