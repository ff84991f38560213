//! What this crate leaves to the application: the connection to its PostgreSQL server.

use std::fmt;
use std::ops::Deref;

use backup_core::error::Cause;
use futures_util::future::BoxFuture;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, Socket};

/// An open connection; dropping it closes the connection.
pub type Connection = Box<dyn Deref<Target = Client> + Send + Sync>;

/// Connects to one database. How passwords, certificates and hosts are found is the application's business.
pub trait Connect: fmt::Debug + Send + Sync + 'static {
    /// The database, for messages; never a secret.
    fn describe(&self) -> String;

    /// A new connection, whose driver runs on the runtime that this is called on.
    ///
    /// # Errors
    /// Why there is none.
    fn connect(&self) -> BoxFuture<'_, Result<Connection, Cause>>;
}

/// Connects as the driver's own configuration says.
#[derive(Clone)]
pub struct Configured<T> {
    config: Config,
    tls: T,
}

impl<T> Configured<T> {
    /// With `tls`, such as [`tokio_postgres::NoTls`].
    #[must_use]
    pub fn new(config: Config, tls: T) -> Self {
        Self { config, tls }
    }
}

impl<T> fmt::Debug for Configured<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<T> Connect for Configured<T>
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
    T::Stream: Send,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    fn describe(&self) -> String {
        self.config.get_dbname().or(self.config.get_user()).unwrap_or("postgres").to_owned()
    }

    fn connect(&self) -> BoxFuture<'_, Result<Connection, Cause>> {
        Box::pin(async {
            let (client, connection) = self.config.connect(self.tls.clone()).await?;
            // It ends with its client; how it ended is told by the statement it ended under.
            tokio::spawn(async move { drop(connection.await) });
            let connection: Connection = Box::new(Owned(client));
            Ok(connection)
        })
    }
}

struct Owned(Client);

impl Deref for Owned {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0
    }
}
