//! Rules by which the server itself expires and moves backups.

use super::{Rules, Scene};
use crate::harness::RowResult;

pub(super) async fn of_the_bucket(scene: &Scene<'_>) -> RowResult {
    let rules = |moves: &'static [&'static str]| {
        let expire = ["app", "lifecycle", "a", "--expire-after", "400d", "--apply"];
        scene.run(&[&expire[..], moves].concat())
    };
    let moving = || rules(&["--glacier-after", "60d"]);
    match scene.kind.rules {
        Rules::All => {
            moving().ok().await?.says("3 added")?;
            moving().ok().await?.says("already has these rules")?;
            rules(&[]).ok().await?.says("1 removed")?;
        }
        Rules::ForgettingSizes => {
            moving().ok().await?.says("3 added")?;
            moving().ok().await?.says("0 added, 1 replaced, 0 removed")?;
            rules(&[]).ok().await?.says("1 removed")?;
        }
        Rules::WithoutSizes => {
            moving().fails(1).await?.says("the store does not support s3:PutLifecycleConfiguration")?;
            rules(&[]).ok().await?.says("2 added")?;
            rules(&[]).ok().await?.says("already has these rules")?;
        }
        Rules::None => {
            rules(&[]).fails(1).await?.says("the store does not support s3:GetLifecycleConfiguration")?;
        }
    }
    Ok(())
}
