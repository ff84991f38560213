//! Texts about images.

use ec2_snapshots::image::ImagePlan;
use ec2_snapshots::model::ImageId;
use serde::Serialize;

use super::lines;

/// An image that was made.
#[derive(Debug, Serialize)]
pub(crate) struct Made {
    pub(crate) image: ImageId,
    pub(crate) plan: ImagePlan,
}

pub(crate) fn planned(plan: &ImagePlan) -> String {
    let mut all = vec![format!("create  `{}` in {}, {}", plan.name, plan.region, plan.architecture)];
    all.extend(plan.devices.iter().map(|device| {
        let root = if device.device == plan.root_device { ", root" } else { "" };
        format!("        {} of {}, {} GiB{root}", device.device, device.snapshot, device.size_gib)
    }));
    lines(all)
}

pub(crate) fn made(made: &Made) -> String {
    format!("Created image {} `{}` in {}", made.image, made.plan.name, made.plan.region)
}
