//! `lastgood ec2 replicate`.

use std::time::Duration;

use ec2_snapshots::model::{Region, SnapshotId};
use ec2_snapshots::ports::Cloud;
use ec2_snapshots::replicate::{
    Legs, Options, Outcome, Plan, Reason, Replicated, Wish, Within, prepare, replicate, stages,
};
use ec2_snapshots::select::Selection;
use ec2_snapshots::{Ec2Error, Failed, listing, regions};

use crate::args::ec2::replicate::Replicate;
use crate::commands::ec2::asked::{cloud, end, shows, tag};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::ec2::replicate::{Stage, planned, replicated};

pub(super) async fn run(arguments: &Replicate, context: &Context) -> CliResult<Exit> {
    let options = options(arguments)?;
    let cloud = cloud(context).await?;
    let stages = legs(arguments, &*cloud, context).await?;
    let (mut done, mut failures, mut count) = (Vec::new(), Vec::new(), 0);
    for (from, to, wish) in stages {
        let mut plan = prepare(&*cloud, &from, &to, &wish, &context.run).await?;
        failures.append(&mut plan.unread);
        failures.extend(gave_up(&plan));
        if arguments.dry_run.dry_run {
            count += plan.pending.len() + plan.passed.len();
            done.push(Stage { plan, replicated: None });
            continue;
        }
        let replicated = replicate(&plan, &*cloud, &options, &context.run).await?;
        failures.extend(failed(&plan, &replicated));
        count += plan.passed.len() + replicated.copied();
        done.push(Stage { plan, replicated: Some(replicated) });
    }
    if shows(&failures, count) {
        if arguments.dry_run.dry_run {
            context.printer.dry_run(&done, |done| planned(done))?;
        } else {
            context.printer.result(&done, |done| replicated(done))?;
        }
    }
    end(failures, count, context)
}

fn options(arguments: &Replicate) -> CliResult<Options> {
    let within = |limit: jiff::SignedDuration| Within::of(Duration::from_secs(limit.unsigned_abs().as_secs()));
    Ok(Options {
        encrypted: arguments.encrypt,
        kms_key: arguments.kms_key.clone(),
        within: arguments.within.map(within).transpose()?,
    })
}

/// What is copied from where to where, in order.
async fn legs(
    arguments: &Replicate,
    cloud: &dyn Cloud,
    context: &Context,
) -> CliResult<Vec<(Vec<Region>, Region, Wish)>> {
    let known = listing::regions(cloud, &context.run).await?;
    let selection =
        Selection { tag: tag(&arguments.tagged, context)?, native_only: arguments.native_only, ..Selection::default() };
    let snapshot = arguments.snapshot.as_deref().map(SnapshotId::new);
    let wish = Wish { selection, snapshot, force: arguments.force };
    if !arguments.all_regions {
        let from = regions::resolve_all(&arguments.from, &known)?;
        let to = regions::resolve(arguments.to.as_deref().unwrap_or_default(), &known)?;
        return Ok(vec![(from, to, wish)]);
    }
    let layer = context.settings.layer();
    let region = |typed: &Option<String>, set: Option<&String>, option: &str| -> CliResult<Region> {
        let Some(name) = typed.as_ref().or(set) else {
            let what = format!("no {option} region was named");
            return Err(CliError::usage(
                what,
                format!("use `--{option}`, or set `ec2.{option}` in the configuration file"),
            ));
        };
        Ok(regions::resolve(name, &known)?)
    };
    let legs = Legs {
        primary: region(&arguments.primary, layer.ec2_primary.as_ref().map(|set| &set.value), "primary")?,
        secondary: region(&arguments.secondary, layer.ec2_secondary.as_ref().map(|set| &set.value), "secondary")?,
    };
    legs.check()?;
    Ok(stages(&known, &legs, &wish).into())
}

/// Snapshots whose copies failed twice before.
fn gave_up(plan: &Plan) -> Vec<Failed> {
    let given_up = plan.passed.iter().filter_map(|passed| match &passed.reason {
        Reason::GaveUp { copy, message } => {
            let what = format!("two copies failed in EC2, the last one, `{copy}`, with: {message}");
            Some(failure(plan, &passed.source, what))
        }
        _ => None,
    });
    given_up.collect()
}

fn failed(plan: &Plan, replicated: &Replicated) -> Vec<Failed> {
    let failed = replicated.snapshots.iter().filter_map(|(source, outcome)| match outcome {
        Outcome::Failed { why } => Some(failure(plan, source, why.clone())),
        Outcome::Copied { .. } => None,
    });
    failed.collect()
}

fn failure(plan: &Plan, source: &SnapshotId, what: String) -> Failed {
    Failed { region: plan.to.clone(), what: Some(format!("the copy of {source}")), error: Ec2Error::Broken { what } }
}
