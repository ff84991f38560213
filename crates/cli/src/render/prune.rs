//! The plan and the report of a prune of records or of in-memory stores.

use std::collections::BTreeMap;

use backup_core::key::Key;
use backup_core::prune::{Abandoned, Failure, PruneDecisions, PruneReport};
use backup_core::retention::{Action, Decision};
use serde::Serialize;

use crate::render::units::{bytes, counted};

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

    pub(crate) fn text(&self) -> String {
        let decided = self.backups.iter().map(|decision| {
            let action = match decision.action {
                Action::Keep => "keep  ",
                Action::Delete => "delete",
            };
            let name = Key::new(decision.id.clone()).map_or_else(|_| decision.id.clone(), |key| (self.name)(&key));
            format!("{action}  {name}  ({})", decision.reasons.join("; "))
        });
        let left = self.incomplete.iter().map(|left| {
            let size = bytes(left.objects.values().sum());
            format!("delete  {}  (leftover of an interrupted run, {size})", (self.name)(&left.manifest))
        });
        let uploads = self.uploads.iter().map(|key| format!("abort   {key}  (unfinished upload)"));
        let lines: Vec<String> = decided.chain(left).chain(uploads).collect();
        if lines.is_empty() { "Nothing to prune".to_owned() } else { lines.join("\n") }
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
