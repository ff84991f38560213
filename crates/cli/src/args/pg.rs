//! Arguments of `lastgood pg`.

pub(crate) mod of_cluster;
pub(crate) mod tags;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};
use lastgood_operator::settings::time;
use pg_clone::dump::Incremental;
use pg_clone::ident::QualifiedName;
use pg_clone::options::LocaleProvider;
use pg_clone::restore::outside::Outside;
use pg_clone::restore::selection::Excluded;
use pg_clone::stored::verify::ReadAmount;

use crate::args::common::{DryRun, Init};
use crate::args::hooks::{AllHooks, DumpHooks, RestoreHooks};
use crate::args::pg::of_cluster::OfCluster;
use crate::args::retention::{Keep, Unfinished};
use crate::args::server::ServerArgs;
use crate::env;

/// Commands about PostgreSQL.
#[derive(Debug, Subcommand)]
pub(crate) enum Pg {
    /// Dump a database
    Dump(Dump),
    /// List dumps, newest last, or with --local the databases on the server
    #[command(visible_alias = "list")]
    Ls(Ls),
    /// Show details of a dump
    Show(Show),
    /// Check that dumps are present and undamaged
    Verify(Verify),
    /// Restore a dump or a local copy, into a new database or over a live one
    Restore(Restore),
    /// Copy a database on its server, disconnecting its clients while it is copied
    Copy(Copy),
    /// Drop a local copy
    DropLocal(DropLocal),
    /// Finish or undo what a killed restore left on the server
    Recover(Recover),
    /// Delete dumps not kept by any retention rule, and leftovers of interrupted runs
    Prune(Prune),
    /// Tag dumps, take tags from them, or list tags
    #[command(subcommand)]
    Tag(tags::Tag),
    /// Test hooks on a scratch database, or print a built-in one
    #[command(subcommand)]
    Hooks(Hooks),
}

/// Where the PostgreSQL programs are.
#[derive(Clone, Debug, Args)]
pub(crate) struct Tools {
    /// Folder of `pg_dump` and `pg_restore` [default: the installation that matches the server's version]
    #[arg(long, value_name = "DIR", env = env::PG_BIN)]
    pub(crate) pg_bin: Option<PathBuf>,
}

/// How long things may take.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Limits {
    /// Maximum time for one SQL statement, such as 2h; 0 means no limit [default: 0]
    #[arg(long, value_name = "TIME", value_parser = time::timeout)]
    pub(crate) statement_timeout: Option<Duration>,
}

/// When a dump keeps rows without reading them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum WhenIncremental {
    /// Wherever it is proven that they did not change
    #[default]
    Auto,
    /// The same, and fail if nothing can be kept at all
    Require,
    /// Never: read all rows, and store only what is new
    Never,
}

impl From<WhenIncremental> for Incremental {
    fn from(when: WhenIncremental) -> Self {
        match when {
            WhenIncremental::Auto => Self::WhereProven,
            WhenIncremental::Require => Self::Require,
            WhenIncremental::Never => Self::Never,
        }
    }
}

/// A share in per cent.
fn share(text: &str) -> Result<u8, String> {
    let percent =
        text.strip_suffix('%').unwrap_or(text).trim().parse().ok().filter(|percent| (1..=100).contains(percent));
    percent.ok_or_else(|| "use 1% to 100%".to_owned())
}

/// Arguments of `pg dump`.
#[derive(Debug, Args)]
pub(crate) struct Dump {
    /// Database name, or a connection string or URL without a password [default: PGDATABASE, or the database of the URL in
    /// the environment]
    pub(crate) database: Option<String>,
    /// Configuration to use, `[pg.configs.NAME]` in the configuration file; its name becomes part of the dump's key
    #[arg(long, value_name = "NAME", default_value = pg_clone::options::CONFIG_DEFAULT)]
    pub(crate) config: String,
    /// Number of parallel connections [default: one more than there are cores, at most 4]
    #[arg(short, long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Leave out tables that match this pattern, as in `pg_dump`; repeatable
    #[arg(long, value_name = "TABLE")]
    pub(crate) exclude_table: Vec<String>,
    /// Leave out the rows of tables that match this pattern, as in `pg_dump`; repeatable
    #[arg(long, value_name = "TABLE")]
    pub(crate) exclude_table_data: Vec<String>,
    /// Leave out settings of the database (`ALTER DATABASE … SET`) whose names match this pattern, such as `app.*_secret`:
    /// whoever can read the location can read the others; repeatable
    #[arg(long, value_name = "SETTING")]
    pub(crate) exclude_setting: Vec<String>,
    /// Maximum time to wait for a table lock, such as 30s or 5m; 0 means no limit [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = time::timeout)]
    pub(crate) lock_timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) limits: Limits,
    /// Tag the dump, such as `keep` or `release=1.4`, for `pg ls --tag` and `pg prune --keep-tag`; repeatable. `pg tag add` tags
    /// it later
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Vec<String>,
    /// Read and store everything, also what an earlier dump of the database has stored
    #[arg(long, conflicts_with = "incremental")]
    pub(crate) full: bool,
    /// Whether rows are kept that did not change since an earlier dump, without reading them: PostgreSQL 17 and newer say so
    /// where `summarize_wal` is on
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub(crate) incremental: WhenIncremental,
    /// Read this share of what could be kept, such as 5%, and compare it; if it differs, read everything
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) verify_source: Option<u8>,
    /// Dump the database even if it has no tables
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Refuse to publish if rows or bytes fell by more than this many percent since the last complete dump; by default a fall
    /// of more than 50 % only causes a warning
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
    /// Only dumps with this tag, or with any value of this key; repeatable: dumps that have all of them
    #[arg(long = "tag", value_name = "KEY[=VALUE]", conflicts_with_all = ["local", "only_db_names"])]
    pub(crate) tags: Vec<String>,
    /// Print only the names of the databases that have dumps
    #[arg(long)]
    pub(crate) only_db_names: bool,
    /// List the databases on the server instead, with their role, size, age and origin
    #[arg(long, conflicts_with = "only_db_names")]
    pub(crate) local: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Arguments of `pg show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Key of a dump, a database name for its latest complete dump, DATABASE~1 for the one before, or DATABASE@TIME for the
    /// newest from that time or before, such as shop@2026-11-21T03:00:00Z
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) of: OfCluster,
}

/// Arguments of `pg verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Keys of dumps; or a database name for its latest complete dump, DATABASE~1 for the one before, or DATABASE@TIME for the
    /// newest from that time or before, such as shop@2026-11-21T03:00:00Z
    #[arg(value_name = "KEY", required_unless_present = "all")]
    pub(crate) keys: Vec<String>,
    /// Every dump in the location
    #[arg(long, conflicts_with = "keys")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) of: OfCluster,
    /// Read everything (`all`), or the n-th of t shares (`n/t`), and compare it with its digests [default: check only presence
    /// and size]
    #[arg(long, value_name = "all|n/t", value_parser = read_amount)]
    pub(crate) read: Option<ReadAmount>,
    /// Also restore it into a scratch database on the server, without hooks, and drop that: finds what the server would refuse
    #[arg(long)]
    pub(crate) restorable: bool,
    /// With --restorable: allow the dump's schema to do this outside of the scratch database; repeatable
    #[arg(long, value_name = "WHAT", value_parser = outside(), requires = "restorable")]
    pub(crate) allow_outside: Vec<Outside>,
    #[command(flatten)]
    pub(crate) tools: Tools,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Arguments of `pg restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// Key of a dump; a database name (or URL without a password) for its latest complete dump, DATABASE~1 for the one before,
    /// or DATABASE@TIME for the newest from that time or before, such as shop@2026-11-21T03:00:00Z; or a database on the
    /// server: :previous, :current (also :pre, :post) or :NAME
    #[arg(value_name = "KEY|DATABASE|:LOCAL", required_unless_present = "dbname")]
    pub(crate) wanted: Option<String>,
    /// Database to restore into [default: the database that was dumped]
    #[arg(long, value_name = "DATABASE")]
    pub(crate) into: Option<String>,
    /// Restore a dump of this configuration, even if it leaves something out, and use its settings, `[pg.configs.NAME]` in the
    /// configuration file
    #[arg(long, value_name = "NAME")]
    pub(crate) config: Option<String>,
    #[command(flatten)]
    pub(crate) of: OfCluster,
    /// Confirm that the live database with this name may be replaced
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm_database: Option<String>,
    /// Keep the replaced database as :previous and a copy of the restored one as :current [default: drop both]
    #[arg(long)]
    pub(crate) reversible: bool,
    /// Carry this table of the live database over into the restored one, with its rows and sequences, instead of restoring it;
    /// repeatable
    #[arg(long, value_name = "SCHEMA.TABLE", conflicts_with = "data_only")]
    pub(crate) carry_over: Vec<QualifiedName>,
    /// Number of parallel connections [default: as many as there are cores, at least 2 and at most 4]
    #[arg(short, long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    #[command(flatten)]
    pub(crate) limits: Limits,
    /// For managed servers (RDS, Cloud SQL, Azure): skip, with a warning, what only the service's superuser may restore
    #[arg(long)]
    pub(crate) managed: bool,
    /// Do not restore ownership
    #[arg(long)]
    pub(crate) no_owner: bool,
    /// Do not restore privileges
    #[arg(long)]
    pub(crate) no_acl: bool,
    /// Restore everything into the database's own tablespace
    #[arg(long, conflicts_with = "data_only")]
    pub(crate) no_tablespaces: bool,
    /// Create the database with this locale [default: the dump's]
    #[arg(long, value_name = "LOCALE", conflicts_with = "data_only")]
    pub(crate) locale: Option<String>,
    /// Create the database with a locale of this provider, libc, icu or builtin [default: the dump's]
    #[arg(long, value_name = "PROVIDER", conflicts_with = "data_only")]
    pub(crate) locale_provider: Option<LocaleProvider>,
    #[command(flatten)]
    pub(crate) part: Part,
    /// Keep the temporary database if the restore fails
    #[arg(long)]
    pub(crate) keep_failed: bool,
    /// If the server refuses some objects, restore the rest, list what is missing (in the report and in the database's
    /// comment) and end with exit code 3
    #[arg(long)]
    pub(crate) allow_incomplete: bool,
    /// If newer dumps cannot be read now, restore the newest that can, and say which were skipped
    #[arg(long)]
    pub(crate) allow_older: bool,
    /// Confirm that even an incomplete copy may replace the live database with this name
    #[arg(long, value_name = "NAME", requires = "allow_incomplete")]
    pub(crate) confirm_incomplete: Option<String>,
    /// Swap even if replication slots or subscriptions use the live database
    #[arg(long)]
    pub(crate) force: bool,
    /// Allow the dump's schema to do this outside of the new database; otherwise such a dump is refused; repeatable
    #[arg(long, value_name = "WHAT", value_parser = outside())]
    pub(crate) allow_outside: Vec<Outside>,
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
    /// Run hooks on a scratch database, report what each did, and drop the database
    Test(Box<HooksTest>),
    /// Print the SQL file that prepares a database on Amazon RDS, for `pg dump --pre-dump-sql`
    RdsPrep,
}

/// Arguments of `pg hooks test`.
#[derive(Debug, Args)]
pub(crate) struct HooksTest {
    /// Database name, connection string or URL of the server; the hooks get this name as the database they are for [default:
    /// from the environment]
    pub(crate) database: Option<String>,
    /// Fill the scratch database from this dump, or from the latest complete dump of a database [default: leave it empty]
    #[arg(long, value_name = "KEY|DATABASE")]
    pub(crate) from: Option<String>,
    /// Also run the hooks of this configuration, `[pg.configs.NAME]` in the configuration file
    #[arg(long, value_name = "NAME", default_value = pg_clone::options::CONFIG_DEFAULT)]
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
    /// Database to copy, as printed by `pg ls --local`; its sessions are disconnected, and new ones wait until it is copied
    pub(crate) source: String,
    /// Name of the copy
    pub(crate) target: String,
    /// Confirm that the database with this name may be replaced by the copy
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm_database: Option<String>,
    /// Replace the target even if replication slots or subscriptions use it
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
    /// Local copy to drop, as printed by `pg ls --local`
    pub(crate) name: String,
    /// Confirm that this database may be dropped although it is no local copy, such as one that was restored with --into
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm_database: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Which part of a dump is restored.
#[derive(Debug, Args)]
#[command(next_help_heading = "Partial restore")]
pub(crate) struct Part {
    /// Restore only rows of tables that match this pattern, as in `pg_dump`; repeatable. A live database is still replaced as a
    /// whole
    #[arg(long = "table", value_name = "TABLE")]
    pub(crate) tables: Vec<String>,
    /// Restore only rows of tables in schemas that match this pattern, and of those selected by --table; repeatable
    #[arg(long = "schema", value_name = "SCHEMA")]
    pub(crate) schemas: Vec<String>,
    /// Do not restore rows of tables that match this pattern, even if --table or --schema selects them; repeatable
    #[arg(long = "exclude-table", value_name = "TABLE")]
    pub(crate) exclude_tables: Vec<String>,
    /// Do not restore this extension, nor what cannot be without it; repeatable
    #[arg(long = "exclude-extension", value_name = "EXTENSION", conflicts_with = "data_only")]
    pub(crate) exclude_extensions: Vec<String>,
    /// Restore no rows, sequence values or large objects
    #[arg(long)]
    pub(crate) schema_only: bool,
    /// Restore only rows and sequence values, into the existing tables of the live database, in one transaction; hooks do not
    /// run
    #[arg(long, conflicts_with_all = ["schema_only", "reversible", "excluded"])]
    pub(crate) data_only: bool,
    /// With --data-only: empty the selected tables first; otherwise they must be empty
    #[arg(long, requires = "data_only")]
    pub(crate) replace_rows: bool,
    /// With --data-only: load the rows without checking foreign keys, as pg_restore does with this option; only superusers can
    #[arg(long, requires = "data_only")]
    pub(crate) disable_triggers: bool,
    /// With --data-only: ignore configured hooks, which otherwise prevent it
    #[arg(long, requires = "data_only")]
    pub(crate) no_hooks: bool,
    /// What to do with tables that are not selected [default: keep-empty]
    #[arg(long, value_name = "WHAT", value_parser = excluded())]
    pub(crate) excluded: Option<Excluded>,
}

/// `keep-empty` or `drop`, with what each means.
fn excluded() -> impl TypedValueParser<Value = Excluded> {
    let values = [
        PossibleValue::new("keep-empty").help("Create them without rows"),
        PossibleValue::new("drop").help("Leave them out, with everything that needs them"),
    ];
    PossibleValuesParser::new(values).try_map(|text| text.parse::<Excluded>())
}

/// What a schema may do outside of its database, with what each means.
pub(crate) fn outside() -> impl TypedValueParser<Value = Outside> {
    let value = |outside: Outside| {
        let help = match outside {
            Outside::Roles => "Roles: create, change or grant them",
            Outside::Databases => "Databases as wholes, the restored one too",
            Outside::Tablespaces => "Tablespaces",
            Outside::Configuration => "The server's configuration",
            Outside::Programs => "Programs and files of the server's machine",
            Outside::Languages => "Functions in untrusted languages, such as C and plpython3u",
            Outside::Connections => "Subscriptions and imports that connect to another server",
            Outside::Commands => "Statements that no pg_dump writes",
        };
        PossibleValue::new(outside.name()).help(help)
    };
    PossibleValuesParser::new(Outside::ALL.map(value)).try_map(|text| text.parse::<Outside>())
}

fn read_amount(text: &str) -> Result<ReadAmount, &'static str> {
    text.parse().map_err(|_| "use `all`, or a share such as `1/7`")
}

/// Arguments of `pg recover`.
#[derive(Debug, Args)]
pub(crate) struct Recover {
    /// Database name, connection string or URL of the server [default: from the environment]
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
    /// Also apply the retention rules to single-file dumps of django-pgclone
    #[arg(long)]
    pub(crate) include_legacy: bool,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
    #[command(flatten)]
    pub(crate) keep: Keep,
}
