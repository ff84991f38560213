//! Which layouts of backups this program knows.

use backup_core::location::Layout;

/// Every form of backups a location may hold, ours first: what both hold is ours.
pub(crate) fn layouts() -> Vec<Layout> {
    let mut all: Vec<Layout> = pg_clone::stored::key::LAYOUTS.into();
    #[cfg(feature = "app")]
    all.extend(object_backup::key::LAYOUTS);
    #[cfg(feature = "dict")]
    all.extend(dictstore_backup::key::LAYOUTS);
    #[cfg(feature = "glacier")]
    all.extend(glacier_archive::key::LAYOUTS);
    #[cfg(feature = "ec2")]
    all.extend(ec2_snapshots::blocks::key::LAYOUTS);
    // Stable: otherwise they stay in this order.
    all.sort_by_key(|layout| !layout.ours);
    all
}
