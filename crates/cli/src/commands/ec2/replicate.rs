//! `lastgood ec2 replicate`.

use std::time::Duration;

use ec2_snapshots::model::InstanceId;
use ec2_snapshots::model::{Region, SnapshotId};
use ec2_snapshots::ports::Cloud;
use ec2_snapshots::replicate::transfer::{
    self, Access, Ending, IMAGE_DEFAULT, Mode as TransferMode, TransferOptions, transfer,
};
use ec2_snapshots::replicate::{
    Legs, Options, Outcome, Plan, Reason, Replicated, Wish, Within, prepare, replicate, stages,
};
use ec2_snapshots::select::Selection;
use ec2_snapshots::{Ec2Error, Failed, listing, regions};

use crate::args::ec2::replicate::{Mode, Replicate};
use crate::commands::ec2::asked::{cloud, end, partly, shows, tag};
use crate::commands::ec2::hosts::ssh;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::ec2::replicate::{Stage, planned, replicated};

pub(super) async fn run(arguments: &Replicate, context: &Context) -> CliResult<Exit> {
    let options = options(arguments)?;
    let through = through(arguments, &options)?;
    let cloud = cloud(context).await?;
    let stages = legs(arguments, &*cloud, context).await?;
    let (mut done, mut failures, mut count) = (Vec::new(), Vec::new(), 0);
    for (from, to, wish) in stages {
        let preparing = prepare(&*cloud, &from, &to, &wish, &context.run);
        let mut plan = context.run.or_cancelled(preparing).await?;
        failures.append(&mut plan.unread);
        failures.extend(gave_up(&plan));
        if arguments.dry_run.dry_run {
            count += plan.pending.len() + plan.passed.len();
            let transfer = through.as_ref().map(|through| transfer::plan(&plan, through)).transpose()?;
            done.push(Stage { plan, transfer, replicated: None });
            continue;
        }
        let replicated = match &through {
            None => replicate(&plan, &*cloud, &options, &context.run).await?,
            Some(through) => transfer(&plan, &*cloud, through, &context.run).await?,
        };
        failures.extend(failed(&plan, &replicated));
        count += plan.passed.len() + replicated.copied() + replicated.elsewhere();
        done.push(Stage { plan, transfer: None, replicated: Some(replicated) });
    }
    if shows(&failures, count) {
        if arguments.dry_run.dry_run {
            context.printer.dry_run(&done, |done| planned(done))?;
        } else {
            context.printer.done(&done, failures.is_empty(), |done| replicated(done))?;
        }
    }
    // A copy that EC2 gave up hours later: this run did what it can.
    match failures.iter().any(|failed| matches!(failed.error, Ec2Error::Broken { .. })) {
        true => partly(failures, context),
        false => end(failures, count, context),
    }
}

fn options(arguments: &Replicate) -> CliResult<Options> {
    let within = |limit: jiff::SignedDuration| Within::of(Duration::from_secs(limit.unsigned_abs().as_secs()));
    Ok(Options {
        encrypted: arguments.encrypt,
        kms_key: arguments.kms_key.clone(),
        within: arguments.within.map(within).transpose()?,
    })
}

/// How copies go from instance to instance, if they do.
fn through(arguments: &Replicate, options: &Options) -> CliResult<Option<TransferOptions>> {
    let through = &arguments.through;
    let mode = match through.mode {
        Mode::Copy => {
            let instances = through.from_instance.as_ref().or(through.to_instance.as_ref());
            if let Some(instance) = instances {
                let what = format!("EC2 copies snapshots without an instance such as `{instance}`");
                return Err(CliError::usage(what, "add `--mode rsync` or `--mode blocks`"));
            }
            return Ok(None);
        }
        Mode::Rsync => TransferMode::Rsync,
        Mode::Blocks => TransferMode::Blocks,
    };
    if arguments.within.is_some() {
        let what = "`--within` is about copies that EC2 makes itself";
        return Err(CliError::usage(what, "leave it out, or use `--mode copy`"));
    }
    if (through.from_instance.is_none() || through.to_instance.is_none()) && through.ssh_from.is_none() {
        return Err(CliError::usage(
            "temporary instances are only reached from the network you name",
            "add `--ssh-from NETWORK` with this machine's address as they see it, or name instances with \
             `--from-instance` and `--to-instance`",
        ));
    }
    let ending = |instance: &Option<String>, image: &Option<String>| match instance {
        Some(id) => Ending::Given(InstanceId::new(id.as_str())),
        None => Ending::Temporary(image.clone().unwrap_or_else(|| IMAGE_DEFAULT.to_owned())),
    };
    let user = |default: &str| through.ssh_user.clone().unwrap_or_else(|| default.to_owned());
    Ok(Some(TransferOptions {
        mode,
        from: ending(&through.from_instance, &through.from_image),
        to: ending(&through.to_instance, &through.to_image),
        instance_type: through.instance_type.clone(),
        access: Access {
            ssh: ssh(&through.reaching)?,
            user: user("root"),
            temporary_user: user("ec2-user"),
            network: through.ssh_from.clone(),
        },
        copy: options.clone(),
    }))
}

/// What is copied from where to where, in order.
async fn legs(
    arguments: &Replicate,
    cloud: &dyn Cloud,
    context: &Context,
) -> CliResult<Vec<(Vec<Region>, Region, Wish)>> {
    let known = context.run.or_cancelled(listing::regions(cloud, &context.run)).await?;
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
        Outcome::Copied { .. } | Outcome::Elsewhere { .. } => None,
    });
    let left = replicated.left.iter().map(|what| Failed {
        region: plan.to.clone(),
        what: Some("the clearing up".to_owned()),
        error: Ec2Error::Machine { what: what.clone() },
    });
    failed.chain(left).collect()
}

fn failure(plan: &Plan, source: &SnapshotId, what: String) -> Failed {
    Failed { region: plan.to.clone(), what: Some(format!("the copy of {source}")), error: Ec2Error::Broken { what } }
}
