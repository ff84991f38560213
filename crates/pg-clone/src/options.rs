//! Options of a dump and of a restore, validated once.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::dump::units::RANGE_BYTES;
use crate::error::{PgError, PgResult};
use crate::hook::{DUMP_POINTS, Hooks, RESTORE_POINTS};
use crate::ident::QualifiedName;
use crate::pattern::TablePattern;
use crate::restore::outside::Outside;
use crate::restore::selection::Selection;
use crate::setters::setters;
pub use crate::stored::database_settings::LocaleProvider;
use crate::stored::list::Selector;
use crate::stored::lists::LISTS_OVER_BYTES;
use backup_core::failure::{Operation, Remedy, Setting};
use backup_core::remedy;

/// Most workers of one run: each is a connection of the server's.
pub const JOBS_MAX: usize = 64;

/// Name of the configuration when none is given, as in django-pgclone.
pub const CONFIG_DEFAULT: &str = "default";

/// How a database is to be dumped.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DumpOptions {
    /// The database.
    pub database: String,
    /// Name of the configuration, part of the dump's key.
    pub config: String,
    /// Workers, each with its own connection.
    pub jobs: usize,
    /// Tables left out altogether.
    pub exclude_table: Vec<TablePattern>,
    /// Tables whose rows are left out.
    pub exclude_table_data: Vec<TablePattern>,
    /// Settings of the database that are left out, by name, with `*` for anything: the manifest shows them to whoever can read
    /// the location.
    pub exclude_setting: Vec<String>,
    /// Whether rows of unlogged tables are dumped.
    pub unlogged: bool,
    /// Level of zstd, 1 to 19.
    pub compression_level: i32,
    /// How long to wait for a table's lock.
    pub lock_timeout: Duration,
    /// Folder of `pg_dump`; otherwise the installation that matches the server is looked for.
    pub pg_bin: Option<PathBuf>,
    /// Labels for retention.
    pub tags: Vec<String>,
    /// Reads and stores everything, also what an earlier dump of the database has stored.
    pub full: bool,
    /// Whether rows may be kept that the server says did not change, without reading them.
    pub incremental: Incremental,
    /// Reads so many per cent of the ranges that could be kept, and compares them: if one differs, all rows are read.
    pub verify_source: Option<u8>,
    /// Publishes a dump of a database without tables and large objects, too.
    pub allow_empty: bool,
    /// Bytes of the manifest's detail after which its tables and frames are stored in lists, which earlier versions cannot read.
    pub lists_over_bytes: u64,
    /// Bytes of a table (heap and TOAST) that are read as one, at most: ranges that did not change are kept whole.
    pub range_bytes: u64,
    /// Refuses to publish if rows or bytes fell by more than so many percent since the complete dump before.
    pub max_shrink: Option<u8>,
    /// What runs before it; only hooks of [`Point::PreDump`](crate::hook::Point::PreDump) count.
    pub hooks: Hooks,
}

impl DumpOptions {
    /// Defaults for `database`: one worker more than cores up to four, zstd level 1, 30 s for a lock.
    #[must_use]
    pub fn new(database: impl Into<String>) -> Self {
        Self {
            database: database.into(),
            config: CONFIG_DEFAULT.to_owned(),
            jobs: dump_jobs_default(),
            exclude_table: Vec::new(),
            exclude_table_data: Vec::new(),
            exclude_setting: Vec::new(),
            unlogged: true,
            compression_level: 1,
            lock_timeout: Duration::from_secs(30),
            pg_bin: None,
            tags: Vec::new(),
            full: false,
            incremental: Incremental::default(),
            verify_source: None,
            allow_empty: false,
            lists_over_bytes: LISTS_OVER_BYTES,
            range_bytes: RANGE_BYTES,
            max_shrink: None,
            hooks: Hooks::default(),
        }
    }

    pub(crate) fn check(&self) -> PgResult<()> {
        check_jobs(self.jobs)?;
        if !(1..=19).contains(&self.compression_level) {
            return Err(PgError::Usage {
                what: format!("invalid compression level {}: use 1 to 19", self.compression_level),
                help: "1 is the default; 3 is a little smaller and slower".into(),
            });
        }
        if self.verify_source.is_some_and(|percent| !(1..=100).contains(&percent)) {
            return Err(PgError::Usage {
                what: "the share of rows to compare must be 1 to 100 per cent".to_owned(),
                help: "5 is enough to find mistakes of whole tables; 100 reads everything".into(),
            });
        }
        if self.full && self.incremental == Incremental::Require {
            return Err(PgError::Usage {
                what: "a full dump is not incremental".to_owned(),
                help: remedy!["omit ", Setting::Full, ", or do not require an incremental one"],
            });
        }
        self.hooks.check(&DUMP_POINTS)
    }
}

/// Whether rows may be kept as an earlier dump has them, without reading them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Incremental {
    /// Wherever it is proven that they did not change.
    #[default]
    WhereProven,
    /// Likewise; the dump fails if nothing can be proven at all.
    Require,
    /// All rows are read; what is stored already is not stored again.
    Never,
}

/// How a dump is to be restored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RestoreOptions {
    /// Which dump to restore.
    pub wanted: Selector,
    /// The cluster the dump must be of, by its id or its host; otherwise the one that is restored on, or the only one there
    /// are dumps of.
    pub cluster: Option<String>,
    /// The configuration the dump must be of.
    pub config: Option<String>,
    /// Take a dump of any configuration if none was made with this one: it is one for restores only.
    pub config_for_restores: bool,
    /// The database to restore into; otherwise the one that was dumped.
    pub into: Option<String>,
    /// Workers, each with its own connection.
    pub jobs: usize,
    /// The name of the database that may be replaced, as its owner typed it.
    pub confirm: Option<String>,
    /// Keep the replaced database as `:previous` and a copy of the restored one as `:current`. Restores of local databases
    /// ignore it.
    pub reversible: bool,
    /// Tables of the live database that are carried over: the restored database gets them as they are there, with rows and
    /// sequences, once nobody can write to them any more. What the live database does not have stays as the dump has it.
    pub carry_over: Vec<QualifiedName>,
    /// The new database's locale, in place of the dump's.
    pub locale: Option<String>,
    /// Whose locales it uses, in place of the dump's.
    pub locale_provider: Option<LocaleProvider>,
    /// Leave out who owns what.
    pub no_owner: bool,
    /// Leave out privileges.
    pub no_acl: bool,
    /// Restore everything into the database's own tablespace.
    pub no_tablespaces: bool,
    /// Restore only a part of the dump.
    pub selection: Selection,
    /// With [`Selection::data_only`]: remove the rows that the selected tables hold.
    pub replace_rows: bool,
    /// With [`Selection::data_only`]: do not check foreign keys, which only superusers can leave undone.
    pub disable_triggers: bool,
    /// Keep the temporary database when the restore fails, to look into it.
    pub keep_failed: bool,
    /// Restore what can be restored where the server refuses objects of the dump; the report says which.
    pub allow_incomplete: bool,
    /// Take the newest dump that can be read although newer ones cannot; the plan says which were skipped.
    pub allow_older: bool,
    /// The name of the live database that even an incomplete copy may replace, as its owner typed it once more.
    pub confirm_incomplete: Option<String>,
    /// Swap although replication slots or subscriptions are bound to the live database.
    pub force: bool,
    /// What the dump's schema may do outside of the new database; otherwise a dump that does is refused.
    pub allow_outside: BTreeSet<Outside>,
    /// The server is somebody else's, and our role no superuser of it: owners of others, event triggers, languages in C
    /// and tablespaces are left out with a warning.
    pub managed: bool,
    /// Folder of `pg_restore`; otherwise the installation that matches the server is looked for.
    pub pg_bin: Option<PathBuf>,
    /// What runs on the copy and after the switch; hooks of dumps do not count.
    pub hooks: Hooks,
}

impl RestoreOptions {
    /// Defaults for restoring `wanted`.
    #[must_use]
    pub fn new(wanted: impl Into<Selector>) -> Self {
        Self {
            wanted: wanted.into(),
            cluster: None,
            config: None,
            config_for_restores: false,
            into: None,
            jobs: jobs_default(),
            confirm: None,
            reversible: false,
            carry_over: Vec::new(),
            locale: None,
            locale_provider: None,
            no_owner: false,
            no_acl: false,
            no_tablespaces: false,
            selection: Selection::default(),
            replace_rows: false,
            disable_triggers: false,
            keep_failed: false,
            allow_incomplete: false,
            allow_older: false,
            confirm_incomplete: None,
            force: false,
            allow_outside: BTreeSet::new(),
            managed: false,
            pg_bin: None,
            hooks: Hooks::default(),
        }
    }

    pub(crate) fn check(&self) -> PgResult<()> {
        check_jobs(self.jobs)?;
        self.check_data_only()?;
        self.check_incomplete()?;
        self.hooks.check(&RESTORE_POINTS)
    }

    /// Rows alone are put into a live database all or none.
    fn check_incomplete(&self) -> PgResult<()> {
        if !(self.allow_incomplete && self.selection.data_only) {
            return Ok(());
        }
        Err(PgError::Usage {
            what: "a data-only restore puts all rows into the live database or none".to_owned(),
            help: remedy!["omit ", Setting::AllowIncomplete, " or ", Setting::DataOnly, "; nothing was changed"],
        })
    }

    /// Rows alone go into the live database: there is no copy that a hook could change before anybody sees it, and none
    /// to keep.
    fn check_data_only(&self) -> PgResult<()> {
        let refuse = |what: &str, help: Remedy| {
            Err(PgError::Usage { what: what.to_owned(), help: help.and("; nothing was changed") })
        };
        if !self.selection.data_only {
            return match (self.replace_rows, self.disable_triggers) {
                (true, _) => refuse(
                    "rows can be replaced only by a data-only restore",
                    remedy!["add ", Setting::DataOnly, ", or omit ", Setting::ReplaceRows],
                ),
                (false, true) => refuse(
                    "only a data-only restore can leave foreign keys unchecked",
                    remedy!["add ", Setting::DataOnly, ", or omit ", Setting::DisableTriggers],
                ),
                (false, false) => Ok(()),
            };
        }
        if self.selection.schema_only {
            return refuse(
                "neither rows nor definitions would be restored",
                remedy!["omit ", Setting::SchemaOnly, " or ", Setting::DataOnly],
            );
        }
        if self.locale.is_some() || self.locale_provider.is_some() {
            return refuse(
                "a data-only restore creates no database whose locale could be chosen",
                remedy!["omit ", Setting::Locale, " and ", Setting::LocaleProvider, ", or ", Setting::DataOnly],
            );
        }
        if !self.carry_over.is_empty() {
            return refuse(
                "a data-only restore replaces no database, so there is nothing to carry tables over from",
                remedy!["omit ", Setting::CarryOver, " or ", Setting::DataOnly],
            );
        }
        if self.reversible {
            return refuse(
                "a data-only restore changes the live database and keeps no copy of it",
                remedy![
                    "omit ",
                    Setting::Reversible,
                    "; use ",
                    Operation::CopyDatabase,
                    " to make a copy to go back to"
                ],
            );
        }
        let set = RESTORE_POINTS.iter().find(|point| !self.hooks.at(**point).is_empty());
        let Some(point) = set else { return Ok(()) };
        refuse(
            &format!(
                "a data-only restore does not run the {} hooks, so data that they anonymise would become readable",
                point.name()
            ),
            remedy![
                "restore with the hooks into another database (",
                Setting::Into.with("NAME"),
                ", without ",
                Setting::DataOnly,
                ") and copy from there, or use ",
                Setting::NoHooks,
                " if the rows may be restored as they are in the dump"
            ],
        )
    }
}

setters! {
    DumpOptions {
        plain config: String,
        plain jobs: usize,
        plain exclude_table: Vec<TablePattern>,
        plain exclude_table_data: Vec<TablePattern>,
        plain exclude_setting: Vec<String>,
        plain unlogged: bool,
        plain compression_level: i32,
        plain lock_timeout: Duration,
        optional pg_bin: PathBuf,
        plain tags: Vec<String>,
        flag full: bool,
        plain incremental: Incremental,
        optional verify_source: u8,
        flag allow_empty: bool,
        plain lists_over_bytes: u64,
        plain range_bytes: u64,
        optional max_shrink: u8,
        plain hooks: Hooks,
    }
}

setters! {
    RestoreOptions {
        optional cluster: String,
        optional config: String,
        plain jobs: usize,
        optional confirm: String,
        flag reversible: bool,
        plain carry_over: Vec<QualifiedName>,
        optional locale: String,
        optional locale_provider: LocaleProvider,
        flag no_owner: bool,
        flag no_acl: bool,
        flag no_tablespaces: bool,
        plain selection: Selection,
        flag replace_rows: bool,
        flag disable_triggers: bool,
        flag keep_failed: bool,
        flag allow_incomplete: bool,
        flag allow_older: bool,
        optional confirm_incomplete: String,
        flag force: bool,
        plain allow_outside: BTreeSet<Outside>,
        flag managed: bool,
        optional pg_bin: PathBuf,
        plain hooks: Hooks,
    }
}

impl RestoreOptions {
    /// Sets `into`.
    #[must_use]
    pub fn into_database(mut self, database: impl Into<String>) -> Self {
        self.into = Some(database.into());
        self
    }
}

fn check_jobs(jobs: usize) -> PgResult<()> {
    if (1..=JOBS_MAX).contains(&jobs) {
        return Ok(());
    }
    Err(PgError::Usage {
        what: format!("invalid number of jobs {jobs}: use 1 to {JOBS_MAX}"),
        help: "each job is a connection to the server; 2 to 4 suit most machines".into(),
    })
}

fn jobs_default() -> usize {
    cores().clamp(2, 4)
}

/// One more than cores: a worker waits now for the server and now for the store, and another uses the core meanwhile.
fn dump_jobs_default() -> usize {
    (cores() + 1).clamp(2, 4)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}
