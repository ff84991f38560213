//! What a killed run leaves: nothing that looks like a backup, and nothing that stands in the way of the next.

use backup_core::store::StoreDelete as _;

use super::Scene;
use crate::harness::{Failure, RowResult};
use crate::{ensure, ensure_eq};

const BACKUP: [&str; 6] = ["app", "backup", "--source", "ndjson:records", "--name", "killed"];
const CLEAR: [&str; 4] = ["app", "prune", "killed", "--incomplete"];

pub(super) async fn by_killed_runs(scene: &Scene<'_>) -> RowResult {
    // Amid the upload, and between the tarball and its manifest.
    for step in ["app.finish", "app.manifest"] {
        scene.run(&BACKUP).env("LASTGOOD_CRASH_AT", step).run().await?.expect_killed()?;
    }
    let uploads = unfinished(scene).await?;
    ensure_eq!(uploads, scene.kind.uploads.then_some(1), "unfinished uploads that the server shows");
    ensure_eq!(backups(scene).await?, 0, "backups after two kills");
    // Whoever runs may still be alive.
    scene.run(&CLEAR).ok().await?;
    ensure_eq!(unfinished(scene).await?, uploads, "unfinished uploads after a prune with grace");
    let cleared = scene.run(&[&CLEAR[..], &["--grace", "0s"]].concat()).ok().await?;
    if scene.kind.uploads {
        cleared.says("aborted 1 unfinished upload")?;
        ensure_eq!(unfinished(scene).await?, Some(0), "unfinished uploads after prune");
    } else {
        cleared.says("unfinished uploads of interrupted runs cannot be found")?;
    }
    let tarballs = backup_core::store::list_all(&scene.store, "app/killed/").await?;
    let tarballs = tarballs.iter().filter(|object| object.key.as_str().ends_with(".tar.gz")).count();
    ensure_eq!(tarballs, 0, "tarballs without a manifest after prune");
    scene.run(&BACKUP).ok().await?.says("Published")?;
    ensure_eq!(backups(scene).await?, 1, "backups after the run was made again");
    scene.run(&["app", "verify", "--name", "killed"]).ok().await?;
    Ok(())
}

/// How many unfinished uploads there are; none where the server does not tell.
async fn unfinished(scene: &Scene<'_>) -> RowResult<Option<usize>> {
    match scene.store.unfinished("app/killed/").await {
        Ok(found) => Ok(Some(found.len())),
        Err(error) if error.is_unsupported() => Ok(None),
        Err(error) => Err(Failure::from(error)),
    }
}

async fn backups(scene: &Scene<'_>) -> RowResult<usize> {
    let listed = scene.run(&["app", "ls", "killed", "--json"]).run().await?;
    ensure!(listed.code() == Some(0), "`app ls` ended with {:?}", listed.code());
    Ok(listed.json()?.as_array().into_iter().flatten().filter(|entry| entry["state"] == "good").count())
}
