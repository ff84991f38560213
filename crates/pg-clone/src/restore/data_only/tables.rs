//! The tables of a database that take rows: what they are like, and emptying them.

use crate::adapters::connection::Session;
use crate::adapters::sql::live_tables::{self, Change};
use crate::adapters::sql::target::{self, Target};
use crate::adapters::sql::transaction;
use crate::error::PgResult;
use crate::restore::data_only::changes;
use crate::restore::search_path::{SearchPath, may_need_search_path};
use crate::stored::detail::{SequenceState, TableDump};

/// How long to wait for a table that somebody uses. Whoever comes after us waits behind us: no longer than a dump waits.
pub(super) const LOCK_TIMEOUT_MS: u32 = 30_000;

/// Reads what stands where the rows of these tables, and the values of these sequences, would go.
pub(in crate::restore) async fn read(
    session: &Session,
    wanted: &[TableDump],
    states: &[SequenceState],
    path: SearchPath,
) -> PgResult<Target> {
    let mut target = target::read(session, wanted, states).await?;
    // What an extension says of its rows is read as a dump reads it.
    target::look_for_rows(session, wanted, &mut target.tables, true).await?;
    path.enter(session).await?;
    target::look_for_rows(session, wanted, &mut target.tables, false).await?;
    path.leave(session).await?;
    Ok(target)
}

/// The same by whichever search path it takes, in a session that is in no transaction.
pub(super) async fn read_anyhow(session: &Session, wanted: &[TableDump], states: &[SequenceState]) -> PgResult<Target> {
    match read(session, wanted, states, SearchPath::Empty).await {
        Err(error) if may_need_search_path(&error) => Box::pin(read(session, wanted, states, SearchPath::InUse)).await,
        other => other,
    }
}

/// Removes the rows that are in the way, in the session's transaction; `doing` is what an error says was done.
pub(in crate::restore) async fn empty(
    session: &Session,
    doing: &str,
    wanted: &[TableDump],
    target: &Target,
    path: SearchPath,
) -> PgResult<()> {
    let is_of_extensions = |change: &Change| matches!(change, Change::Delete { .. });
    let (of_extensions, all): (Vec<_>, Vec<_>) = changes::empty(wanted, target).into_iter().partition(is_of_extensions);
    live_tables::make(session, doing, &of_extensions).await?;
    path.enter(session).await?;
    if path == SearchPath::InUse {
        transaction::set_savepoint(session, doing).await?;
    }
    match live_tables::make(session, doing, &all).await {
        // From 17 on TRUNCATE makes indexes under a path of the server's own, whatever we set, and reads the expressions of
        // statistics under it. To delete rows it needs none of them.
        Err(error) if path == SearchPath::InUse && may_need_search_path(&error) => {
            transaction::return_to_savepoint(session, doing).await?;
            live_tables::make(session, doing, &changes::delete(wanted, target)).await?;
        }
        other => other?,
    }
    path.leave(session).await
}
