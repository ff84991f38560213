//! Buckets that keep versions, and that lock by default.

use super::Scene;
use crate::harness::RowResult;
use crate::{ensure, ensure_eq};

const VERSIONS: &str = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status></VersioningConfiguration>";
const LOCK: &str = "<ObjectLockConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><ObjectLockEnabled>Enabled</ObjectLockEnabled>\
    <Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>";

pub(super) async fn that_keep(scene: &Scene<'_>) -> RowResult {
    if scene.kind.versions {
        cycle(scene, "versions", "", "versioning", VERSIONS).await?;
    }
    if scene.kind.locks {
        cycle(scene, "locks", "x-amz-bucket-object-lock-enabled: true", "object-lock", LOCK).await?;
    }
    Ok(())
}

/// Retention is about what is listed: older versions, and what is locked, go when the bucket lets them.
async fn cycle(scene: &Scene<'_>, bucket: &str, header: &str, setting: &str, document: &str) -> RowResult {
    let made = scene.server.put(&format!("/{bucket}"), header, "")?;
    let set = scene.server.put(&format!("/{bucket}?{setting}"), "", document)?;
    ensure!(made < 300 && set < 300, "the bucket `{bucket}` was answered {made} and {set}");
    let location = format!("s3://{bucket}/team");
    let run = |args: &[&str]| scene.run(&[args, &["-r", &location]].concat());
    run(&["init"]).ok().await?;
    for _ in 0..2 {
        run(&["app", "backup", "--source", "ndjson:records"]).ok().await?;
    }
    run(&["app", "prune", "--keep-last", "1", "--yes"]).ok().await?.says("Deleted 1 backup")?;
    let left = run(&["app", "ls", "--json"]).ok().await?.json()?;
    ensure_eq!(left.as_array().map(Vec::len), Some(1), "backups in `{bucket}` after retention");
    run(&["app", "verify"]).ok().await?;
    Ok(())
}
