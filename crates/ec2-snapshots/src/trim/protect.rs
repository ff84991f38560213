//! Why a snapshot must not be trimmed, whatever the policy says: pure, from what EC2 says of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use backup_core::retention::PRESERVE_TAG;

use crate::model::{ImageId, Snapshot, SnapshotId, SnapshotState, StorageTier};
use crate::origin::Origin;

/// Why a snapshot stays that others use.
pub(super) const SHARED: &str = "shared with other accounts";

/// What only other listings say of snapshots of one region.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Those that are locked.
    pub locked: BTreeSet<SnapshotId>,
    /// Those that an image needs; none if images could not be listed. Then descriptions are believed.
    pub images: Option<BTreeMap<SnapshotId, ImageId>>,
    /// Those that are being copied to another region, and where to.
    pub copying: BTreeMap<SnapshotId, String>,
    /// Those that other accounts may use.
    pub shared: BTreeSet<SnapshotId>,
}

/// Tags by which AWS Backup and Data Lifecycle Manager know their snapshots (AWS Backup Developer Guide, "Copying tags";
/// DLM, "How Amazon Data Lifecycle Manager works").
const OF_AWS_BACKUP: &str = "aws:backup:source-resource";
const OF_DLM: [&str; 2] = ["aws:dlm:lifecycle-policy-id", "dlm:managed"];

/// How descriptions of snapshots begin that AWS Backup made, and that an image was made with.
const BY_AWS_BACKUP: &str = "This snapshot is created by the AWS Backup service";
const BY_CREATE_IMAGE: &str = "Created by CreateImage(";

/// Why `snapshot` must not be deleted, if so.
pub(super) fn reason(snapshot: &Snapshot, origin: &Origin, standing: &Standing) -> Option<Arc<str>> {
    let fixed = |text: &str| Some(Arc::from(text));
    match snapshot.state {
        SnapshotState::Pending => return fixed("not complete yet"),
        SnapshotState::Recoverable | SnapshotState::Recovering => return fixed("in the recycle bin"),
        SnapshotState::Unknown => return fixed("in a state this version does not know"),
        SnapshotState::Completed | SnapshotState::Error => {}
    }
    let image = match &standing.images {
        Some(images) => images.get(&snapshot.id).map(|image| format!("in use by {image}")),
        None => made_for(&snapshot.description).map(|image| format!("in use by {image}, as its description says")),
    };
    if let Some(image) = image {
        return Some(image.into());
    }
    if let Some(region) = standing.copying.get(&snapshot.id) {
        return Some(format!("being copied to {region}").into());
    }
    if standing.locked.contains(&snapshot.id) {
        return fixed("locked");
    }
    if standing.shared.contains(&snapshot.id) {
        return fixed(SHARED);
    }
    if snapshot.tier == StorageTier::Archive {
        return fixed("archived");
    }
    if snapshot.tags.filled(PRESERVE_TAG).is_some() {
        return fixed("tag `preserve_snapshot`");
    }
    if snapshot.tags.get(OF_AWS_BACKUP).is_some() || snapshot.description.starts_with(BY_AWS_BACKUP) {
        return fixed("managed by AWS Backup");
    }
    if OF_DLM.iter().any(|name| snapshot.tags.get(name).is_some()) {
        return fixed("managed by Data Lifecycle Manager");
    }
    // Among snapshots of which nothing says that they are of one volume, none makes another one dispensable.
    if snapshot.state == SnapshotState::Completed && !origin.volume.is_known() {
        return fixed("nothing says which volume it is of");
    }
    None
}

/// The image that the snapshot was made for: `Created by CreateImage(i-…) for ami-… from vol-…`.
fn made_for(description: &str) -> Option<&str> {
    let rest = description.strip_prefix(BY_CREATE_IMAGE)?;
    rest.split_whitespace().find(|word| word.starts_with("ami-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_world::snapshot;

    fn of(change: impl FnOnce(&mut Snapshot, &mut Standing)) -> Option<String> {
        let (mut snapshot, mut standing) = (snapshot("snap-1", "vol-1", "2026-11-21T03:00:00Z"), Standing::default());
        change(&mut snapshot, &mut standing);
        reason(&snapshot, &Origin::of(&snapshot), &standing).map(|reason| reason.to_string())
    }

    #[test]
    fn e8_each_protection_says_why() {
        let id = || SnapshotId::from("snap-1");
        assert_eq!(of(|_, _| ()), None);
        for (expected, found) in [
            ("in use by ami-7", of(|_, standing| standing.images = Some([(id(), "ami-7".into())].into()))),
            ("locked", of(|_, standing| assert!(standing.locked.insert(id())))),
            ("shared with other accounts", of(|_, standing| assert!(standing.shared.insert(id())))),
            (
                "being copied to us-east-1",
                of(|_, standing| drop(standing.copying.insert(id(), "us-east-1".to_owned()))),
            ),
            ("archived", of(|snapshot, _| snapshot.tier = StorageTier::Archive)),
            ("tag `preserve_snapshot`", of(|snapshot, _| snapshot.tags.set(PRESERVE_TAG, "1"))),
            ("managed by AWS Backup", of(|snapshot, _| snapshot.tags.set(OF_AWS_BACKUP, "arn"))),
            ("nothing says which volume it is of", of(|snapshot, _| snapshot.volume = "vol-ffffffff".into())),
            ("managed by Data Lifecycle Manager", of(|snapshot, _| snapshot.tags.set("dlm:managed", "true"))),
            ("not complete yet", of(|snapshot, _| snapshot.state = SnapshotState::Pending)),
            (
                "in use by ami-9, as its description says",
                of(|snapshot, _| snapshot.description = "Created by CreateImage(i-1) for ami-9 from vol-1".to_owned()),
            ),
        ] {
            assert_eq!(found.as_deref(), Some(expected));
        }
        let gone = |snapshot: &mut Snapshot, standing: &mut Standing| {
            snapshot.description = "Created by CreateImage(i-1) for ami-9 from vol-1".to_owned();
            standing.images = Some(BTreeMap::new());
        };
        assert_eq!(of(gone), None);
        assert_eq!(of(|snapshot, _| snapshot.tags.set(PRESERVE_TAG, "")), None);
        assert_eq!(of(|snapshot, _| snapshot.state = SnapshotState::Error), None);
    }
}
