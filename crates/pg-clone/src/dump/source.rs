//! What a dump reads: the locked tables, the snapshot, and the program that dumps the schema; and the plan of a dump.

use backup_core::failure::Setting;
use backup_core::remedy;
use backup_core::source::Identity;
use jiff::Timestamp;
use serde::Serialize;

use super::estimate;
use super::leader::{self, LOCK_ATTEMPTS_MAX, Leader, Locked};
use super::schema::{self, Moment, SchemaDump, Script};
use super::selection::Selection;
use super::sharing::Snapshot;
use crate::adapters::connection::Server;
use crate::adapters::pg_tools::{Need, Tool};
use crate::adapters::sql::catalog::{self, Relation};
use crate::dump::units::dump_units;
use crate::error::{PgError, PgResult};
use crate::hook::{DUMP_POINTS, PlannedHook};
use crate::options::DumpOptions;
use crate::run::Run;
use crate::stored::key::DumpKey;

/// What a dump would do: what `--dry-run` prints.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DumpPlan {
    /// The key it would get, but for the moment it is taken at.
    pub key: String,
    /// The database.
    pub database: String,
    /// The server, without secrets.
    pub server: String,
    /// Which cluster that is.
    pub cluster: Identity,
    /// The server's version.
    pub server_version: String,
    /// The `pg_dump` it would run.
    pub pg_dump: String,
    /// Tables whose rows it would copy.
    pub tables: u64,
    /// Bytes of those tables on the server.
    pub table_bytes: u64,
    /// Pieces of work they are cut into.
    pub units: u64,
    /// Large objects.
    pub large_objects: u64,
    /// Workers.
    pub jobs: usize,
    /// Why one session copies all rows, whatever was asked for, if that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_session: Option<String>,
    /// Whether nothing is left out on request. Only a complete dump is ever the last good one.
    pub complete: bool,
    /// Tables left out altogether.
    pub excluded: Vec<String>,
    /// Tables whose rows are left out.
    pub emptied: Vec<String>,
    /// Foreign keys to tables whose rows are left out, as `schema.table.key`: one that a row needs cannot be restored.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub doubtful_foreign_keys: Vec<String>,
    /// What would run before, in order.
    pub hooks: Vec<PlannedHook>,
}

/// The locked source and the program that dumps its schema.
pub(super) struct Source<S> {
    pub(super) leader: Leader,
    pub(super) tool: Tool,
    pub(super) large_objects: Vec<u32>,
    /// The dump of the schema.
    pub(super) schema: S,
}

impl<S: SchemaDump> Source<S> {
    pub(super) async fn open(server: &Server, options: &DumpOptions, run: &Run) -> PgResult<Self> {
        for _ in 0..LOCK_ATTEMPTS_MAX {
            let locked = Locked::begin(server, options, run).await?;
            let major = locked.server.major();
            let tool = Tool::find("pg_dump", Need::server(major), options.pg_bin.as_deref()).await?;
            let reader =
                Tool::find("pg_restore", Need::server(major).reading(&tool.version), options.pg_bin.as_deref()).await?;
            let request = schema::Request {
                tool: tool.clone(),
                reader,
                server: server.clone(),
                database: options.database.clone(),
                excluded: locked.selection.excluded.iter().map(Relation::qualified).collect(),
                only: Vec::new(),
            };
            let before = match locked.may_share() {
                Ok(()) => Script::default(),
                Err(_) => S::before(&request, run).await?,
            };
            let snapshot = locked.take_snapshot(run, options).await?;
            let moment = match &snapshot {
                Snapshot::Exported(name) => Moment::Snapshot(name.clone()),
                Snapshot::Kept(_) => Moment::SameAs(before),
            };
            // Before we know what the tables are like: with thousands of them both take seconds.
            let schema = S::start(request, moment, run);
            if let Some(leader) = locked.describe(snapshot, run).await? {
                let large_objects = catalog::large_objects(&leader.session).await?;
                refuse_nothing(server, options, &leader.selection, &large_objects)?;
                estimate::refuse_unpublishable(&leader, options)?;
                return Ok(Self { leader, tool, large_objects, schema });
            }
        }
        Err(leader::changing(options))
    }

    pub(super) fn plan(&self, server: &Server, cluster: Identity, options: &DumpOptions, now: Timestamp) -> DumpPlan {
        let sources = &self.leader.sources;
        DumpPlan {
            key: DumpKey::new(&options.database, now, &options.config).to_string(),
            database: options.database.clone(),
            server: server.describe(),
            cluster,
            server_version: self.leader.server.version.clone(),
            pg_dump: format!("{} ({})", self.tool.path.display(), self.tool.release()),
            tables: sources.len() as u64,
            table_bytes: sources.iter().map(|source| source.table_bytes).sum(),
            units: dump_units(sources, self.leader.server.major()).len() as u64,
            large_objects: self.large_objects.len() as u64,
            jobs: self.leader.one_session().map_or(options.jobs, |_| 1),
            one_session: self.leader.one_session().map(|reason| reason.to_string()),
            complete: !self.leader.selection.leaves_out,
            excluded: self.leader.selection.filters.excluded.clone(),
            emptied: self.leader.selection.filters.emptied.clone(),
            doubtful_foreign_keys: self.leader.selection.filters.doubtful_foreign_keys.clone(),
            hooks: options.hooks.plan(&DUMP_POINTS),
        }
    }
}

/// A database without tables is most often the wrong one, or one that somebody emptied.
pub(super) fn refuse_nothing(
    server: &Server,
    options: &DumpOptions,
    selection: &Selection,
    large_objects: &[u32],
) -> PgResult<()> {
    if options.allow_empty || !large_objects.is_empty() || !selection.is_empty() {
        return Ok(());
    }
    // PostGIS alone has thousands of rows: whether an extension's are the user's, nobody but the user knows.
    let of_extensions = selection.kept.iter().chain(&selection.excluded).next().is_some();
    let nothing = if of_extensions { "tables but those of its extensions" } else { "tables" };
    Err(PgError::Confirm {
        what: format!("`{}` on {} has no {nothing} and no large objects", options.database, server.describe()),
        help: remedy!["nothing was written. If this is the right database, dump it with ", Setting::AllowEmpty],
    })
}
