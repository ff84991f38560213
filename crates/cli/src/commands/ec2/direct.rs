//! EC2 and EBS direct in one region, and the location that an option names.

use std::sync::Arc;

use ec2_snapshots::adapters::ebs::AwsDirect;
use ec2_snapshots::adapters::ec2::AwsCloud;
use ec2_snapshots::model::Region;
use ec2_snapshots::ports::direct::Direct;
use ec2_snapshots::ports::{Cloud as _, Ec2};
use ec2_snapshots::{listing, regions};
use lastgood_operator::settings::{Layer, Set};

use crate::context::Context;
use crate::error::CliResult;

/// A region's clients.
pub(super) struct Place {
    pub(super) region: Region,
    pub(super) ec2: Arc<dyn Ec2>,
    pub(super) direct: Arc<dyn Direct>,
}

/// The clients of the regions that are named, in order.
pub(super) async fn places(names: &[&str], context: &Context) -> CliResult<Vec<Place>> {
    let finding = async {
        let cloud = AwsCloud::load().await;
        let known = listing::regions(&cloud, &context.run).await?;
        let mut places = Vec::new();
        for name in names {
            let region = regions::resolve(name, &known)?;
            let direct: Arc<dyn Direct> = Arc::new(AwsDirect::new(cloud.settings(), &region));
            places.push(Place { ec2: cloud.region(&region), direct, region });
        }
        Ok(places)
    };
    context.or_cancelled(finding).await
}

/// The surroundings with the location that the option `flag` names, if it does: it counts before that of `-r`.
pub(super) fn at(flag: &'static str, location: Option<&String>, context: &Context) -> CliResult<Context> {
    let mut at = context.clone();
    let repo = location.map(|text| Set::flag(flag, text.clone()));
    at.settings = context.config.settings(None, Layer { repo, ..Layer::default() })?;
    Ok(at)
}
