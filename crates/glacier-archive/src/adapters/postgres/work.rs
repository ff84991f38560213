//! A thread with the connection: the catalogue is asked by code that waits, on whatever runtime that runs.

use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::time::Duration;

use backup_core::error::Cause;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_postgres::{Client, Error};

use super::connect::{Connect, Connection};
use crate::error::{GlacierError, GlacierResult};

/// How often a connection that was lost is made again: a database that is restored closes every session, and is back within
/// a second.
const ATTEMPTS: u32 = 20;

/// Between attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// Something to do with the connection. It may be done again if the connection is lost meanwhile.
type Task = Box<dyn Fn(&Client) -> BoxFuture<'_, Result<Answer, Error>> + Send>;
type Answer = Box<dyn std::any::Any + Send>;
type Reply = blocking::SyncSender<Result<Answer, Cause>>;

/// The thread. It ends, and its connection with it, when this is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    tasks: mpsc::UnboundedSender<(Task, Reply)>,
    name: String,
}

impl Worker {
    /// Starts it, and connects.
    pub(super) fn start(connect: Arc<dyn Connect>) -> GlacierResult<Self> {
        let name = connect.describe();
        let (tasks, todo) = mpsc::unbounded_channel();
        let (ready, connected) = blocking::sync_channel(1);
        let failed = |source: Cause| GlacierError::Catalogue { action: "open", path: name.clone(), source };
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(serve(connect, todo, ready)),
                // Nobody listens only if whoever started us is gone.
                Err(error) => drop(ready.send(Err(error.into()))),
            }
        };
        std::thread::Builder::new().name("catalogue".to_owned()).spawn(work).map_err(|error| failed(error.into()))?;
        match connected.recv() {
            Ok(Ok(())) => Ok(Self { tasks, name }),
            Ok(Err(error)) => Err(failed(error)),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// Has something done, and waits for it.
    pub(super) fn run<T, F>(&self, action: &'static str, task: F) -> GlacierResult<T>
    where
        T: Send + 'static,
        F: Fn(&Client) -> BoxFuture<'_, Result<T, Error>> + Send + 'static,
    {
        let failed = |source: Cause| GlacierError::Catalogue { action, path: self.name.clone(), source };
        let task: Task = Box::new(move |client| {
            let done = task(client);
            Box::pin(async move { done.await.map(|value| Box::new(value) as Answer) })
        });
        let (reply, answer) = blocking::sync_channel(1);
        let died = || GlacierError::internal("the thread of the catalogue is gone");
        self.tasks.send((task, reply)).map_err(|_| died())?;
        let answer = answer.recv().map_err(|_| died())?.map_err(failed)?;
        answer.downcast().map(|value| *value).map_err(|_| GlacierError::internal("an answer of another kind"))
    }

    /// The database, for messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The error for rows that nobody of ours wrote.
    pub(super) fn unreadable(&self) -> GlacierError {
        let source: Cause = "a row in it has a value that no version writes".into();
        GlacierError::Catalogue { action: "read", path: self.name.clone(), source }
    }
}

async fn serve(
    connect: Arc<dyn Connect>,
    mut todo: mpsc::UnboundedReceiver<(Task, Reply)>,
    ready: blocking::SyncSender<Result<(), Cause>>,
) {
    let mut connection = match connect.connect().await {
        Ok(connection) => connection,
        Err(error) => return drop(ready.send(Err(error))),
    };
    drop(ready.send(Ok(())));
    while let Some((task, reply)) = todo.recv().await {
        let done = again_if_lost(&*connect, &mut connection, &task).await;
        // Whoever asked may be gone.
        drop(reply.send(done));
    }
}

/// Does it; and again over a new connection if the one there is was lost, since each task leaves the same when done twice.
async fn again_if_lost(connect: &dyn Connect, connection: &mut Connection, task: &Task) -> Result<Answer, Cause> {
    let mut attempt = 1;
    loop {
        let error: Cause = if connection.is_closed() {
            match connect.connect().await {
                Ok(fresh) => {
                    *connection = fresh;
                    continue;
                }
                Err(error) => error,
            }
        } else {
            match task(connection).await {
                Ok(answer) => return Ok(answer),
                Err(error) if is_refusal(&error) => {
                    // Out of the transaction that failed; a connection that is gone has none.
                    drop(connection.batch_execute("ROLLBACK").await);
                    return Err(error.into());
                }
                Err(error) => error.into(),
            }
        };
        if attempt >= ATTEMPTS {
            return Err(error);
        }
        attempt += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether the server refused a statement, and would again. 57P0x: it ends our session.
fn is_refusal(error: &Error) -> bool {
    error.code().is_some_and(|code| !code.code().starts_with("57P0"))
}
