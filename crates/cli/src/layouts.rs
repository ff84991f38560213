//! Which layouts of backups this program knows.

use backup_core::location::Layout;

/// Every form of backups a location may hold, ours first: what both hold is ours.
pub(crate) fn layouts() -> Vec<Layout> {
    let all = [pg_clone::stored::key::LAYOUTS, object_backup::key::LAYOUTS, dictstore_backup::key::LAYOUTS];
    let folders = glacier_archive::key::LAYOUTS.into_iter().chain(ec2_snapshots::blocks::key::LAYOUTS);
    let (mut ours, others): (Vec<Layout>, Vec<Layout>) =
        all.into_iter().flatten().chain(folders).partition(|layout| layout.ours);
    ours.extend(others);
    ours
}
