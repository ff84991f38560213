//! The swap: the complete copy takes the live database's name in one transaction.
//!
//! Clients are turned away first and their sessions ended, because a rename waits for every session of the database and
//! polls only ten times a second (postgres.md 2.3: 16 ms instead of 120). What is going on stands in the copy's
//! comment before the door is closed, so that [`crate::recover`] can open it again after a kill.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use crate::adapters::connection::{Server, Session};
use crate::error::{PgError, PgResult};
use crate::ident::{quote_ident, quote_literal};
use crate::run::Run;
use crate::settings::DatabaseSettings;
use crate::state::{Live, State, temporary_name};
use crate::temporary::{Temporary, comment, drop_database};

/// How long sessions may take to end before we give up and let everybody in again: a backend notices at its next
/// interrupt check, which is milliseconds away unless it is stuck in the kernel.
const TERMINATE_TIMEOUT: Duration = Duration::from_secs(5);

/// Between looks at who is still there.
const TERMINATE_POLL: Duration = Duration::from_millis(2);

/// Most time the renames may wait for locks: nobody else should hold any.
const RENAME_LOCK_TIMEOUT: &str = "2s";

/// Which copy is to replace which database.
#[derive(Debug)]
pub struct SwapRequest<'a> {
    temporary: &'a Temporary,
    target: &'a str,
    settings: Option<&'a DatabaseSettings>,
    force: bool,
}

impl<'a> SwapRequest<'a> {
    /// `temporary` is to become `target`, with the comment and connection limit of `settings`. `force` swaps although
    /// replication slots or subscriptions are bound to the live database.
    #[must_use]
    pub fn new(temporary: &'a Temporary, target: &'a str, settings: Option<&'a DatabaseSettings>, force: bool) -> Self {
        Self { temporary, target, settings, force }
    }
}

/// What a swap did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SwapReport {
    /// Whether a live database was replaced.
    pub replaced: bool,
    /// Milliseconds from the door closing to the new database answering to the name.
    pub outage_ms: u64,
    /// Sessions that were ended.
    pub terminated: u64,
}

/// Swaps. The caller holds the target's lock ([`crate::target_lock::TargetLock`]).
///
/// # Errors
/// [`PgError`]; on every one of them the live database is as it was and accepts connections.
pub async fn swap(server: &Server, request: &SwapRequest<'_>, run: &Run) -> PgResult<SwapReport> {
    let admin = server.connect_admin_for(request.target).await?;
    let live = live(&admin, request.target).await?;
    if live.is_some() {
        check_bound(&admin, request).await?;
    }
    run.step("swap.mark", request.target);
    let state = State::Swapping { target: request.target.to_owned(), live: live.clone(), since: Timestamp::now() };
    comment(&admin, request.temporary.name(), Some(&state.to_comment())).await?;
    let switched = switch(&admin, request, live.as_ref(), run).await;
    let (report, old) = match switched {
        Ok(done) => done,
        Err(error) => settle(server, request, live.as_ref(), error).await?,
    };
    run.step("swap.committed", request.target);
    verify(server, request).await?;
    if let Some(old) = old {
        run.step("swap.drop", &old);
        // The new database is live whatever becomes of the old one.
        let admin = server.connect_admin_for(request.target).await?;
        if let Err(error) = drop_database(&admin, &old).await {
            run.progress.warn(format!(
                "the replaced database could not be dropped ({error}): `lastgood pg recover` does it later"
            ));
        }
    }
    Ok(report)
}

async fn live(admin: &Session, target: &str) -> PgResult<Option<Live>> {
    let row = admin
        .query_opt("SELECT oid, datallowconn, datistemplate FROM pg_catalog.pg_database WHERE datname = $1", &[&target])
        .await
        .map_err(|error| PgError::sql("looking at the live database", error))?;
    let Some(row) = row else { return Ok(None) };
    if row.get(2) {
        return Err(PgError::Refused {
            what: format!("`{target}` is a template database"),
            help: "restore into another name with --into; nothing was changed".to_owned(),
        });
    }
    Ok(Some(Live { oid: row.get(0), allow_connections: row.get(1) }))
}

/// What is tied to the live database and would break or block.
async fn check_bound(admin: &Session, request: &SwapRequest<'_>) -> PgResult<()> {
    let row = admin
        .query_one(
            "SELECT (SELECT count(*) FROM pg_catalog.pg_prepared_xacts WHERE database = $1), \
               (SELECT count(*) FROM pg_catalog.pg_replication_slots WHERE database = $1), \
               (SELECT count(*) FROM pg_catalog.pg_stat_activity \
                WHERE datname = $1 AND backend_type LIKE 'logical replication%')",
            &[&request.target],
        )
        .await
        .map_err(|error| PgError::sql("checking what is bound to the live database", error))?;
    let [prepared, slots, subscribers]: [i64; 3] = [row.get(0), row.get(1), row.get(2)];
    let target = request.target;
    if prepared > 0 {
        return Err(PgError::Refused {
            what: format!("`{target}` has {prepared} prepared transactions, which would keep it from being renamed"),
            help: "COMMIT PREPARED or ROLLBACK PREPARED them (see pg_prepared_xacts); nothing was changed".to_owned(),
        });
    }
    if slots + subscribers > 0 && !request.force {
        return Err(PgError::Refused {
            what: format!("logical replication is bound to `{target}` ({slots} slots, {subscribers} workers)"),
            help: "drop the slots or disable the subscriptions, or say --force; nothing was changed".to_owned(),
        });
    }
    Ok(())
}

/// Closes the door, empties the rooms, exchanges the names.
async fn switch(
    admin: &Session,
    request: &SwapRequest<'_>,
    live: Option<&Live>,
    run: &Run,
) -> PgResult<(SwapReport, Option<String>)> {
    let copy = request.temporary.name();
    run.step("swap.forbid", request.target);
    let closed = Instant::now();
    let mut close = format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", quote_ident(copy));
    if live.is_some() {
        close = format!("ALTER DATABASE {} ALLOW_CONNECTIONS false; {close}", quote_ident(request.target));
    }
    admin.batch_execute(&close).await.map_err(|error| PgError::sql("turning clients away", error))?;
    run.step("swap.terminate", request.target);
    let terminated = terminate(admin, &[request.target, copy]).await?;
    run.step("swap.rename", request.target);
    let old = live.map(|_| temporary_name(request.target));
    admin
        .batch_execute(&rename_statements(request, live, old.as_deref()))
        .await
        .map_err(|error| PgError::sql("exchanging the names", error))?;
    let outage_ms = u64::try_from(closed.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok((SwapReport { replaced: live.is_some(), outage_ms, terminated }, old))
}

/// The one transaction.
fn rename_statements(request: &SwapRequest<'_>, live: Option<&Live>, old: Option<&str>) -> String {
    let target = quote_ident(request.target);
    let mut statements = vec!["BEGIN".to_owned(), format!("SET LOCAL lock_timeout = '{RENAME_LOCK_TIMEOUT}'")];
    if let Some(old) = old {
        let old = quote_ident(old);
        let state = State::Superseded {
            target: request.target.to_owned(),
            by: request.temporary.oid(),
            comment: request.settings.and_then(|settings| settings.comment.clone()),
            since: Timestamp::now(),
        };
        statements.push(format!("ALTER DATABASE {target} RENAME TO {old}"));
        statements.push(format!("COMMENT ON DATABASE {old} IS {}", quote_literal(&state.to_comment())));
    }
    statements.push(format!("ALTER DATABASE {} RENAME TO {target}", quote_ident(request.temporary.name())));
    let comment = request.settings.and_then(|settings| settings.comment.as_deref());
    let comment = comment.map_or_else(|| "NULL".to_owned(), quote_literal);
    statements.push(format!("COMMENT ON DATABASE {target} IS {comment}"));
    let limit = request.settings.map_or(-1, |settings| settings.connection_limit);
    let allow = live.is_none_or(|live| live.allow_connections);
    statements.push(format!("ALTER DATABASE {target} WITH CONNECTION LIMIT {limit} ALLOW_CONNECTIONS {allow}"));
    statements.push("COMMIT".to_owned());
    statements.join("; ")
}

/// Ends every session of the databases; returns how many there were.
async fn terminate(admin: &Session, databases: &[&str]) -> PgResult<u64> {
    let deadline = Instant::now() + TERMINATE_TIMEOUT;
    let mut ended = std::collections::BTreeSet::new();
    loop {
        let rows = admin
            .query(
                "SELECT pid, pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
                 WHERE datname = ANY ($1) AND pid <> pg_catalog.pg_backend_pid()",
                &[&databases],
            )
            .await
            .map_err(|error| PgError::sql("ending the sessions of the live database", error))?;
        if rows.is_empty() {
            return Ok(ended.len() as u64);
        }
        ended.extend(rows.iter().map(|row| row.get::<_, i32>(0)));
        if Instant::now() > deadline {
            let pids: Vec<String> = rows.iter().map(|row| row.get::<_, i32>(0).to_string()).collect();
            return Err(PgError::Refused {
                what: format!("server processes {} do not end", pids.join(", ")),
                help: "the live database is open again and unchanged; end them and run the restore again".to_owned(),
            });
        }
        tokio::time::sleep(TERMINATE_POLL).await;
    }
}

/// After an error: finds out whether the switch happened all the same (the answer to COMMIT may have been lost), and
/// otherwise opens the door again.
async fn settle(
    server: &Server,
    request: &SwapRequest<'_>,
    live: Option<&Live>,
    error: PgError,
) -> PgResult<(SwapReport, Option<String>)> {
    let Ok(admin) = server.connect_admin_for(request.target).await else { return Err(error) };
    let now = admin
        .query_opt("SELECT oid FROM pg_catalog.pg_database WHERE datname = $1", &[&request.target])
        .await
        .map_err(|error| PgError::sql("looking which database is live", error))?
        .map(|row| row.get::<_, u32>(0));
    if now == Some(request.temporary.oid()) {
        let old = match live {
            None => None,
            Some(live) => admin
                .query_opt("SELECT datname::text FROM pg_catalog.pg_database WHERE oid = $1", &[&live.oid])
                .await
                .map_err(|error| PgError::sql("looking for the replaced database", error))?
                .map(|row| row.get(0)),
        };
        return Ok((SwapReport { replaced: live.is_some(), ..SwapReport::default() }, old));
    }
    if live.is_some_and(|live| live.allow_connections) {
        let open = format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", quote_ident(request.target));
        admin.batch_execute(&open).await.map_err(|error| PgError::sql("letting clients in again", error))?;
    }
    Err(error)
}

/// The name must now mean the copy.
async fn verify(server: &Server, request: &SwapRequest<'_>) -> PgResult<()> {
    let admin = server.connect_admin_for(request.target).await?;
    let row = admin
        .query_opt("SELECT oid FROM pg_catalog.pg_database WHERE datname = $1", &[&request.target])
        .await
        .map_err(|error| PgError::sql("verifying the swap", error))?;
    match row.map(|row| row.get::<_, u32>(0)) {
        Some(oid) if oid == request.temporary.oid() => Ok(()),
        other => Err(PgError::Mismatch {
            what: format!("`{}` should be oid {} and is {other:?}", request.target, request.temporary.oid()),
        }),
    }
}
