//! `lastgood ec2 snapshot`.

use std::time::Duration;

use ec2_snapshots::model::{InstanceId, SetId};
use ec2_snapshots::ports::{Consistency, Quiesce};
use ec2_snapshots::snapshot::{self, Request};

use crate::args::ec2::Snapshot;
use crate::commands::ec2::asked::{cloud, end, places, shows, tag};
use crate::commands::ec2::hosts::freezer;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::ec2::snapshot::{planned, taken};

pub(super) async fn run(arguments: &Snapshot, context: &Context) -> CliResult<Exit> {
    let cloud = cloud(context).await?;
    let (_, regions) = places(&*cloud, &arguments.regions, context).await?;
    // Instances that are named need no tag.
    let tag = if arguments.instances.is_empty() { tag(&arguments.tagged, context)? } else { None };
    let request = Request {
        instances: arguments.instances.iter().map(|id| InstanceId::new(id.as_str())).collect(),
        tag,
        consistency: arguments.consistent.level,
        exclude_boot: arguments.exclude_root,
        description: arguments.description.clone(),
        tags: arguments.add_tag.iter().map(|tag| (tag.name.as_str(), tag.value.as_str())).collect(),
    };
    let preparing = snapshot::prepare(&*cloud, &regions, &request, &context.run);
    let prepared = context.run.or_cancelled(preparing).await?;
    let plan = snapshot::plan(prepared, &request, context.run.clock.now(), SetId::generate)?;
    for warning in &plan.warnings {
        context.printer.warn(warning);
    }
    if plan.sets.is_empty() && plan.failures.is_empty() {
        context.printer.note("no instance has the tag");
    }
    let freezer = match arguments.consistent.level {
        Consistency::Crash => None,
        _ => Some(freezer(&arguments.consistent, context).await?),
    };
    if arguments.dry_run.dry_run {
        if let Some(freezer) = &freezer {
            for set in &plan.sets {
                context.run.or_cancelled(freezer.check(&set.of, set.consistency)).await?;
            }
        }
        if shows(&plan.failures, plan.sets.len()) {
            context.printer.dry_run(&plan, planned)?;
        }
        return end(plan.failures, plan.sets.len(), context);
    }
    let wait = arguments.wait.map(|wait| Duration::from_secs(wait.unsigned_abs().as_secs()));
    let quiesce = freezer.as_ref().map(|freezer| -> &dyn Quiesce { freezer });
    let done = snapshot::run(&*cloud, plan, quiesce, wait, &context.run).await?;
    if shows(&done.failures, done.sets.len()) {
        context.printer.done(&done, done.failures.is_empty(), taken)?;
    }
    let sets = done.sets.len();
    end(done.failures, sets, context)
}
