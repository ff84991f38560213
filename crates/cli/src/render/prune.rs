//! The plan and the report of a prune of records or of in-memory stores.

use std::collections::BTreeMap;

use backup_core::key::Key;
use backup_core::prune::{Abandoned, Failure, PruneDecisions, PruneReport};
use backup_core::retention::{Action, Decision};
use serde::Serialize;

use crate::render::table::{Align, Column, table};
use crate::render::units::{bytes, count, counted};

const COLUMNS: [Column; 3] = [Column("BACKUP", Align::Left), Column("ACTION", Align::Left), Column("WHY", Align::Left)];

/// What people call the backup with this manifest.
pub(crate) type Name = fn(&Key) -> String;

/// What a prune would do.
#[derive(Debug, Serialize)]
pub(crate) struct PrunePlan {
    /// Of every backup, if there are rules.
    backups: Vec<Decision>,
    /// What interrupted runs left.
    incomplete: Vec<Abandoned>,
    /// Uploads neither completed nor aborted.
    uploads: Vec<String>,
    #[serde(skip)]
    name: Name,
}

impl PrunePlan {
    pub(crate) fn of(plan: &PruneDecisions, name: Name) -> Self {
        Self {
            backups: plan.retention.decisions.clone(),
            incomplete: plan.incomplete.abandoned.clone(),
            uploads: plan.incomplete.uploads.iter().map(|upload| upload.key.to_string()).collect(),
            name,
        }
    }

    /// The table that `pg prune -n` shows too, as far as these backups have what is in it.
    pub(crate) fn text(&self) -> String {
        let decided = self.backups.iter().map(|decision| {
            let action = match decision.action {
                Action::Keep => "keep",
                Action::Delete => "delete",
            };
            let name = Key::new(decision.id.clone()).map_or_else(|_| decision.id.clone(), |key| (self.name)(&key));
            vec![name, action.to_owned(), decision.reasons.join(", ")]
        });
        let left = self.incomplete.iter().map(|left| {
            let why = format!("leftover of an interrupted run, {}", bytes(left.objects.values().sum()));
            vec![(self.name)(&left.manifest), "delete".to_owned(), why]
        });
        let uploads = self.uploads.iter();
        let uploads = uploads.map(|key| vec![key.clone(), "abort".to_owned(), "unfinished upload".to_owned()]);
        let rows: Vec<Vec<String>> = decided.chain(left).chain(uploads).collect();
        let deleted = self.backups.iter().filter(|decision| decision.action == Action::Delete).count() as u64;
        let (all, others) = (self.backups.len() as u64, self.incomplete.len() + self.uploads.len());
        let end = match (deleted, others) {
            (0, 0) => format!("Nothing to prune: {} kept", counted(all, "backup is", "backups are")),
            (_, 0) => format!("Would delete {} of {}", count(deleted), counted(all, "backup", "backups")),
            _ => {
                let left = counted(others as u64, "leftover", "leftovers");
                format!("Would delete {} of {} and {left}", count(deleted), counted(all, "backup", "backups"))
            }
        };
        if rows.is_empty() { end } else { format!("{}\n{end}", table(&COLUMNS, rows)) }
    }
}

/// What a prune did.
#[derive(Debug, Serialize)]
pub(crate) struct Pruned {
    removed: Vec<String>,
    kept_back: Vec<String>,
    /// What interrupted runs left, and is gone.
    incomplete: Vec<String>,
    objects: u64,
    uploads: u64,
    freed_bytes: u64,
    failures: BTreeMap<String, String>,
}

impl Pruned {
    pub(crate) fn of(report: &PruneReport, name: Name) -> Self {
        let PruneReport { backups, incomplete, .. } = report;
        let names = |keys: &[Key]| keys.iter().map(name).collect();
        let failure = |failure: &Failure| (failure.key.to_string(), failure.error.to_string());
        Self {
            removed: names(&backups.removed),
            kept_back: names(&backups.kept_back),
            incomplete: names(&incomplete.removed),
            objects: backups.objects + incomplete.objects,
            uploads: backups.uploads + incomplete.uploads,
            freed_bytes: backups.freed_bytes + incomplete.freed_bytes,
            failures: report.failures().map(failure).collect(),
        }
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!("Deleted {}", counted(self.removed.len() as u64, "backup", "backups"));
        if !self.incomplete.is_empty() {
            text.push_str(&format!(" and {}", counted(self.incomplete.len() as u64, "leftover", "leftovers")));
        }
        text.push_str(&format!(", freed {}", bytes(self.freed_bytes)));
        if self.uploads > 0 {
            text.push_str(&format!(", aborted {}", counted(self.uploads, "unfinished upload", "unfinished uploads")));
        }
        for name in &self.kept_back {
            text.push_str(&format!("\n  kept `{name}`: a backup published meanwhile needs it"));
        }
        for (key, error) in &self.failures {
            text.push_str(&format!("\n  could not delete `{key}`: {error}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_is_a_table_and_says_what_it_comes_to() {
        let decided = |id: &str, action, why: &str| Decision {
            id: id.to_owned(),
            action,
            reasons: vec![why.to_owned()],
            future: false,
        };
        let plan =
            |backups| PrunePlan { backups, incomplete: Vec::new(), uploads: Vec::new(), name: |key| key.to_string() };
        let both =
            vec![decided("old", Action::Delete, "no rule keeps it"), decided("newest", Action::Keep, "last good")];
        assert_eq!(
            plan(both).text(),
            "BACKUP  ACTION  WHY\nold     delete  no rule keeps it\nnewest  keep    last good\nWould delete 1 of 2 backups"
        );
        assert_eq!(plan(Vec::new()).text(), "Nothing to prune: 0 backups are kept");
        let one = plan(vec![decided("newest", Action::Keep, "last good")]).text();
        assert!(one.ends_with("Nothing to prune: 1 backup is kept"), "{one}");
        let begun = PrunePlan { uploads: vec!["x".to_owned()], ..plan(Vec::new()) }.text();
        assert!(begun.contains("x       abort   unfinished upload") && begun.ends_with("and 1 leftover"), "{begun}");
    }
}
