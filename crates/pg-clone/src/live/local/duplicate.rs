//! A copy of a whole database by the server itself: `CREATE DATABASE … TEMPLATE`.
//!
//! The server copies only what nobody is connected to. While it copies, it lets new clients wait, not fail; so nothing has
//! to be closed before, and a run that is killed leaves nothing closed.

use std::pin::pin;
use std::time::Duration;

use crate::adapters::connection::{Server, Session};
use crate::adapters::sql::{databases, sessions};
use crate::error::{PgError, PgResult};
use crate::live::state::temporary_name;
use crate::live::target_lock::TargetLock;
use crate::live::temporary::Temporary;
use crate::run::Run;

/// The connection limit a copy is created with: `lgpg` in ASCII. Creation and comment are two steps, and a copy whose
/// comment was never written is known by it: no copy has contents that would.
const UNMARKED_LIMIT: i32 = 0x6c67_7067;

/// Between looks at who came to the source before the server had closed it.
const TERMINATE_POLL: Duration = Duration::from_millis(20);

/// SQLSTATE of a copy whose source somebody is connected to: object_in_use.
const IN_USE: &str = "55006";

/// A copy of `source` for the lock's target under a name of its own, which nobody can connect to yet, and how many
/// sessions of the source were ended for it. `origin` is what its comment says it was made from.
pub(crate) async fn duplicate(
    server: &Server,
    lock: &TargetLock,
    source: &str,
    origin: &str,
    run: &Run,
) -> PgResult<(Temporary, u64)> {
    let name = temporary_name(lock.target());
    let ended = copy(server, lock.session(), source, &name, run).await?;
    run.step("copy.mark", &name);
    Ok((Temporary::mark(lock, name, origin).await?, ended))
}

/// Lets clients, our own among them, into a copy.
pub(crate) async fn open(lock: &TargetLock, copy: &Temporary) -> PgResult<()> {
    databases::allow_all_connections(lock.session(), copy.name()).await
}

/// Whether `database` is a copy whose comment was never written.
pub(crate) async fn is_unmarked(admin: &Session, database: &str) -> PgResult<bool> {
    databases::is_closed_with_limit(admin, database, UNMARKED_LIMIT).await
}

async fn copy(server: &Server, admin: &Session, source: &str, name: &str, run: &Run) -> PgResult<u64> {
    run.stop_if_cancelled()?;
    let pid = sessions::own_pid(admin).await?;
    let helper = server.connect_admin_for(source).await?;
    let mut users = Sessions { helper, source, admin: pid, ended: Vec::new() };
    users.end().await?;
    let mut created = pin!(databases::create_copy(admin, name, source, UNMARKED_LIMIT));
    let mut failed = None;
    let created = loop {
        tokio::select! {
            created = &mut created => break created,
            () = tokio::time::sleep(TERMINATE_POLL) => {}
        }
        // It must not be left alone half-way: a dropped connection would not stop it.
        if run.cancel.is_cancelled() || failed.is_some() {
            users.cancel().await?;
        } else {
            failed = users.end().await.err();
        }
    };
    match created {
        Ok(()) => Ok(users.ended.len() as u64),
        Err(_) if failed.is_some() => failed.map_or(Ok(0), Err),
        Err(_) if run.cancel.is_cancelled() => Err(PgError::Interrupted),
        Err(error) if error.sqlstate() == Some(IN_USE) => Err(PgError::InUse {
            what: format!("`{source}` cannot be copied while it is used: {}", users.left().await?),
            help: "nothing was changed. End them (see pg_stat_activity and pg_prepared_xacts) and run it again".into(),
        }),
        Err(error) => Err(error),
    }
}

/// The sessions of a source.
#[derive(Debug)]
struct Sessions<'a> {
    helper: Session,
    source: &'a str,
    /// Process id of the session that copies.
    admin: i32,
    ended: Vec<i32>,
}

impl Sessions<'_> {
    /// Ends those there are.
    async fn end(&mut self) -> PgResult<()> {
        for pid in sessions::end_all_but(&self.helper, self.source, self.admin).await? {
            if !self.ended.contains(&pid) {
                self.ended.push(pid);
            }
        }
        Ok(())
    }

    async fn cancel(&self) -> PgResult<()> {
        sessions::cancel(&self.helper, self.admin).await
    }

    /// Who is still there, in words.
    async fn left(&self) -> PgResult<String> {
        Ok(sessions::users_but(&self.helper, self.source, self.admin).await?.join(", "))
    }
}
