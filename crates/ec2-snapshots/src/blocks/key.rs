//! Keys of exports: `ec2/exports/REGION/SNAPSHOT.export/…`.

use std::fmt;

use backup_core::StoreError;
use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use backup_core::location::Layout;
use backup_core::manifest::MANIFEST_NAME;

use crate::model::{Region, SnapshotId, VolumeId};

/// Every export of a location.
pub const FOLDER: &str = "ec2/exports/";

/// How the folder of an export ends.
pub const SUFFIX: &str = ".export";

/// Which segment of its keys the folder of an export is, from 1, for what clears leftovers away.
pub const DEPTH: usize = 4;

/// What of a location is exports of snapshots.
pub const LAYOUTS: [Layout; 1] =
    [Layout { name: "exported snapshots of lastgood", ours: true, holds: |key| key.as_str().starts_with(FOLDER) }];

/// Where an export is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExportKey {
    /// The region that the snapshot is in.
    pub region: Region,
    /// The snapshot.
    pub snapshot: SnapshotId,
}

impl ExportKey {
    /// The export that a manifest's key, or any key in its folder, belongs to.
    #[must_use]
    pub fn of(key: &Key) -> Option<Self> {
        let mut segments = key.as_str().strip_prefix(FOLDER)?.split('/');
        let (region, folder) = (segments.next()?.parse().ok()?, segments.next()?);
        segments.next()?;
        Some(Self { region, snapshot: SnapshotId::new(folder.strip_suffix(SUFFIX)?) })
    }

    /// Its folder, with a final slash.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("{}{}{SUFFIX}/", region_folder(&self.region), self.snapshot)
    }

    /// Where its manifest is.
    ///
    /// # Errors
    /// If the key would be none.
    pub fn manifest(&self) -> Result<Key, StoreError> {
        Key::new(format!("{}{MANIFEST_NAME}", self.folder()))
    }

    /// The folder of the packs of the segment that begins at the block `first`, with a final slash.
    pub(super) fn packs(&self, first: u32) -> String {
        format!("{}packs/{first:010}/", self.folder())
    }

    pub(super) fn pack(&self, first: u32, sha256: &Sha256Digest) -> Result<Key, StoreError> {
        Key::new(format!("{}{sha256}.pack", self.packs(first)))
    }

    /// Named by its content too: of two runs that export the same snapshot at once, none overwrites the other's.
    pub(super) fn index(&self, first: u32, sha256: &Sha256Digest) -> Result<Key, StoreError> {
        Key::new(format!("{}index/{first:010}.{sha256}.json.zst", self.folder()))
    }
}

/// `REGION/SNAPSHOT`, as commands take it.
impl fmt::Display for ExportKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.region, self.snapshot)
    }
}

/// All exports of a region, with a final slash.
#[must_use]
pub fn region_folder(region: &Region) -> String {
    format!("{FOLDER}{region}/")
}

/// The hint at the newest export of a volume.
///
/// # Errors
/// If the key would be none.
pub fn pointer(region: &Region, volume: &VolumeId) -> Result<Key, StoreError> {
    Key::new(format!("{}{volume}.latest.json", region_folder(region)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_again_from_every_object_of_its_export() {
        let key = ExportKey { region: "eu-west-1".parse().unwrap(), snapshot: "snap-1".into() };
        for object in [
            key.manifest().unwrap(),
            key.index(0, &Sha256Digest::of(b"")).unwrap(),
            key.pack(65_536, &Sha256Digest::of(b"x")).unwrap(),
        ] {
            assert_eq!(ExportKey::of(&object).as_ref(), Some(&key), "{object}");
            assert_eq!(object.as_str().split('/').nth(DEPTH - 1), Some("snap-1.export"));
            assert!((LAYOUTS[0].holds)(&object));
        }
        assert_eq!(ExportKey::of(&Key::new("ec2/exports/eu-west-1/vol-1.latest.json").unwrap()), None);
        assert_eq!(ExportKey::of(&Key::new("pg/shop/x.dump/manifest.json").unwrap()), None);
    }
}
