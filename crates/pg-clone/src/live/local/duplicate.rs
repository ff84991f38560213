//! A copy of a whole database by the server itself: `CREATE DATABASE … TEMPLATE`.
//!
//! The server copies only what nobody is connected to. While it copies, it lets new clients wait, not fail; so nothing has
//! to be closed before, and a run that is killed leaves nothing closed.

use std::pin::pin;
use std::time::Duration;

use crate::adapters::connection::{Server, Session};
use crate::error::{PgError, PgResult};
use crate::ident::quote_ident;
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
    let open = format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true CONNECTION LIMIT -1", quote_ident(copy.name()));
    lock.session().batch_execute(&open).await.map_err(|error| PgError::sql("opening the copy", error))
}

/// Whether `database` is a copy whose comment was never written.
pub(crate) async fn is_unmarked(admin: &Session, database: &str) -> PgResult<bool> {
    let row = admin
        .query_opt(
            "SELECT FROM pg_catalog.pg_database WHERE datname = $1 AND datconnlimit = $2 AND NOT datallowconn",
            &[&database, &UNMARKED_LIMIT],
        )
        .await
        .map_err(|error| PgError::sql("looking at an unmarked database", error))?;
    Ok(row.is_some())
}

async fn copy(server: &Server, admin: &Session, source: &str, name: &str, run: &Run) -> PgResult<u64> {
    run.stop_if_cancelled()?;
    let sql = |error| PgError::sql(format!("copying `{source}`"), error);
    let pid: i32 = admin.query_one("SELECT pg_catalog.pg_backend_pid()", &[]).await.map_err(sql)?.get(0);
    let helper = server.connect_admin_for(source).await?;
    let mut sessions = Sessions { helper, source, admin: pid, ended: Vec::new() };
    sessions.end().await?;
    let create = format!(
        "CREATE DATABASE {} TEMPLATE {} ALLOW_CONNECTIONS false CONNECTION LIMIT {UNMARKED_LIMIT}",
        quote_ident(name),
        quote_ident(source)
    );
    let mut created = pin!(admin.batch_execute(&create));
    let mut failed = None;
    let created = loop {
        tokio::select! {
            created = &mut created => break created,
            () = tokio::time::sleep(TERMINATE_POLL) => {}
        }
        // It must not be left alone half-way: a dropped connection would not stop it.
        if run.cancel.is_cancelled() || failed.is_some() {
            sessions.cancel().await?;
        } else {
            failed = sessions.end().await.err();
        }
    };
    match created {
        Ok(()) => Ok(sessions.ended.len() as u64),
        Err(_) if failed.is_some() => failed.map_or(Ok(0), Err),
        Err(_) if run.cancel.is_cancelled() => Err(PgError::Interrupted),
        Err(error) if error.code().is_some_and(|code| code.code() == IN_USE) => Err(PgError::Refused {
            what: format!("`{source}` cannot be copied while it is used: {}", sessions.left().await?),
            help: "nothing was changed. End them (see pg_stat_activity and pg_prepared_xacts) and run it again"
                .to_owned(),
        }),
        Err(error) => Err(sql(error)),
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
    /// Ends those there are. Autovacuum's end by themselves: the server sees to it.
    async fn end(&mut self) -> PgResult<()> {
        let rows = self
            .helper
            .query(
                "SELECT pid, pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
                 WHERE datname = $1 AND pid NOT IN (pg_catalog.pg_backend_pid(), $2) \
                   AND coalesce(backend_type <> 'autovacuum worker', true)",
                &[&self.source, &self.admin],
            )
            .await
            .map_err(|error| PgError::sql(format!("ending the sessions of `{}`", self.source), error))?;
        for pid in rows.iter().map(|row| row.get(0)) {
            if !self.ended.contains(&pid) {
                self.ended.push(pid);
            }
        }
        Ok(())
    }

    async fn cancel(&self) -> PgResult<()> {
        self.helper
            .query("SELECT pg_catalog.pg_cancel_backend($1)", &[&self.admin])
            .await
            .map_err(|error| PgError::sql("stopping the copy", error))?;
        Ok(())
    }

    /// Who is still there, in words.
    async fn left(&self) -> PgResult<String> {
        let rows = self
            .helper
            .query(
                "SELECT 'server process ' || pid FROM pg_catalog.pg_stat_activity \
                   WHERE datname = $1 AND pid NOT IN (pg_catalog.pg_backend_pid(), $2) \
                 UNION ALL SELECT 'prepared transaction `' || gid || '`' FROM pg_catalog.pg_prepared_xacts \
                   WHERE database = $1",
                &[&self.source, &self.admin],
            )
            .await
            .map_err(|error| PgError::sql("looking who is connected", error))?;
        Ok(rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join(", "))
    }
}
