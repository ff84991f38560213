//! Reads every block of a snapshot by the SDK and does nothing with it, for `cargo xtask bench ec2`: what any program that
//! reads a snapshot through EBS direct does at least.
//!
//! `cargo run --release -p ec2-snapshots --example blocks_alone -- REGION SNAPSHOT`

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;

use ec2_snapshots::adapters::ebs::AwsDirect;
use ec2_snapshots::adapters::ec2::AwsCloud;
use ec2_snapshots::blocks::IN_FLIGHT;
use ec2_snapshots::model::{Region, SnapshotId};
use ec2_snapshots::ports::direct::{BlockQuery, Direct, ListedBlock};
use futures_util::{StreamExt as _, stream};

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

async fn listed(direct: &AwsDirect, snapshot: &SnapshotId) -> Outcome<Vec<ListedBlock>> {
    let (mut blocks, mut query) = (Vec::new(), BlockQuery::default());
    loop {
        let page = direct.blocks(snapshot, &query).await?;
        blocks.extend(page.blocks);
        match page.next {
            Some(token) => query.token = Some(token),
            None => return Ok(blocks),
        }
    }
}

/// As many at once as an export reads, each in a task of its own so that all processors are used.
async fn read(region: &Region, snapshot: SnapshotId) -> Outcome<usize> {
    let cloud = AwsCloud::load().await;
    let direct = Arc::new(AwsDirect::new(cloud.settings(), region));
    let blocks = listed(&direct, &snapshot).await?;
    let reading = stream::iter(blocks.into_iter().map(|block| {
        let (direct, snapshot) = (Arc::clone(&direct), snapshot.clone());
        tokio::spawn(async move {
            let token = block.token.unwrap_or_default();
            direct.block(&snapshot, block.index, &token).await.map(|received| received.bytes.len())
        })
    }));
    let mut reading = reading.buffer_unordered(IN_FLIGHT);
    let mut bytes = 0;
    while let Some(read) = reading.next().await {
        bytes += read??;
    }
    Ok(bytes)
}

fn main() -> Outcome {
    let mut words = std::env::args().skip(1);
    let (Some(region), Some(snapshot)) = (words.next(), words.next()) else {
        return Err("give a region and a snapshot".into());
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let bytes = runtime.block_on(read(&region.parse()?, SnapshotId::new(snapshot)))?;
    Ok(writeln!(std::io::stdout(), "{bytes}")?)
}
