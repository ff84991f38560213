//! What a restore would do.

use backup_core::failure::Setting;
use backup_core::key::Key;
use backup_core::manifest::Manifest;
use backup_core::remedy;
use backup_core::source::Identity;
use backup_core::units;
use jiff::Timestamp;
use serde::Serialize;

use crate::error::{PgError, PgResult, Problem};
use crate::hook::PlannedHook;
use crate::live::local::CopyChange;
use crate::options::RestoreOptions;
use crate::restore::carry::table::CarriedTable;
use crate::restore::data_only::DataPlan;
use crate::restore::problem::{Replaced, refuse_unconfirmed};
use crate::restore::selection::Chosen;
use crate::stored::detail::DumpDetail;

/// What a restore would do: what `--dry-run` prints.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RestorePlan {
    /// The dump's key.
    pub key: String,
    /// When the source was as the dump has it.
    pub created_at: Timestamp,
    /// The cluster the dump is of; absent where it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Identity>,
    /// Whether that is the cluster to restore on; absent where the dump does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_cluster: Option<bool>,
    /// Whether nothing was left out of the dump.
    pub complete: bool,
    /// What was left out of it, a line each, for people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Newer dumps that were passed over, since something is left out of them or they are damaged; the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<String>,
    /// Newer dumps that cannot be read now, the newest first, a line each with why: only where an older one was allowed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
    /// The server to restore on, without secrets.
    pub server: String,
    /// Its major version.
    pub server_major: u32,
    /// The database to restore into.
    pub target: String,
    /// The live database of that name, if there is one.
    pub replaces: Option<Replaced>,
    /// Tables in the dump; unknown (0) for a single-file dump of django-pgclone.
    pub tables: u64,
    /// Rows in the dump; unknown (0) likewise.
    pub rows: u64,
    /// Stored bytes to read.
    pub stored_bytes: u64,
    /// Bytes of rows and schema.
    pub content_bytes: u64,
    /// What runs on the copy and after the switch, in order.
    pub hooks: Vec<PlannedHook>,
    /// Copies of the target that appear, change or vanish.
    pub copies: Vec<CopyChange>,
    /// Tables of the live database that are carried over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub carry_over: Vec<CarriedTable>,
    /// The part of the dump that is restored, if not all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Chosen>,
    /// What is done to the live database, if only rows are put into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_only: Option<DataPlan>,
    /// What breaks because `force` was given, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub breaks: Vec<String>,
    /// What stands against it: empty when the restore can go on.
    pub problems: Vec<Problem>,
    /// How many of the problems, from the first, are about the target and not about the dump.
    #[serde(skip)]
    pub(super) of_target: usize,
    /// The role that restores, if it is a superuser.
    #[serde(skip)]
    pub(super) superuser: Option<String>,
    #[serde(skip)]
    pub(super) source: Source,
}

#[derive(Clone, Debug)]
pub(super) enum Source {
    Ours(Box<Manifest<DumpDetail>>),
    Legacy(Key),
}

impl RestorePlan {
    pub(crate) fn manifest(&self) -> Option<&Manifest<DumpDetail>> {
        match &self.source {
            Source::Ours(manifest) => Some(manifest),
            Source::Legacy(_) => None,
        }
    }

    pub(crate) fn legacy_object(&self) -> PgResult<&Key> {
        match &self.source {
            Source::Legacy(key) => Ok(key),
            Source::Ours(_) => Err(PgError::internal(
                format!("`{}` is not a single-file dump", self.key),
                "the live database was not touched",
            )),
        }
    }

    pub(crate) fn refuse_problems(&self) -> PgResult<()> {
        match self.problems.first() {
            None => Ok(()),
            Some(problem) => Err(self.refusal(problem)),
        }
    }

    /// [`RestorePlan::refuse_problems`], for a copy that takes nobody's name.
    pub(crate) fn refuse_problems_of_the_dump(&self) -> PgResult<()> {
        self.problems.get(self.of_target).map_or(Ok(()), |problem| Err(self.refusal(problem)))
    }

    /// The error that `problem` is.
    pub(crate) fn refusal(&self, problem: &Problem) -> PgError {
        problem.against(&format!("`{}` cannot be restored", self.key))
    }

    /// Whether only rows are put into a live database.
    pub(crate) fn is_data_only(&self) -> bool {
        self.part.as_ref().is_some_and(|part| part.data_only)
    }

    /// Whether a live database is changed, so that its name must be typed.
    #[must_use]
    pub fn changes_a_database(&self) -> bool {
        self.replaces.is_some() || self.data_only.is_some()
    }

    /// Nobody's live database is replaced, or given rows, unless its name was typed.
    pub(crate) fn refuse_unconfirmed(&self, options: &RestoreOptions) -> PgResult<()> {
        let Some(plan) = &self.data_only else {
            return refuse_unconfirmed(&self.target, &self.server, self.replaces.as_ref(), options);
        };
        if options.confirm.as_deref() == Some(&self.target) {
            return Ok(());
        }
        let emptied = plan.tables.iter().filter(|table| table.truncated).count();
        let emptied = match emptied {
            0 => String::new(),
            tables => format!(", and deletes the existing rows of {tables} of them"),
        };
        Err(PgError::Confirm {
            what: format!(
                "this loads {} into {} of the live database `{}` on {}{emptied}",
                units::counted(self.rows, "row", "rows"),
                units::counted(self.tables, "table", "tables"),
                self.target,
                self.server
            ),
            help: remedy!["nothing was changed. Confirm with ", Setting::Confirm.with(self.target.clone())],
        })
    }
}
