//! One connection and the task that drives it.

mod statements;
pub(super) mod vanishing;

use std::future::Future;
use std::net::IpAddr;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use backup_core::error::Cause;
use bytes::Bytes;
use futures::future::join_all;
use futures::{Stream, StreamExt};
use tokio::io::BufReader;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::DbError;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, CopyOutStream, Error, SimpleQueryMessage, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::adapters::connection::address::{Address, RawSocket};
use crate::adapters::connection::demands::{RequireAuth, SessionAttributes};
use crate::adapters::connection::statement::told;
use crate::adapters::connection::watch::{Watched, WatchedTls};

/// How long a dropped connection may take to end by itself.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);

/// An open connection; dereferences to the driver's client. Dropping it closes the connection, and with it whatever the
/// server still did for it.
#[derive(Debug)]
pub struct Session {
    client: Client,
    connection: JoinHandle<()>,
}

/// What a connection is opened with.
pub(super) struct Opening {
    pub(super) address: Address,
    pub(super) ip: Option<IpAddr>,
    pub(super) config: Config,
    /// What the user sets for every session.
    pub(super) given: String,
    pub(super) tls: MakeRustlsConnect,
    pub(super) attributes: SessionAttributes,
    pub(super) require_auth: Option<RequireAuth>,
    pub(super) require_peer: Option<String>,
    /// Told here as whom we came in, and where.
    pub(super) logged_in: Arc<OnceLock<LoggedIn>>,
}

type Wire = Watched<BufReader<RawSocket>>;
type TlsWire = Watched<<MakeRustlsConnect as MakeTlsConnect<Wire>>::Stream>;

impl Opening {
    /// Logs in over a socket that is read `read_bytes` at a time.
    async fn log_in(&mut self, read_bytes: usize) -> Result<(Client, Connection<Wire, TlsWire>), Cause> {
        let socket = self.address.open(self.ip, self.require_peer.as_deref()).await?;
        let offers_tls = self.config.get_ssl_mode() != SslMode::Disable;
        let rule = self.require_auth.take();
        let wire = Watched::plain(BufReader::with_capacity(read_bytes, socket), rule.as_ref(), offers_tls);
        let tls = MakeTlsConnect::<Wire>::make_tls_connect(&mut self.tls, &self.address.host)?;
        let (client, connection) = self.config.connect_raw(wire, WatchedTls::new(tls, rule)).await?;
        // The server says it of its own accord to whoever logs in.
        let version = connection.parameter("server_version").unwrap_or_default();
        let major = version.split(|c: char| !c.is_ascii_digit()).next().and_then(|major| major.parse().ok());
        let is_superuser = connection.parameter("is_superuser") == Some("on");
        // The first that is told stays.
        let _ = self.logged_in.set(LoggedIn { is_superuser, major: major.unwrap_or_default() });
        Ok((client, connection))
    }

    /// What the session sets before anything else.
    fn settings(&self) -> String {
        settings(self.logged_in.get().copied().unwrap_or_default(), &self.given)
    }
}

impl Session {
    pub(super) async fn open(mut opening: Opening) -> Result<Self, Cause> {
        let (client, connection) = opening.log_in(MESSAGES_READ_BYTES).await?;
        let settings = opening.settings();
        // How a connection ends is told by the statement it ends under.
        let connection = tokio::spawn(async move { drop(connection.await) });
        Self::ready(client, connection, &settings, opening.attributes).await
    }

    /// [`Session::open`], with what the server says beside its answers given to `notices`. While nobody takes them the
    /// connection stands still.
    pub(super) async fn open_hearing(mut opening: Opening, notices: mpsc::Sender<DbError>) -> Result<Self, Cause> {
        let (client, mut connection) = opening.log_in(MESSAGES_READ_BYTES).await?;
        let settings = opening.settings();
        let connection = tokio::spawn(async move {
            while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notice(notice) = message {
                    // Whoever asked for them may have heard enough.
                    let _ = notices.send(notice).await;
                }
            }
        });
        Self::ready(client, connection, &settings, opening.attributes).await
    }

    async fn ready(
        client: Client,
        connection: JoinHandle<()>,
        settings: &str,
        attributes: SessionAttributes,
    ) -> Result<Self, Cause> {
        let session = Self { client, connection };
        // One round trip for all. What the server is like is asked before we set anything.
        let statements = format!(
            "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only'), \
               pg_catalog.current_setting('{MARK}', true); {settings}"
        );
        let answers = session.client.simple_query(&statements).await?;
        let row = answers.iter().find_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let says = |at: usize, text: &str| row.is_some_and(|row| row.get(at) == Some(text));
        if let Some(misfit) = attributes.misfit(says(0, "t"), says(1, "on")) {
            return Err(Unfit(misfit).into());
        }
        if !says(2, "on") {
            return Err(Pooled.into());
        }
        Ok(session)
    }
}

/// A setting of no meaning that every session starts with. A pooler (PgBouncer told to ignore startup options, RDS Proxy)
/// hands us a session that somebody else started, and there it is missing.
pub(super) const MARK: &str = "lastgood.direct";

/// Somebody between us and the server shares its sessions: what we set and lock there is not ours alone.
#[derive(Debug, thiserror::Error)]
#[error("the startup options were dropped on the way: a connection pooler is in front of the server")]
pub(super) struct Pooled;

/// The server is none of those that were asked for.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unfit(&'static str);

/// No search path: what we say must mean the server's own functions and operators, and not what somebody put on the path of a
/// database to have it called with our rights (CVE-2018-1058). The first statement of all says every schema.
const NO_SEARCH_PATH: &str = "SET search_path = ''";

/// As whom a server knows us, and which it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LoggedIn {
    pub(super) is_superuser: bool,
    /// The server's major version.
    pub(super) major: u32,
}

/// English, by which messages are known. Only superusers may choose.
pub(super) const ENGLISH: (&str, &str) = ("lc_messages", "C");

/// What cannot be a startup option: no search path, to which a later `RESET` must not return; timeouts that only newer servers
/// know; the language, where the role may choose it; what watches over the connection; and writing by default, for whether a
/// server does that by itself is asked first. A read-only default would stop a swap.
fn settings(logged_in: LoggedIn, given: &str) -> String {
    let LoggedIn { is_superuser, major } = logged_in;
    let of_version = match major {
        17.. => "SET default_transaction_read_only = off; SET idle_session_timeout = 0; SET transaction_timeout = 0",
        14.. => "SET default_transaction_read_only = off; SET idle_session_timeout = 0",
        _ => "SET default_transaction_read_only = off",
    };
    let watching = vanishing::statements(major, given);
    let language = is_superuser.then(|| format!("SET {} = '{}'", ENGLISH.0, ENGLISH.1));
    [NO_SEARCH_PATH, of_version]
        .map(str::to_owned)
        .into_iter()
        .chain(language)
        .chain(watching)
        .collect::<Vec<_>>()
        .join("; ")
}

/// Bytes read at once from the socket of an ordinary session.
const MESSAGES_READ_BYTES: usize = 8 * 1024;

/// Bytes read at once from the socket that a table's rows come from.
const SOCKET_READ_BYTES: usize = 256 * 1024;

/// Statements sent before the rows of an earlier one have arrived. More would gain nothing: a round trip takes less time
/// than a few tiny tables.
const COPIES_AHEAD: usize = 8;

/// A connection driven by whoever uses it, on the same task: a COPY of millions of rows wakes no other thread for each
/// socket's worth of them.
pub(crate) struct DrivenSession {
    client: Driven,
    connection: Pin<Box<dyn Future<Output = ()> + Send>>,
    ended: bool,
}

/// Whose connection it is.
enum Driven {
    Own(Client),
    Lent(Arc<Session>),
}

impl Deref for Driven {
    type Target = Client;

    fn deref(&self) -> &Client {
        match self {
            Self::Own(client) => client,
            Self::Lent(session) => session,
        }
    }
}

impl DrivenSession {
    /// A session that goes on being its owner's, who uses it no more for the time being. Its own task drives it.
    pub(crate) fn lent(session: Arc<Session>) -> Self {
        Self { client: Driven::Lent(session), connection: Box::pin(std::future::ready(())), ended: true }
    }

    /// Logs in over a socket that is read in large pieces: the server sends 8 KiB at a time, and one system call for each
    /// would cost a dump a tenth of its time.
    pub(super) async fn open(mut opening: Opening) -> Result<Self, Cause> {
        let (client, connection) = opening.log_in(SOCKET_READ_BYTES).await?;
        let settings = opening.settings();
        // How a connection ends is told by the statement it ends under.
        let connection = Box::pin(async move { drop(connection.await) });
        let mut session = Self { client: Driven::Own(client), connection, ended: false };
        session.batch_execute(&settings).await?;
        Ok(session)
    }

    pub(crate) async fn batch_execute(&mut self, statements: &str) -> Result<(), tokio_postgres::Error> {
        let Self { client, connection, ended } = self;
        drive(connection, ended, told(statements, Client::batch_execute(client, statements))).await
    }

    /// Prepares several statements in one round trip. An error names the first one the server refuses.
    pub(crate) async fn prepare_all(&mut self, statements: &[&str]) -> Result<Vec<Statement>, (usize, Error)> {
        let Self { client, connection, ended } = self;
        let prepared = join_all(statements.iter().map(|statement| client.prepare(statement)));
        let prepared = drive(connection, ended, prepared).await;
        // In order: those behind the one that failed only say that the transaction is aborted.
        prepared.into_iter().enumerate().map(|(at, result)| result.map_err(|error| (at, error))).collect()
    }

    /// Starts several `COPY … TO STDOUT`: the next ones are asked for before the rows of one have arrived.
    pub(crate) fn copy_out_all<'a>(&'a mut self, statements: &'a [Statement]) -> CopyOuts<'a> {
        let Self { client, connection, ended } = self;
        let client: &Client = client;
        let copies = futures::stream::iter(statements).map(move |statement| client.copy_out(statement));
        CopyOuts { copies: Box::pin(copies.buffered(COPIES_AHEAD)), rows: None, connection, ended }
    }
}

impl std::fmt::Debug for DrivenSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DrivenSession").field("ended", &self.ended).finish_non_exhaustive()
    }
}

/// The rows of several COPYs, one after the other.
pub(crate) struct CopyOuts<'a> {
    copies: Pin<Box<dyn Stream<Item = Result<CopyOutStream, Error>> + Send + 'a>>,
    rows: Option<Pin<Box<CopyOutStream>>>,
    connection: &'a mut Pin<Box<dyn Future<Output = ()> + Send>>,
    ended: &'a mut bool,
}

impl CopyOuts<'_> {
    /// Goes on to the next COPY; false when there is none left.
    pub(crate) async fn next_copy(&mut self) -> Result<bool, Error> {
        self.rows = match drive(self.connection, self.ended, self.copies.next()).await {
            Some(rows) => Some(Box::pin(told("COPY", std::future::ready(rows)).await?)),
            None => None,
        };
        Ok(self.rows.is_some())
    }

    /// Rows of this COPY.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        let rows = self.rows.as_mut()?;
        drive(self.connection, self.ended, rows.next()).await
    }
}

/// Polls `work`, and the connection whenever `work` waits for it.
async fn drive<T>(
    connection: &mut Pin<Box<dyn Future<Output = ()> + Send>>,
    ended: &mut bool,
    work: impl Future<Output = T>,
) -> T {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|context| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(done);
        }
        if !*ended {
            *ended = connection.as_mut().poll(context).is_ready();
        }
        work.as_mut().poll(context)
    })
    .await
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Dropping the client says good-bye, once what is under way has ended. A COPY of gigabytes nobody reads any more
        // must not keep the connection until then.
        let connection = self.connection.abort_handle();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::sleep(GOODBYE_TIMEOUT).await;
                connection.abort();
            });
        } else {
            connection.abort();
        }
    }
}
