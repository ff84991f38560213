//! Texts about copies between regions.

use std::time::Duration;

use ec2_snapshots::replicate::transfer::{Job, Target, TransferPlan};
use ec2_snapshots::replicate::{Outcome, Passed, Pending, Plan, Reason, Replicated};
use serde::Serialize;

use super::lines;
use crate::render::units::{self, counted};

/// What is copied into one region, and what became of it.
#[derive(Debug, Serialize)]
pub(crate) struct Stage {
    #[serde(flatten)]
    pub(crate) plan: Plan,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transfer: Option<TransferPlan>,
    #[serde(flatten)]
    pub(crate) replicated: Option<Replicated>,
}

pub(crate) fn planned(stages: &[Stage]) -> String {
    let mut all: Vec<String> = stages.iter().flat_map(of_stage).collect();
    if let [_, second] = stages {
        all.push(format!("{} also gets what is copied to the primary region until then", second.plan.to));
    }
    lines(all)
}

fn of_stage(stage: &Stage) -> Vec<String> {
    let mut all = of_plan(&stage.plan);
    if let Some(transfer) = &stage.transfer {
        all.extend(through(transfer, &stage.plan));
    }
    all
}

/// What happens for copies from instance to instance.
fn through(transfer: &TransferPlan, plan: &Plan) -> Vec<String> {
    if transfer.jobs.is_empty() {
        return Vec::new();
    }
    let instance = |id: Option<&str>, region: &str| match id {
        Some(id) => format!("use   {id} in {region}"),
        None => format!("start a temporary instance in {region}"),
    };
    let mut regions: Vec<&str> = transfer.jobs.iter().map(|job| job.region.as_str()).collect();
    regions.dedup();
    let from = transfer.from_instance.as_ref().map(|id| id.as_str());
    let to = transfer.to_instance.as_ref().map(|id| id.as_str());
    let mut all: Vec<String> = regions.iter().map(|region| instance(from, region)).collect();
    all.push(instance(to, plan.to.as_str()));
    all.extend(transfer.jobs.iter().map(|job| written(job, transfer)));
    all
}

fn written(job: &Job, transfer: &TransferPlan) -> String {
    let onto = match &job.target {
        Target::New => "a new volume".to_owned(),
        Target::Replica { replica } => format!("a volume of {replica}"),
    };
    let encrypted = if job.encrypted { ", encrypted" } else { "" };
    format!("{}  {} onto {onto} of {} GiB{encrypted}", transfer.mode.name(), job.snapshot, job.size_gib)
}

fn of_plan(plan: &Plan) -> Vec<String> {
    let pending = plan.pending.iter().map(|pending| wanted(pending, plan));
    pending.chain(plan.passed.iter().map(|passed| skipped(passed, plan))).collect()
}

fn wanted(pending: &Pending, plan: &Plan) -> String {
    let source = &pending.source;
    let behind = units::duration(Duration::from_secs(u64::try_from(pending.behind_s).unwrap_or_default()));
    let why = if pending.is_first { "the first of its volume".to_owned() } else { format!("{behind} behind") };
    let verb = if pending.under_way.is_some() { "wait" } else { "copy" };
    let failed = pending.failed.as_ref().map_or_else(String::new, |said| format!("; a copy failed: {said}"));
    format!("{verb}  {} of {} from {} to {} ({why}{failed})", source.id, pending.volume, source.region, plan.to)
}

fn skipped(passed: &Passed, plan: &Plan) -> String {
    let why = match &passed.reason {
        Reason::Copied { copy } => format!("copied as {copy}"),
        Reason::Newer { copy } => format!("{copy} is of a newer snapshot; `--force` copies it all the same"),
        Reason::GaveUp { copy, message } => format!("two copies failed, the last one, {copy}: {message}"),
        Reason::Archived => "it is in the archive".to_owned(),
        Reason::State { state } => format!("its state is `{state}`"),
    };
    format!("skip  {} of {} to {}: {why}", passed.source, passed.volume, plan.to)
}

pub(crate) fn replicated(stages: &[Stage]) -> String {
    let mut all = Vec::new();
    for stage in stages {
        let Some(done) = &stage.replicated else { continue };
        let copied = done.snapshots.iter().filter_map(|(source, outcome)| match outcome {
            Outcome::Copied { copy } => Some(format!("{source}  {copy} in {}", stage.plan.to)),
            Outcome::Elsewhere { volume } => {
                Some(format!("{source}  left to another run, which makes its copy of {volume} in {}", stage.plan.to))
            }
            Outcome::Failed { .. } => None,
        });
        all.extend(copied);
        let there = stage.plan.passed.iter().filter(|passed| matches!(passed.reason, Reason::Copied { .. })).count();
        all.push(format!(
            "Copied {} to {}; {} had a copy already",
            counted(done.copied() as u64, "snapshot", "snapshots"),
            stage.plan.to,
            units::count(there as u64)
        ));
    }
    lines(all)
}
