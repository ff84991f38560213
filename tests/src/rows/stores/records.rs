//! Records of an application: every command, small objects and one in several parts.

use super::Scene;
use crate::harness::RowResult;
use crate::rows::app::sources::python;
use crate::rows::app::{read, records};
use crate::{ensure, ensure_eq};

const USERS: &str = "{\"id\": \"1\", \"name\": \"Zoë\"}\n{\"id\": \"2\", \"name\": null}\n";

/// Names in the order of their keys, which is not that of a walk by folders.
const NAMES: [&str; 3] = ["a", "a-b", "a.b"];

/// Some 20 MiB that do not compress: more than one part.
const BULK: &str = "import os\nwith open('records/bulk.json', 'w') as file:\n\
    \x20   for n in range(20): file.write('{\"id\": %d, \"x\": \"%s\"}\\n' % (n, os.urandom(1 << 20).hex()))";

pub(super) async fn there_and_back(scene: &Scene<'_>) -> RowResult {
    let world = scene.world;
    records(world, "records", &[("users.json", USERS)])?;
    for name in NAMES {
        let backup = ["app", "backup", "--source", "ndjson:records", "--name", name];
        scene.run(&backup).ok().await?.says("Published")?;
    }
    let listed = scene.run(&["app", "ls", "--json"]).ok().await?.json()?;
    let keys = listed.as_array().into_iter().flatten().filter_map(|entry| entry["key"].as_str());
    let names: Vec<&str> = keys.filter_map(|key| Some(key.split_once('/')?.0)).collect();
    ensure_eq!(names, NAMES.to_vec(), "the names that are listed");

    python(world, BULK)?;
    let backup = ["app", "backup", "--source", "ndjson:records", "--name", "bulk"];
    scene.run(&backup).ok().await?.says("22 records")?;
    scene.run(&[&backup[..], &["--min-age", "1h"]].concat()).ok().await?.says("Skipped")?;
    scene.run(&["app", "verify"]).ok().await?;
    scene.run(&["app", "restore", "--name", "bulk", "--to", "ndjson:out"]).ok().await?;
    ensure_eq!(read(world, "out/users--users.json")?.as_str(), USERS, "the records");
    let [bulk, restored] =
        ["records/bulk.json", "out/bulk--bulk.json"].map(|file| std::fs::read(world.folder().join(file)));
    ensure!(bulk? == restored?, "the large records are others");

    scene.run(&backup).ok().await?;
    scene.run(&["app", "prune", "bulk", "--keep-last", "1", "--yes"]).ok().await?.says("Deleted 1 backup")?;
    let left = scene.run(&["app", "ls", "bulk", "--json"]).ok().await?.json()?;
    ensure_eq!(left.as_array().map(Vec::len), Some(1), "backups after retention");
    scene.run(&["app", "ls", "-r", "s3://nothing/x"]).fails(10).await?.says("`nothing`")?;
    Ok(())
}
