//! Drops databases that nobody needs any more, and does not wait for ever.
//!
//! From version 15 on the server drops no database before each of its processes has taken note of it
//! (`WaitForProcSignalBarrier` in PostgreSQL's `procsignal.c`). One that is stopped, or a background worker that never
//! looks, makes it wait without end. It goes on waiting by itself: nobody has to wait with it.

use std::time::Duration;

use backup_core::failure::{Operation, Remedy};
use backup_core::remedy;
use tokio::sync::mpsc;
use tokio_postgres::error::DbError;
use tokio_util::sync::CancellationToken;

use crate::adapters::connection::{Server, Session};
use crate::adapters::sql::{databases, session_settings, sessions, subscriptions};
use crate::error::PgResult;

/// SQLSTATE of what cannot be dropped since something of it is used: object_in_use.
const IN_USE: &str = "55006";

/// How long a database may take to go: a little more than the five seconds after which the server says whom it waits for.
const PATIENCE: Duration = Duration::from_millis(5_500);

/// How long a server may remove files, whose system deletes them slowly, before nobody waits with it any more.
const FILES_PATIENCE: Duration = Duration::from_secs(10 * 60);

/// How long it may still take once we are asked to end: most are gone in some milliseconds.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// What a server waits for that has each of its processes take note (PostgreSQL manual, "Wait Events of Type IPC").
const BARRIER: &str = "ProcSignalBarrier";

/// Notices that are kept: one is enough, and a server that logs statements sends one for each.
const NOTICES_MAX: usize = 64;

/// What became of a database that is to be dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// It is gone.
    Gone,
    /// The server drops it as soon as it can.
    Waiting {
        /// Whom it waits for, as `process 4711 (background worker pg_net)`, if it says so.
        process: Option<String>,
    },
}

impl Dropped {
    /// What to tell of a database that is not gone yet.
    pub(crate) fn told(&self, database: &str) -> Option<String> {
        match self {
            Self::Gone => None,
            Self::Waiting { process: Some(process) } => {
                Some(format!("the server waits for {process} before it drops `{database}`"))
            }
            Self::Waiting { process: None } => Some(format!("the server has not dropped `{database}` yet")),
        }
    }

    /// What to do about it.
    pub(crate) fn later(&self) -> Remedy {
        match self {
            Self::Waiting { process: Some(_) } => {
                remedy![
                    "it goes on by itself once that process goes on or ends; ",
                    Operation::Recover,
                    " drops what is left"
                ]
            }
            Self::Gone | Self::Waiting { process: None } => {
                remedy!["it goes on by itself; ", Operation::Recover, " drops what is left"]
            }
        }
    }
}

/// Drops a database with whoever is still connected to it, on a session of its own: what the server still waits for keeps no
/// lock of ours. `target` is not entered for it.
pub(crate) async fn drop_patiently(
    server: &Server,
    target: &str,
    database: &str,
    cancel: &CancellationToken,
) -> PgResult<Dropped> {
    let (sender, mut notices) = mpsc::channel(NOTICES_MAX);
    let session = server.connect_admin_hearing(target, sender).await?;
    session_settings::hear_of_waiting(&session).await?;
    let ended = async {
        cancel.cancelled().await;
        tokio::time::sleep(LAST_MOMENT).await;
    };
    let pid = sessions::own_pid(&session).await?;
    let waits = async {
        let started = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(PATIENCE).await;
            // Without a word it is at work itself: it removes the files, which some file systems take seconds for.
            let waits = !notices.is_empty() || is_held_up(server, target, pid).await.unwrap_or(true);
            if waits || started.elapsed() > FILES_PATIENCE {
                return;
            }
        }
    };
    tokio::select! {
        dropped = drop_database(server, &session, database) => return dropped.map(|()| Dropped::Gone),
        () = waits => {}
        () = ended => {}
    }
    let mut pid = None;
    while let Ok(notice) = notices.try_recv() {
        pid = waited_for(&notice).or(pid);
    }
    let process = match pid {
        Some(pid) => {
            let admin = server.connect_admin_for(target).await?;
            let kind = sessions::kind_of(&admin, pid).await?;
            Some(kind.map_or(format!("process {pid}"), |kind| format!("process {pid} ({kind})")))
        }
        None => None,
    };
    Ok(Dropped::Waiting { process })
}

/// Whether the server process waits for others to take note or to let go, or for us, which it may do without an end.
async fn is_held_up(server: &Server, target: &str, pid: i32) -> PgResult<bool> {
    let waits = sessions::waits_for(&server.connect_admin_for(target).await?, pid).await?;
    Ok(waits.is_some_and(|(kind, event)| event == BARRIER || kind == "Lock" || kind == "Client"))
}

/// The process that a server says it waits for, whatever its language.
fn waited_for(notice: &DbError) -> Option<i32> {
    pid_in(notice.message())
}

fn pid_in(message: &str) -> Option<i32> {
    let about = message.contains(BARRIER).then_some(message)?;
    let (_, number) = about.split_once("PID ")?;
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..end].parse().ok()
}

/// Drops a database with whoever is still connected to it (PostgreSQL 13 and newer) and the subscriptions in it.
pub(crate) async fn drop_database(server: &Server, admin: &Session, database: &str) -> PgResult<()> {
    // One whose drop ends in the middle can only be dropped once more.
    session_settings::outlive_client(admin).await?;
    match databases::drop_if_exists(admin, database).await {
        // No database with a subscription can be dropped.
        Err(error) if error.sqlstate() == Some(IN_USE) => {
            // Without their slots: those of a restored copy are the original's, which still uses them.
            databases::allow_connections(admin, database).await?;
            subscriptions::detach_all(&server.connect(database).await?, database).await?;
            databases::drop_if_exists(admin, database).await
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_read_from_what_the_server_says() {
        assert_eq!(pid_in("still waiting for backend with PID 4711 to accept ProcSignalBarrier"), Some(4711));
        for other in ["statement: DROP DATABASE \"PID 7\"", "still waiting", "ProcSignalBarrier PID x"] {
            assert_eq!(pid_in(other), None, "{other}");
        }
    }

    #[test]
    fn it_is_told_whom_the_server_waits_for() {
        assert_eq!(Dropped::Gone.told("d"), None);
        let waiting = Dropped::Waiting { process: Some("process 7 (client backend)".into()) };
        let told = waiting.told("d").unwrap();
        assert_eq!(told, "the server waits for process 7 (client backend) before it drops `d`");
        let at_work = Dropped::Waiting { process: None };
        assert!(at_work.told("d").unwrap().contains("not dropped `d` yet"));
        assert!(
            !format!("{:?}", at_work.later()).contains("process")
                && format!("{:?}", waiting.later()).contains("process")
        );
    }
}
