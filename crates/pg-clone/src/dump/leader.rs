//! The connection that holds a dump together: it locks the tables, *then* exports the snapshot everybody reads.
//!
//! The order is what makes the dump more consistent than `pg_dump`'s own: a TRUNCATE between snapshot and lock would be
//! seen as an empty table, because TRUNCATE is not MVCC-safe (PostgreSQL manual, "Caveats" of MVCC; postgres.md 3.2).

use std::sync::Arc;

use crate::adapters::connection::{Server, Session};
use crate::adapters::sql::catalog::{self, Relation, ViewOn};
use crate::adapters::sql::{page_ranges, session_settings, snapshot, table_locks, transaction, wal_summaries};
use crate::dump::changes::decide::Checkpoint;
use crate::dump::changes::has_summaries;
use crate::dump::readable;
use crate::dump::selection::Selection;
use crate::dump::sharing::{OneSession, Snapshot, may_share_snapshot};
use crate::dump::units::{KEPT_RANGE_BYTES, TableSource, has_several_ranges};
use crate::error::{PgError, PgResult};
use crate::ident::QualifiedName;
use crate::options::DumpOptions;
use crate::pattern::TablePattern;
use crate::run::Run;
use crate::stored::detail::{ForeignKey, ServerInfo};
use backup_core::failure::Setting;
use backup_core::remedy;

/// Tables locked by one statement.
const LOCK_BATCH: usize = 100;

/// Times the list of tables may change under us before we give up: each is a DDL statement in the few milliseconds
/// between listing and locking.
pub(crate) const LOCK_ATTEMPTS_MAX: usize = 5;

/// A transaction with the locks and the snapshot.
#[derive(Debug)]
pub(crate) struct Leader {
    pub(crate) session: Arc<Session>,
    pub(crate) snapshot: Snapshot,
    pub(crate) server: ServerInfo,
    /// The last checkpoint before the snapshot, where it counts and may be asked for.
    pub(crate) checkpoint: Option<Checkpoint>,
    pub(crate) sources: Vec<TableSource>,
    pub(crate) selection: Selection,
    pub(crate) excluded_foreign_keys: Vec<ForeignKey>,
}

/// Locks, and no snapshot yet.
#[derive(Debug)]
pub(crate) struct Locked {
    session: Session,
    pub(crate) server: ServerInfo,
    checkpoint: Option<Checkpoint>,
    range_bytes: u64,
    pub(crate) selection: Selection,
    listed: Vec<Relation>,
}

impl Locked {
    pub(crate) async fn begin(server: &Server, options: &DumpOptions, run: &Run) -> PgResult<Self> {
        let session = server.connect(&options.database).await?;
        for _ in 0..LOCK_ATTEMPTS_MAX {
            let info = catalog::server_info(&session).await?;
            let listed = list(&session, options).await?;
            let selection = select(&listed, options, info.in_recovery);
            session_settings::for_reading(&session).await?;
            // Not in the transaction, whose first query would take its snapshot: before the locks.
            readable::check(&session, &selection).await?;
            let checkpoint = match has_summaries(&info) {
                true => wal_summaries::last_checkpoint(&session).await?,
                false => None,
            };
            snapshot::begin(&session, options.lock_timeout.as_millis()).await?;
            run.step("dump.lock", &options.database);
            if !lock(&session, &selection.kept, server).await? {
                transaction::roll_back(&session, "beginning again").await?;
                continue;
            }
            let range_bytes = match has_summaries(&info) {
                true => options.range_bytes.min(KEPT_RANGE_BYTES),
                false => options.range_bytes,
            };
            return Ok(Self { session, server: info, checkpoint, range_bytes, selection, listed });
        }
        Err(changing(options))
    }

    /// Whether other sessions may see the snapshot. What the server was before the snapshot is what counts: a standby that
    /// is promoted now may still take it in recovery.
    pub(crate) fn may_share(&self) -> Result<(), OneSession> {
        may_share_snapshot(self.server.version_num, self.server.in_recovery)
    }

    /// Takes the snapshot, and exports it where others may import it.
    pub(crate) async fn take_snapshot(&self, run: &Run, options: &DumpOptions) -> PgResult<Snapshot> {
        run.step("dump.snapshot", &options.database);
        match self.may_share() {
            Ok(()) => snapshot::export(&self.session).await.map(Snapshot::Exported),
            Err(reason) => {
                snapshot::take(&self.session).await?;
                Ok(Snapshot::Kept(reason))
            }
        }
    }

    /// Looks whether the snapshot shows the very tables that were locked, and reads what they are like; nothing when they
    /// changed between the two, and all has to be begun again.
    pub(crate) async fn describe(self, snapshot: Snapshot, run: &Run) -> PgResult<Option<Leader>> {
        if !unchanged(&self.session, &self.listed).await? {
            return Ok(None);
        }
        for pattern in &self.selection.unmatched {
            run.progress.warn(format!("no table matches `{pattern}`, so it excludes nothing"));
        }
        let leader = Leader::describe(self.session, snapshot, self.selection, self.range_bytes).await?;
        let leader = Leader { checkpoint: self.checkpoint, ..leader };
        for key in &leader.selection.filters.doubtful_foreign_keys {
            run.progress.warn(format!(
                "the foreign key `{key}` refers to a table whose rows are left out: a restore makes it only if no row \
                 needs them"
            ));
        }
        Ok(Some(leader))
    }
}

/// What a dump would read, and the session that found out.
pub(crate) struct Looked {
    pub(crate) session: Session,
    pub(crate) selection: Selection,
}

/// What a dump would read and may, without locking it.
pub(crate) async fn look(server: &Server, options: &DumpOptions) -> PgResult<Looked> {
    let session = server.connect(&options.database).await?;
    let info = catalog::server_info(&session).await?;
    let listed = list(&session, options).await?;
    session_settings::for_reading(&session).await?;
    let selection = select(&listed, options, info.in_recovery);
    readable::check(&session, &selection).await?;
    Ok(Looked { session, selection })
}

/// The tables change all the time.
pub(crate) fn changing(options: &DumpOptions) -> PgError {
    PgError::TablesChanging {
        what: format!("the tables of `{}` change faster than they can be locked", options.database),
    }
}

impl Leader {
    async fn describe(
        session: Session,
        snapshot: Snapshot,
        mut selection: Selection,
        range_bytes: u64,
    ) -> PgResult<Self> {
        let server = catalog::server_info(&session).await?;
        let with_rows: Vec<&Relation> =
            selection.kept.iter().filter(|relation| selection.with_rows.contains(&relation.oid)).collect();
        let mut sources = catalog::table_sources(&session, &with_rows, range_bytes).await?;
        read_whole_what_cannot_be_planned(&session, &mut sources, server.major()).await?;
        let excluded: Vec<u32> = selection.excluded.iter().map(|relation| relation.oid).collect();
        let excluded_foreign_keys = catalog::foreign_keys_to(&session, &excluded).await?;
        if let Some(ViewOn { view, table }) = catalog::views_on(&session, &excluded).await?.into_iter().next() {
            return Err(PgError::Usage {
                what: format!(
                    "the view `{view}` needs the excluded table `{table}`, and could not be restored \
                               without it"
                ),
                help: remedy![
                    "use ",
                    Setting::ExcludeTableData.with(table),
                    " instead, which keeps the table's definition"
                ],
            });
        }
        if !selection.emptied.is_empty() {
            let doubtful = catalog::foreign_keys_to_emptied(&session, &selection.emptied).await?;
            let doubtful = doubtful.into_iter().filter(|key| !excluded_foreign_keys.contains(key));
            selection.filters.doubtful_foreign_keys =
                doubtful.map(|key| format!("{}.{}.{}", key.schema, key.table, key.name)).collect();
        }
        let session = Arc::new(session);
        Ok(Self { session, snapshot, server, checkpoint: None, sources, selection, excluded_foreign_keys })
    }

    /// Why no other session reads rows, if that is so.
    pub(crate) fn one_session(&self) -> Option<OneSession> {
        match self.snapshot {
            Snapshot::Kept(reason) => Some(reason),
            Snapshot::Exported(_) => None,
        }
    }

    /// Whether the transaction, and with it every lock, still stands. Without it a table may have been truncated unseen.
    pub(crate) async fn still_holds(&self) -> PgResult<()> {
        snapshot::still_holds(&self.session).await
    }
}

/// A table of which the server cannot plan to read ranges is read by one `COPY`, as `pg_dump` reads it. Under the database's
/// search path it could plan it, and would print names without their schemas.
async fn read_whole_what_cannot_be_planned(session: &Session, sources: &mut [TableSource], major: u32) -> PgResult<()> {
    let mut split: Vec<&mut TableSource> =
        sources.iter_mut().filter(|source| has_several_ranges(source, major)).collect();
    let names: Vec<QualifiedName> = split.iter().map(|source| source.qualified_name()).collect();
    let planned = page_ranges::can_be_planned(session, &names).await?;
    for (source, planned) in split.iter_mut().zip(planned) {
        source.by_ranges = planned;
    }
    Ok(())
}

/// The tables, and what an unqualified pattern means if there is one.
async fn list(session: &Session, options: &DumpOptions) -> PgResult<Vec<Relation>> {
    let mut listed = catalog::relations(session).await?;
    if !(options.exclude_table.is_empty() && options.exclude_table_data.is_empty()) {
        catalog::note_visible(session, &mut listed).await?;
    }
    Ok(listed)
}

/// Sorts the tables by the options' patterns. What is said of a partitioned table holds for its partitions.
fn select(relations: &[Relation], options: &DumpOptions, in_recovery: bool) -> Selection {
    let hits = |patterns: &[TablePattern], relation: &Relation| {
        patterns.iter().any(|pattern| {
            relations
                .iter()
                .filter(|other| other.oid == relation.oid || relation.ancestors.contains(&other.oid))
                .any(|other| pattern.matches(&other.schema, &other.name, other.visible))
        })
    };
    let mut selection = Selection::default();
    for relation in relations {
        // Members of an extension are made by CREATE EXTENSION; only configuration rows are ours.
        if relation.extension.as_ref().is_some_and(Option::is_none) {
            continue;
        }
        if hits(&options.exclude_table, relation) {
            selection.filters.excluded.push(relation.label());
            selection.leaves_out = true;
            selection.excluded.push(relation.clone());
            continue;
        }
        selection.kept.push(relation.clone());
        let unreadable = relation.unlogged && in_recovery;
        let on_request = hits(&options.exclude_table_data, relation) || (relation.unlogged && !options.unlogged);
        selection.leaves_out |= on_request;
        if on_request || unreadable {
            selection.filters.emptied.push(relation.label());
            selection.emptied.push(relation.oid);
        } else if !relation.partitioned {
            selection.with_rows.insert(relation.oid);
        }
    }
    let all = options.exclude_table.iter().chain(&options.exclude_table_data);
    selection.unmatched = all
        .filter(|pattern| !relations.iter().any(|r| pattern.matches(&r.schema, &r.name, r.visible)))
        .map(ToString::to_string)
        .collect();
    selection.filters.exclude_table = options.exclude_table.iter().map(ToString::to_string).collect();
    selection.filters.exclude_table_data = options.exclude_table_data.iter().map(ToString::to_string).collect();
    selection
}

/// Locks the tables; false when one of them vanished.
async fn lock(session: &Session, relations: &[Relation], server: &Server) -> PgResult<bool> {
    for batch in relations.chunks(LOCK_BATCH) {
        let names: Vec<QualifiedName> = batch.iter().map(Relation::qualified_name).collect();
        if let Err(error) = table_locks::share(session, &names).await {
            match error.sqlstate().unwrap_or_default() {
                // undefined_table, invalid_schema_name: dropped since it was listed; deadlock_detected: a migration locks
                // the same tables in another order.
                "42P01" | "3F000" | "40P01" => return Ok(false),
                table_locks::NOT_AVAILABLE => return Err(locked_by_others(server, batch).await),
                _ => return Err(error),
            }
        }
    }
    Ok(true)
}

/// Says what to do when the server's lock table is full, whoever of leader, workers and `pg_dump` was the one to find it.
pub(crate) fn explained(error: PgError) -> PgError {
    /// `out_of_memory`, of shared memory (PostgreSQL manual, appendix A).
    const OUT_OF_MEMORY: &str = "53200";
    /// The setting that `pg_dump` hands on from the server's hint.
    const SETTING: &str = "max_locks_per_transaction";
    let is_full = match &error {
        PgError::Sql { sqlstate, message, .. } => sqlstate == OUT_OF_MEMORY && message.contains(SETTING),
        PgError::Tool { help, .. } => help.to_string().contains(SETTING),
        _ => false,
    };
    if !is_full {
        return error;
    }
    PgError::LockTableFull
}

async fn locked_by_others(server: &Server, batch: &[Relation]) -> PgError {
    let oids: Vec<u32> = batch.iter().map(|relation| relation.oid).collect();
    let holders = async {
        let session = server.connect_admin().await.ok()?;
        Some(table_locks::exclusive_holders(&session, &oids).await.ok()?.join(", "))
    };
    let holders = holders.await.filter(|text| !text.is_empty()).unwrap_or_else(|| "another session".to_owned());
    PgError::TableLocked { holders }
}

/// Whether the snapshot shows the very tables that were listed and locked.
async fn unchanged(session: &Session, listed: &[Relation]) -> PgResult<bool> {
    let now = catalog::relations(session).await?;
    let essence = |relations: &[Relation]| -> Vec<_> {
        relations.iter().map(|r| (r.oid, r.schema.clone(), r.name.clone(), r.filenode)).collect()
    };
    Ok(essence(&now) == essence(listed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_lock_table_is_told_from_other_failures() {
        let said =
            |help: &'static str| PgError::Tool { program: "pg_dump".into(), how: "failed".into(), help: help.into() };
        let full = "ERROR:  out of shared memory\nHINT:  You might need to increase max_locks_per_transaction.";
        assert!(matches!(explained(said(full)), PgError::LockTableFull));
        assert!(matches!(explained(said("ERROR:  out of memory")), PgError::Tool { .. }));
        let sql = |sqlstate: &str, message: &str| PgError::Sql {
            doing: "locking".into(),
            message: message.into(),
            sqlstate: sqlstate.into(),
            help: None,
        };
        assert!(matches!(explained(sql("53200", full)), PgError::LockTableFull));
        assert!(matches!(explained(sql("53200", "out of memory")), PgError::Sql { .. }));
    }
}
