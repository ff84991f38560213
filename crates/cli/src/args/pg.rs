//! Arguments of `lastgood pg`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::hooks::{AllHooks, DumpHooks, RestoreHooks};
use crate::args::retention::{Keep, Unfinished};
use crate::args::server::ServerArgs;
use crate::args::{DryRun, Init};
use crate::env;

/// Commands about PostgreSQL.
#[derive(Debug, Subcommand)]
pub(crate) enum Pg {
    /// Dump a database
    Dump(Dump),
    /// List the dumps, newest last, or with --local the databases of the server
    #[command(visible_alias = "list")]
    Ls(Ls),
    /// Show what a dump holds
    Show(Show),
    /// Check that what is stored still has its hashes
    Verify(Verify),
    /// Restore a dump or a local database: over a live one through a temporary one and a swap, or into a new one
    Restore(Restore),
    /// Copy a database on its server; it cannot be reached meanwhile, so a protected one is not copied
    Copy(Copy),
    /// Drop a local copy
    DropLocal(DropLocal),
    /// Finish or undo what a killed restore left on the server
    Recover(Recover),
    /// Delete the dumps that no rule keeps
    Prune(Prune),
    /// Try hooks on a scratch database, or print one that lastgood brings along
    #[command(subcommand)]
    Hooks(Hooks),
}

/// Where the PostgreSQL programs are.
#[derive(Clone, Debug, Args)]
pub(crate) struct Tools {
    /// Folder of `pg_dump` and `pg_restore` [default: the installation that matches the server]
    #[arg(long, value_name = "DIR", env = env::PG_BIN)]
    pub(crate) pg_bin: Option<PathBuf>,
}

/// How long things may take.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Limits {
    /// How long a statement may take, such as 2h; 0 for ever [default: 0]
    #[arg(long, value_name = "TIME")]
    pub(crate) statement_timeout: Option<String>,
}

/// Arguments of `pg dump`.
#[derive(Debug, Args)]
pub(crate) struct Dump {
    /// Database name, connection string or URL without password [default: PGDATABASE, or the one of the URL in the
    /// environment]
    pub(crate) database: Option<String>,
    /// Name of the configuration, part of the dump's key; `[pg.configs.NAME]` of the configuration file counts
    #[arg(long, value_name = "NAME", default_value = pg_clone::config::CONFIG_DEFAULT)]
    pub(crate) config: String,
    /// Connections that copy at the same time [default: one more than cores, up to 4]
    #[arg(short, long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Leave out these tables; a pattern as of `pg_dump`, repeatable
    #[arg(long, value_name = "TABLE")]
    pub(crate) exclude_table: Vec<String>,
    /// Leave out the rows of these tables; a pattern as of `pg_dump`, repeatable
    #[arg(long, value_name = "TABLE")]
    pub(crate) exclude_table_data: Vec<String>,
    /// How long to wait for the lock of a table, such as 30s or 5m; 0 for ever [default: 30s]
    #[arg(long, value_name = "TIME")]
    pub(crate) lock_timeout: Option<String>,
    #[command(flatten)]
    pub(crate) limits: Limits,
    /// Label for `prune --keep-tag`, repeatable
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Vec<String>,
    /// Dump a database that has no tables, too
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Publish nothing if rows or bytes fell by more than so many percent since the last complete dump; a fall by more
    /// than 50 % is told without it
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) max_shrink: Option<u8>,
    #[command(flatten)]
    pub(crate) init: Init,
    #[command(flatten)]
    pub(crate) hooks: DumpHooks,
    #[command(flatten)]
    pub(crate) tools: Tools,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Which cluster a dump was taken from.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct OfCluster {
    /// Only dumps of this cluster: its host or id as `pg ls` and `pg show` print them, or `unknown` for those that do not
    /// say
    #[arg(long, value_name = "HOST|ID")]
    pub(crate) cluster: Option<String>,
}

/// Arguments of `pg ls`.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Only dumps of this database
    pub(crate) database: Option<String>,
    /// Only dumps of this configuration
    #[arg(long, value_name = "NAME", conflicts_with = "local")]
    pub(crate) config: Option<String>,
    #[command(flatten)]
    pub(crate) of: OfCluster,
    /// Print the names of the databases that have dumps, and nothing else
    #[arg(long)]
    pub(crate) only_db_names: bool,
    /// List the databases of the server instead: what each is for, from what, since when
    #[arg(long, conflicts_with = "only_db_names")]
    pub(crate) local: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Arguments of `pg show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The dump's key, a database for its latest complete dump, or DATABASE~1 for the one before
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) of: OfCluster,
}

/// Arguments of `pg verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The dump's key, a database for its latest complete dump, or DATABASE~1 for the one before
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) of: OfCluster,
    /// Read everything (`all`) or the n-th of t shares (`n/t`) and compare with the hashes; without it only presence and
    /// size are compared
    #[arg(long, value_name = "all|n/t")]
    pub(crate) read: Option<String>,
}

/// Arguments of `pg restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The dump's key, a database (or its URL without password) for its latest complete dump, or DATABASE~1 for the one
    /// before; or :previous, :current (:pre, :post) or :NAME for a local database
    #[arg(value_name = "KEY|DATABASE|:LOCAL", required_unless_present = "dbname")]
    pub(crate) wanted: Option<String>,
    /// Database to restore into [default: the one that was dumped]
    #[arg(long, value_name = "DATABASE")]
    pub(crate) into: Option<String>,
    /// Only dumps of this configuration; it may be one that leaves something out. Its settings in the configuration file
    /// (`[pg.configs.NAME]`) are used, too
    #[arg(long, value_name = "NAME")]
    pub(crate) config: Option<String>,
    #[command(flatten)]
    pub(crate) of: OfCluster,
    /// Confirm that the live database of this name is replaced
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm_database: Option<String>,
    /// Keep the replaced database as :previous and a copy of the restored one as :current; without it both vanish
    #[arg(long)]
    pub(crate) reversible: bool,
    /// Connections that load at the same time [default: one a core, from 2 to 4]
    #[arg(short, long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    #[command(flatten)]
    pub(crate) limits: Limits,
    /// The server is a managed one (RDS, Cloud SQL, Azure): leave out, with a warning, what only its superuser may do
    #[arg(long)]
    pub(crate) managed: bool,
    /// Leave out who owns what
    #[arg(long)]
    pub(crate) no_owner: bool,
    /// Leave out privileges
    #[arg(long)]
    pub(crate) no_acl: bool,
    #[command(flatten)]
    pub(crate) part: Part,
    /// Keep the temporary database when the restore fails
    #[arg(long)]
    pub(crate) keep_failed: bool,
    /// Swap although replication slots or subscriptions are bound to the live database
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) hooks: RestoreHooks,
    #[command(flatten)]
    pub(crate) tools: Tools,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Commands about hooks.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant)] // made once a run
pub(crate) enum Hooks {
    /// Run hooks on a scratch database, say what each did, and drop it; nothing is switched
    Test(Box<HooksTest>),
    /// Print the SQL file that prepares a database on Amazon RDS for `pg dump --pre-dump-sql`
    RdsPrep,
}

/// Arguments of `pg hooks test`.
#[derive(Debug, Args)]
pub(crate) struct HooksTest {
    /// Database, connection string or URL of the server; the hooks are told that it is about this database [default:
    /// from the environment]
    pub(crate) database: Option<String>,
    /// Make the scratch database of this dump, or of the latest complete one of a database, as a restore would [default: an
    /// empty one]
    #[arg(long, value_name = "KEY|DATABASE")]
    pub(crate) from: Option<String>,
    /// `[pg.configs.NAME]` of the configuration file whose hooks run, too
    #[arg(long, value_name = "NAME", default_value = pg_clone::config::CONFIG_DEFAULT)]
    pub(crate) config: String,
    #[command(flatten)]
    pub(crate) hooks: AllHooks,
    #[command(flatten)]
    pub(crate) tools: Tools,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Arguments of `pg copy`.
#[derive(Debug, Args)]
pub(crate) struct Copy {
    /// Database to copy, as `ls --local` shows it; its sessions are ended, and new ones wait until it is copied
    pub(crate) source: String,
    /// Name of the copy
    pub(crate) target: String,
    /// Confirm that the database of this name is replaced by the copy
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm_database: Option<String>,
    /// Replace the target although replication slots or subscriptions are bound to it
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Arguments of `pg drop-local`.
#[derive(Debug, Args)]
pub(crate) struct DropLocal {
    /// Copy to drop, as `ls --local` shows it
    pub(crate) name: String,
    /// Confirm that this database is dropped, although lastgood did not make it
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm_database: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Which part of a dump is restored.
#[derive(Debug, Args)]
#[command(next_help_heading = "A part of the dump")]
pub(crate) struct Part {
    /// Only the rows of these tables; a pattern as of `pg_dump`, repeatable. What is replaced is replaced as a whole
    #[arg(long = "table", value_name = "TABLE")]
    pub(crate) tables: Vec<String>,
    /// Only the rows of tables in these schemas, and of those named by --table; repeatable
    #[arg(long = "schema", value_name = "SCHEMA")]
    pub(crate) schemas: Vec<String>,
    /// Not the rows of these tables, whatever --table and --schema say; repeatable
    #[arg(long = "exclude-table", value_name = "TABLE")]
    pub(crate) exclude_tables: Vec<String>,
    /// No rows, no values of sequences, no large objects
    #[arg(long)]
    pub(crate) schema_only: bool,
    /// Nothing but rows and values of sequences, into the tables that the live database has: all in one transaction, or
    /// nothing. No hook runs
    #[arg(long, conflicts_with_all = ["schema_only", "reversible", "excluded"])]
    pub(crate) data_only: bool,
    /// With --data-only: remove the rows that the selected tables hold; without it these tables must be empty
    #[arg(long, requires = "data_only")]
    pub(crate) replace_rows: bool,
    /// With --data-only: let the hooks of the configuration be, which otherwise stand against it
    #[arg(long, requires = "data_only")]
    pub(crate) no_hooks: bool,
    /// Tables that are not selected: made without rows (`keep-empty`), or not made, with all that cannot be without them
    /// (`drop`) [default: keep-empty]
    #[arg(long, value_name = "keep-empty|drop")]
    pub(crate) excluded: Option<String>,
}

/// Arguments of `pg recover`.
#[derive(Debug, Args)]
pub(crate) struct Recover {
    /// Database, connection string or URL of the server [default: from the environment]
    pub(crate) database: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Arguments of `pg prune`.
#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Only dumps of this database
    pub(crate) database: Option<String>,
    /// Only dumps of this configuration
    #[arg(long, value_name = "NAME")]
    pub(crate) config: Option<String>,
    #[command(flatten)]
    pub(crate) of: OfCluster,
    #[command(flatten)]
    pub(crate) unfinished: Unfinished,
    /// Hold the rules against single-file dumps of django-pgclone, too
    #[arg(long)]
    pub(crate) include_legacy: bool,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
    #[command(flatten)]
    pub(crate) keep: Keep,
}
