//! What several commands read from their arguments and settings, and how they end.

use std::sync::Arc;

use backup_core::aws::Settings;
use ec2_snapshots::adapters::ec2::AwsCloud;
use ec2_snapshots::model::Region;
use ec2_snapshots::ports::Cloud;
use ec2_snapshots::{Failed, listing, regions};

use crate::args::ec2::common::{self, InRegions, Tag, Tagged};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::ec2::failure;
use crate::render::units::counted;

/// EC2 as the AWS environment says.
pub(super) async fn cloud(context: &Context) -> CliResult<Arc<dyn Cloud>> {
    Ok(Arc::new(AwsCloud::new(settings(context).await?)))
}

/// What clients of AWS are made from.
pub(super) async fn settings(context: &Context) -> CliResult<Settings> {
    let settings = context.or_cancelled(async { Ok(Settings::load(None).await) }).await?;
    match settings.fault() {
        None => Ok(settings),
        Some(fault) => Err(CliError::usage(fault, "nothing was asked. Name a file of PEM certificates, or none")),
    }
}

/// Every region, and those that are asked for by options or else by the configuration file.
pub(super) async fn places(
    cloud: &dyn Cloud,
    asked: &InRegions,
    context: &Context,
) -> CliResult<(Vec<Region>, Vec<Region>)> {
    let known = context.run.or_cancelled(listing::regions(cloud, &context.run)).await?;
    let configured = || context.settings.layer().ec2_regions.iter().map(|set| set.value.clone()).collect();
    let names = if asked.region.is_empty() { configured() } else { asked.region.clone() };
    let chosen = regions::resolve_all(&names, &known)?;
    Ok((known, chosen))
}

/// The tag that is asked for, or else the one of the configuration file.
pub(super) fn tag(asked: &Tagged, context: &Context) -> CliResult<Option<(String, String)>> {
    let configured = || {
        let set = context.settings.layer().ec2_tag.as_ref()?;
        Some(
            common::tag(&set.value)
                .map_err(|how| CliError::usage(format!("`ec2.tag` of {} is no tag", set.origin), how.to_string())),
        )
    };
    let tag = match &asked.tag {
        Some(tag) => Some(tag.clone()),
        None => configured().transpose()?,
    };
    Ok(tag.map(|Tag { name, value }| (name, value)))
}

/// Whether there is something to show: a run that did nothing because everything failed has only its error.
pub(super) fn shows(failures: &[Failed], done: usize) -> bool {
    failures.is_empty() || done > 0
}

/// How a run ends: what failed is told; if nothing was done at all, its error is the first one's.
pub(super) fn end(failures: Vec<Failed>, done: usize, context: &Context) -> CliResult<Exit> {
    if done > 0 || failures.is_empty() {
        return partly(failures, context);
    }
    let mut failures = failures.into_iter();
    let first = failures.next();
    for failed in failures {
        context.printer.warn(&failure(&failed));
    }
    first.map_or(Ok(Exit::Ok), |first| Err(first.error.into()))
}

/// How a run ends that did its part, whatever became of it: what failed is told.
pub(super) fn partly(failures: Vec<Failed>, context: &Context) -> CliResult<Exit> {
    for failed in &failures {
        context.printer.warn(&failure(failed));
    }
    match failures.len() {
        0 => Ok(Exit::Ok),
        count => Err(CliError::Partial {
            what: format!("{} could not be done", counted(count as u64, "part", "parts")),
            help: "everything else was done, and the warnings say why. Run the same command again when that is settled"
                .to_owned(),
        }),
    }
}
