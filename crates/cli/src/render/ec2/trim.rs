//! Texts about what is or would be deleted.

use std::fmt::Write as _;

use backup_core::retention::Action;
use ec2_snapshots::clean::{CleanPlan, Cleaned};
use ec2_snapshots::delete::{Deleted, Doomed};
use ec2_snapshots::plan_file::PlanFile;
use ec2_snapshots::trim::{Decided, TrimPlan};
use serde::Serialize;

use super::lines;
use crate::render::units::{counted, time};

/// A plan with the policy it follows from.
#[derive(Debug, Serialize)]
pub(crate) struct Planned<'p> {
    pub(crate) policy: &'p str,
    pub(crate) kept: usize,
    pub(crate) deleted: usize,
    #[serde(flatten)]
    pub(crate) plan: &'p TrimPlan,
}

impl<'p> Planned<'p> {
    pub(crate) fn of(plan: &'p TrimPlan, policy: &'p str) -> Self {
        let deleted = plan.deleted().count();
        Self { policy, kept: plan.decisions.len() - deleted, deleted, plan }
    }
}

pub(crate) fn planned(planned: &Planned<'_>) -> String {
    // One text and no list of lines: a plan may have a million.
    let mut text = String::new();
    for decided in &planned.plan.decisions {
        decision(decided, &mut text);
    }
    let others = match planned.plan.left_alone {
        0 => String::new(),
        others => format!("; {} out of scope", counted(others, "snapshot is", "snapshots are")),
    };
    text.push_str(&format!(
        "Policy {}: {} to delete, {} to keep{others}",
        planned.policy,
        counted(planned.deleted as u64, "snapshot", "snapshots"),
        planned.kept
    ));
    text
}

/// [`planned`], of a dry run.
pub(crate) fn only_planned(plan: &Planned<'_>) -> String {
    let mut text = planned(plan);
    text.push_str("\nNothing was changed (dry run)");
    text
}

fn decision(decided: &Decided, text: &mut String) {
    let action = match decided.action {
        Action::Keep => "keep  ",
        Action::Delete => "delete",
    };
    let Decided { id, region, volume, reasons, .. } = decided;
    // Writing to a string cannot fail.
    let _written = write!(text, "{action}  {id}  {region}  {volume}  {}  (", time(decided.time));
    for (at, reason) in reasons.iter().enumerate() {
        text.push_str(if at == 0 { "" } else { "; " });
        text.push_str(reason);
    }
    text.push_str(")\n");
}

pub(crate) fn deleted(report: &Deleted) -> String {
    let count = counted(report.deleted.len() as u64, "snapshot", "snapshots");
    match report.in_recycle_bin {
        None | Some(0) => format!("Deleted {count}"),
        Some(binned) => format!("Deleted {count}; {} in the recycle bin", counted(binned, "is", "are")),
    }
}

pub(crate) fn listed(plan: &PlanFile) -> String {
    let mut all: Vec<String> =
        plan.delete.iter().map(|one| format!("delete  {}  {}  {}", one.id, one.region, one.volume)).collect();
    all.push("The plan still fits".to_owned());
    lines(all)
}

pub(crate) fn broken(plan: &CleanPlan) -> String {
    let mut all: Vec<String> = plan
        .broken
        .iter()
        .map(|one| {
            let why = one.why.as_ref().map_or_else(String::new, |why| format!("  ({why})"));
            format!("delete  {}  {}  {}{why}", one.doomed.id, one.doomed.region, one.doomed.volume)
        })
        .collect();
    all.extend(plan.doubled.iter().map(|one| {
        let Doomed { id, region, volume } = &one.doomed;
        format!("delete  {id}  {region}  {volume}  (set {} was created twice; {} stays)", one.set, one.kept)
    }));
    all.extend(
        plan.temporary
            .iter()
            .map(|one| format!("remove  {}  {}  (a replication that died left it)", one.thing.named(), one.region)),
    );
    all.extend(
        plan.undecided
            .iter()
            .map(|set| format!("wait    set {set} was created twice, and neither one is complete yet")),
    );
    if all.is_empty() {
        all.push("Nothing to clean up".to_owned());
    }
    lines(all)
}

pub(crate) fn cleaned(report: &Cleaned) -> String {
    let text = deleted(&report.snapshots);
    match report.removed.len() as u64 {
        0 => text,
        count => format!("{text}; removed {} of replications that died", counted(count, "thing", "things")),
    }
}
