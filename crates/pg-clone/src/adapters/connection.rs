//! Connections to the server: its address, the user, and the password.

mod address;
mod child;
mod conninfo;
mod demands;
mod environment;
mod failure;
pub mod libpq;
mod parameter;
mod passfile;
mod pinned;
mod resolve;
mod server_options;
mod service;
mod session;
mod settings;
mod statement;
mod tls;
mod watch;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use backup_core::error::Cause;
use backup_core::secret::Secret;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_postgres::config;
use tokio_postgres::error::DbError;

use crate::adapters::connection::address::Address;
pub use crate::adapters::connection::child::ChildEnvironment;
pub(crate) use crate::adapters::connection::child::without_secrets;
pub use crate::adapters::connection::conninfo::is_plain_name;
use crate::adapters::connection::demands::{ChannelBinding, RequireAuth, SessionAttributes};
pub use crate::adapters::connection::environment::Environment;
use crate::adapters::connection::parameter::invalid;
use crate::adapters::connection::passfile::Login;
pub use crate::adapters::connection::passfile::passwords as passfile_passwords;
pub use crate::adapters::connection::resolve::Resolved;
pub(crate) use crate::adapters::connection::session::DrivenSession;
pub use crate::adapters::connection::session::Session;
use crate::adapters::connection::session::{LoggedIn, Opening};
pub use crate::adapters::connection::tls::SslMode;
use crate::adapters::connection::tls::{Roots, connector};
use crate::error::{PgError, PgResult};
use crate::guard::Guard;

/// Where an argument came from. What stands on a command line can be read by every user of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An argument.
    CommandLine,
    /// An environment variable, or a value in a program.
    Environment,
}

/// A server and how to log in. Clones stay with the host, and of a name's several addresses with the one, that the first of
/// them reached: a run that came upon two servers would mix their databases.
#[derive(Clone, Debug)]
pub struct Server {
    addresses: Vec<Address>,
    /// Where the first connection led.
    chosen: Arc<OnceLock<Reached>>,
    /// As whom the first connection came in, and where.
    logged_in: Arc<OnceLock<LoggedIn>>,
    user: String,
    password: Option<Secret>,
    passfile: Option<PathBuf>,
    sslmode: Option<SslMode>,
    roots: Roots,
    connect_timeout: Option<Duration>,
    channel_binding: Option<ChannelBinding>,
    session_attributes: SessionAttributes,
    require_auth: Option<RequireAuth>,
    /// The user that the server behind a socket must run as.
    require_peer: Option<String>,
    /// Settings for every session, ours and those of programs.
    options: Option<String>,
    application_name: String,
    /// How long any statement may take; zero for any time.
    statement_timeout: Duration,
    guard: Arc<Guard>,
}

/// One of the addresses, by its place, and what its name led to.
#[derive(Clone, Copy, Debug)]
struct Reached {
    at: usize,
    ip: Option<IpAddr>,
    /// Whether it led to several.
    is_one_of_many: bool,
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

    /// Connects to `database`, trying the hosts in turn. The session has no search path.
    ///
    /// # Errors
    /// [`PgError::Unreachable`], [`PgError::NoDatabase`], or [`PgError::Usage`] for an unsafe password file.
    pub async fn connect(&self, database: &str) -> PgResult<Session> {
        self.connect_any(database, |opening| Box::pin(Session::open(opening))).await
    }

    /// [`Server::connect`], with the server's notices.
    pub(crate) async fn connect_hearing(&self, database: &str, notices: mpsc::Sender<DbError>) -> PgResult<Session> {
        let open = |opening| -> BoxFuture<'static, _> { Box::pin(Session::open_hearing(opening, notices.clone())) };
        self.connect_any(database, open).await
    }

    /// [`Server::connect`], for a session that its user drives.
    pub(crate) async fn connect_driven(&self, database: &str) -> PgResult<DrivenSession> {
        self.connect_any(database, |opening| Box::pin(DrivenSession::open(opening))).await
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
        if target == "postgres" {
            return self.connect("template1").await;
        }
        let refused = match self.connect("postgres").await {
            Err(error) if not_that_database(&error) => error,
            other => return other,
        };
        match self.connect("template1").await {
            // Then it is about the user or this machine, and about no database.
            Err(error) if failure::is_not_listed(&refused) && failure::is_not_listed(&error) => Err(refused),
            Err(error) if not_that_database(&error) => Err(self.no_admin(&refused, error)),
            other => other,
        }
    }

    /// Neither of the databases that everybody may use lets us in.
    fn no_admin(&self, postgres: &PgError, template1: PgError) -> PgError {
        let told = |error: &PgError| match error {
            PgError::Unreachable { source, .. } => failure::chain(&**source),
            other => other.to_string(),
        };
        PgError::Unreachable {
            server: format!(
                "{}, to neither of the databases `postgres` and `template1` ({}; {})",
                self.describe(),
                told(postgres),
                told(&template1)
            ),
            help:
                "databases are listed, created, renamed and dropped from one of these two: let the role connect to one \
                   (`GRANT CONNECT ON DATABASE postgres TO role`, a line in pg_hba.conf), or create `postgres` again"
                    .into(),
            source: template1.into(),
        }
    }

    /// [`Server::connect_admin_for`], with the server's notices.
    pub(crate) async fn connect_admin_hearing(
        &self,
        target: &str,
        notices: mpsc::Sender<DbError>,
    ) -> PgResult<Session> {
        if target != "postgres" {
            match self.connect_hearing("postgres", notices.clone()).await {
                Err(error) if not_that_database(&error) => {}
                other => return other,
            }
        }
        self.connect_hearing("template1", notices).await
    }

    /// The addresses to try: all, or the one that answered first.
    fn candidates(&self) -> &[Address] {
        match self.chosen.get() {
            Some(reached) => &self.addresses[reached.at..=reached.at],
            None => &self.addresses,
        }
    }

    /// Tries what may be meant in turn, and stays with the first that answers.
    async fn connect_any<T>(
        &self,
        database: &str,
        open: impl Fn(Opening) -> BoxFuture<'static, Result<T, Cause>>,
    ) -> PgResult<T> {
        if let Some(reached) = self.chosen.get() {
            // Found fit before; it may have become a primary since, and is the same server all the same.
            return self.connect_to(*reached, SessionAttributes::Any, database, &open).await;
        }
        let mut failed = None;
        for attributes in self.session_attributes.rounds() {
            for (at, address) in self.addresses.iter().enumerate() {
                let ips = match self.in_time(async { Ok(address.ips().await?) }).await {
                    Ok(ips) => ips,
                    Err(error) => {
                        failed = Some(failure::not_opened(&self.user, address, database, error));
                        continue;
                    }
                };
                let is_one_of_many = ips.len() > 1;
                for ip in ips {
                    let reached = Reached { at, ip, is_one_of_many };
                    match self.connect_to(reached, attributes, database, &open).await {
                        Ok(opened) => {
                            // Only the first counts; nobody connects for the first time from two sides.
                            let _ = self.chosen.set(reached);
                            return Ok(opened);
                        }
                        Err(error) if failure::may_be_another(&error) => failed = Some(error),
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Err(failed.unwrap_or_else(|| invalid("host", "names no server")))
    }

    async fn connect_to<T>(
        &self,
        reached: Reached,
        attributes: SessionAttributes,
        database: &str,
        open: &impl Fn(Opening) -> BoxFuture<'static, Result<T, Cause>>,
    ) -> PgResult<T> {
        let address = &self.addresses[reached.at];
        let opening = Opening {
            address: address.clone(),
            ip: reached.ip,
            config: self.login(address, database)?,
            given: self.given_options().to_owned(),
            tls: connector(self.mode_for(address), self.roots.file())?,
            attributes,
            require_auth: self.require_auth.clone(),
            require_peer: self.require_peer.clone(),
            logged_in: Arc::clone(&self.logged_in),
        };
        let opened = self.in_time(open(opening)).await;
        tracing::debug!(target: "pg_clone::connection", %address, database, answered = opened.is_ok(), "connected");
        opened.map_err(|error| failure::not_opened(&self.user, address, database, error))
    }

    /// Around all of it: a server that takes the connection and then says nothing must not be waited for.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Cause>>) -> Result<T, Cause> {
        match self.connect_timeout {
            None => work.await,
            Some(timeout) => tokio::time::timeout(timeout, work).await.unwrap_or_else(|late| Err(late.into())),
        }
    }

    fn login(&self, address: &Address, database: &str) -> PgResult<config::Config> {
        let mut config = config::Config::new();
        config
            .user(&self.user)
            .dbname(database)
            .application_name(&self.application_name)
            .options(self.session_options())
            .ssl_mode(self.mode_for(address).driver());
        if let Some(binding) = self.channel_binding {
            config.channel_binding(binding.driver());
        }
        if let Some(password) = self.password_for(address, database)? {
            config.password(password.expose());
        }
        Ok(config)
    }

    /// Verified by default wherever a network lies between.
    fn mode_for(&self, address: &Address) -> SslMode {
        match self.sslmode {
            _ if address.is_socket() => SslMode::Disable,
            // As libpq: whoever names an authority wants it asked.
            Some(SslMode::Require) if self.roots.file().is_some() => SslMode::VerifyCa,
            Some(mode) => mode,
            None if self.roots == Roots::System => SslMode::VerifyFull,
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
        PgError::NoDatabase { .. } | PgError::Closed { .. } => true,
        PgError::Unreachable { source, .. } => {
            let code = source.downcast_ref::<tokio_postgres::Error>().and_then(tokio_postgres::Error::code);
            // insufficient_privilege, and invalid_authorization_specification: pg_hba.conf has rules by database.
            code.is_some_and(|code| ["42501", "28000"].contains(&code.code()))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(pairs: &[(&str, &str)]) -> SslMode {
        let server =
            Server::resolve(None, Origin::Environment, &Environment::from_pairs(pairs.iter().copied())).unwrap().server;
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
        assert_eq!(mode(&[("PGHOST", "localhost"), ("PGSSLROOTCERT", "system")]), SslMode::VerifyFull);
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_given_up_in_time() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = silent.local_addr().unwrap().port().to_string();
        let pairs = [("PGHOST", "127.0.0.1"), ("PGPORT", port.as_str()), ("PGCONNECT_TIMEOUT", "1")];
        let server = Server::resolve(None, Origin::Environment, &Environment::from_pairs(pairs)).unwrap().server;
        let begun = std::time::Instant::now();
        for error in [server.connect("d").await.unwrap_err(), server.connect_driven("d").await.unwrap_err()] {
            assert!(matches!(error, PgError::Unreachable { .. }), "{error:?}");
        }
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
