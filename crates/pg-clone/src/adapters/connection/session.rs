//! One connection and the task that drives it.

use std::ops::Deref;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long a dropped connection may take to end by itself.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);

/// An open connection; dereferences to the driver's client. Dropping it closes the connection, and with it whatever the
/// server still did for it.
#[derive(Debug)]
pub struct Session {
    client: Client,
    connection: JoinHandle<()>,
}

impl Session {
    pub(super) async fn open(config: &Config, tls: MakeRustlsConnect) -> Result<Self, tokio_postgres::Error> {
        let (client, connection) = config.connect(tls).await?;
        // How a connection ends is told by the statement it ends under.
        let connection = tokio::spawn(async move { drop(connection.await) });
        Ok(Self { client, connection })
    }
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
