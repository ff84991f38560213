//! Whose a replica is: of the volumes that are to become it the oldest one's.

use std::time::Duration;

use super::session::Session;
use super::wait;
use crate::error::Ec2Result;
use crate::lineage;
use crate::listing;
use crate::model::{SnapshotId, Volume, VolumeId, VolumeState};
use crate::ports::{Ec2, Filter};
use crate::replicate::copy::SEEN_AFTER;

/// How long our own volume may take to be listed.
const LISTED_WITHIN: Duration = Duration::from_secs(180);

/// Whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Ours.
    Ours,
    /// That of the run that made this volume.
    Theirs(VolumeId),
}

fn is_there(volume: &&Volume) -> bool {
    matches!(volume.state, VolumeState::Creating | VolumeState::Available | VolumeState::InUse)
}

/// Whose the replica is, by the volumes that are to become it: that of the oldest by EC2's clock, and of two as old that of
/// the lesser id. Unknown while our own one is not listed.
fn decide(volumes: &[Volume], own: &VolumeId) -> Option<Claim> {
    let there: Vec<&Volume> = volumes.iter().filter(is_there).collect();
    there.iter().find(|volume| volume.id == *own)?;
    let first = there.iter().min_by_key(|volume| (volume.created, &volume.id))?;
    Some(if first.id == *own { Claim::Ours } else { Claim::Theirs(first.id.clone()) })
}

/// Waits until whoever claimed `source` before us is seen by us, and says whose it is.
pub(super) async fn settle(
    session: &Session<'_>,
    destination: &dyn Ec2,
    source: &SnapshotId,
    own: &VolumeId,
) -> Ec2Result<Claim> {
    wait::pause(SEEN_AFTER, session.run).await?;
    let what = || format!("volume {own} was not listed");
    let look = || async { Ok(decide(&of(destination, source, session).await?, own)) };
    wait::until(LISTED_WITHIN, what, session.run, look).await
}

async fn of(destination: &dyn Ec2, source: &SnapshotId, session: &Session<'_>) -> Ec2Result<Vec<Volume>> {
    let filter = Filter::tag(lineage::REPLICATING, source.as_str());
    listing::volumes(destination, vec![filter], session.run).await
}

/// The volume that another run has claimed `source` with, if there is one. Called once what dead runs left is removed.
pub(super) async fn of_others(
    session: &Session<'_>,
    destination: &dyn Ec2,
    source: &SnapshotId,
) -> Ec2Result<Option<VolumeId>> {
    let volumes = of(destination, source, session).await?;
    let others = volumes.iter().filter(|volume| !volume.tags.has(lineage::TEMPORARY, &session.id));
    Ok(others.filter(is_there).min_by_key(|volume| (volume.created, &volume.id)).map(|volume| volume.id.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Tags;

    fn volume(id: &str, created: &str, state: VolumeState) -> Volume {
        Volume {
            id: id.into(),
            region: "us-east-1".parse().unwrap(),
            zone: "us-east-1a".to_owned(),
            state,
            size_gib: 1,
            encrypted: false,
            snapshot: None,
            created: Some(created.parse().unwrap()),
            attachments: Vec::new(),
            tags: Tags::new(),
        }
    }

    #[test]
    fn the_oldest_volume_decides_and_everybody_sees_the_same() {
        let (early, late) = ("2026-11-21T03:00:00Z", "2026-11-21T03:00:01Z");
        let all = [
            volume("vol-3", late, VolumeState::Creating),
            volume("vol-2", early, VolumeState::InUse),
            volume("vol-1", early, VolumeState::Deleting),
            volume("vol-4", early, VolumeState::Available),
        ];
        assert_eq!(decide(&all, &"vol-2".into()), Some(Claim::Ours));
        for other in ["vol-3", "vol-4"] {
            assert_eq!(decide(&all, &other.into()), Some(Claim::Theirs("vol-2".into())), "{other}");
        }
        assert_eq!(decide(&all, &"vol-9".into()), None);
    }
}
