//! What an export would do.

use backup_core::run::Run;
use backup_core::store::SharedStore;
use futures_util::TryStreamExt as _;
use serde::Serialize;

use crate::ask;
use crate::blocks::key::ExportKey;
use crate::blocks::listing::{self, Listed, refused_as};
use crate::blocks::stored::Stored;
use crate::error::{Ec2Error, Ec2Result};
use crate::model::{Snapshot, SnapshotId, SnapshotState, VolumeId};
use crate::origin::Origin;
use crate::ports::direct::{Direct, UNRELATED};
use crate::ports::{Ec2, Query};

/// What the export builds on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Parent {
    /// The newest published export of an earlier snapshot of the same volume, if there is one.
    #[default]
    Newest,
    /// Nothing: every block is read.
    None,
    /// The export of this snapshot.
    Of(SnapshotId),
}

/// What an export would do.
#[derive(Clone, Debug, Serialize)]
pub struct ExportPlan {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Its volume, as far as anything says.
    pub volume: VolumeId,
    /// Size of the volume in GiB.
    pub volume_gib: u64,
    /// Blocks that are to be read.
    pub read: u64,
    /// The export it builds on.
    #[serde(skip)]
    pub parent: Option<Stored>,
    /// The export itself, if it is published already.
    #[serde(skip)]
    pub existing: Option<Stored>,
    /// Where it is, or will be.
    #[serde(skip)]
    pub key: ExportKey,
    #[serde(skip)]
    pub(in crate::blocks) listed: Listed,
}

/// Finds out what an export of `snapshot`, which [`readable`] has found, would do. Changes nothing.
///
/// # Errors
/// [`Ec2Error::NoExport`] for a parent that is not exported; what EBS or the store says.
pub async fn plan_export(
    direct: &dyn Direct,
    store: &SharedStore,
    snapshot: Snapshot,
    parent: &Parent,
    run: &Run,
) -> Ec2Result<ExportPlan> {
    let key = ExportKey { region: direct.name().clone(), snapshot: snapshot.id.clone() };
    let volume = Origin::of(&snapshot).volume;
    let listed = Listed::All(snapshot.id.clone());
    let volume_gib = listing::volume_gib(direct, &snapshot.id, run).await?;
    let existing = Stored::find(&**store, &key).await?;
    let mut plan = ExportPlan { snapshot, volume, volume_gib, read: 0, parent: None, existing, key, listed };
    if plan.existing.is_some() {
        return Ok(plan);
    }
    plan.parent = find_parent(store, &plan, parent).await?;
    if let Some(parent) = &plan.parent {
        plan.listed = Listed::Changed(parent.key.snapshot.clone(), plan.key.snapshot.clone());
    }
    plan.read = match count(direct, &plan.listed, run).await {
        Err(error) if *parent == Parent::Newest && unusable(&error) => {
            // The parent is gone from EC2, or was never of this lineage; its blocks are of no use then.
            plan.parent = None;
            plan.listed = Listed::All(plan.key.snapshot.clone());
            count(direct, &plan.listed, run).await?
        }
        other => other?,
    };
    Ok(plan)
}

/// Whether a parent is none for EBS.
fn unusable(error: &Ec2Error) -> bool {
    let missing = matches!(error, Ec2Error::Refused { source } if source.fault == crate::ports::Fault::Missing);
    missing || refused_as(error, UNRELATED)
}

async fn count(direct: &dyn Direct, listed: &Listed, run: &Run) -> Ec2Result<u64> {
    let blocks = listing::blocks(direct, listed.clone(), 0, run);
    blocks.try_fold(0, async |count, block| Ok(count + u64::from(block.token.is_some()))).await
}

/// The snapshot `id`, if it can be read.
///
/// # Errors
/// [`Ec2Error::NotFound`], [`Ec2Error::NotFinished`] or [`Ec2Error::Broken`] for one that cannot; what EC2 says.
pub async fn readable(ec2: &dyn Ec2, id: &SnapshotId, run: &Run) -> Ec2Result<Snapshot> {
    let query = Query { ids: vec![id.to_string()], ..Query::default() };
    let missing = || Ec2Error::NotFound { what: format!("snapshot `{id}`"), region: ec2.name().clone() };
    let found = ask::again(run, id.as_str(), || ec2.snapshots(&query)).await;
    let snapshot = match found {
        Err(Ec2Error::Refused { source }) if source.fault == crate::ports::Fault::Missing => return Err(missing()),
        other => other?.items.into_iter().next().ok_or_else(missing)?,
    };
    match snapshot.state {
        SnapshotState::Completed => Ok(snapshot),
        SnapshotState::Error => {
            let why = snapshot.state_message.as_deref().unwrap_or("EC2 says nothing more");
            Err(Ec2Error::Broken { what: format!("`{id}` failed: {why}") })
        }
        other => Err(Ec2Error::NotFinished { what: format!("`{id}` is {other} and cannot be read yet") }),
    }
}

async fn find_parent(store: &SharedStore, plan: &ExportPlan, parent: &Parent) -> Ec2Result<Option<Stored>> {
    match parent {
        Parent::None => Ok(None),
        Parent::Of(id) => {
            let key = ExportKey { snapshot: id.clone(), ..plan.key.clone() };
            Stored::open(&**store, &key).await.map(Some)
        }
        Parent::Newest => {
            let earlier = Stored::list(&**store, &plan.key.region).await?.into_iter().filter(|stored| {
                stored.detail().volume == plan.volume && stored.detail().start_time < plan.snapshot.start_time
            });
            Ok(earlier.max_by_key(|stored| stored.detail().start_time))
        }
    }
}
