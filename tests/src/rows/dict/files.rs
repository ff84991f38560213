//! D5 to D7: single files, DictDB's defects, and programs run after backups.

use std::time::Duration;

use super::{fixture, local, plant};
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// D5.
pub(super) async fn pickle(world: &World) -> RowResult {
    let json = fixture("full/full.json")?;
    for protocol in 0..=5 {
        let name = format!("full_protocol{protocol}.pickle");
        std::fs::write(local(world, &name), fixture(&format!("full/{name}"))?)?;
        world.lastgood(["dict", "convert", &name, "out.json"]).ok().await?;
        ensure!(std::fs::read(local(world, "out.json"))? == json, "protocol {protocol} is another state");
    }
    world.lastgood(["dict", "convert", "out.json", "back.pickle"]).ok().await?;
    world.lastgood(["dict", "diff", "back.pickle", "out.json"]).ok().await?.says("No differences")?;

    let witness = local(world, "executed");
    let evil = format!("cos\nsystem\n(S'touch {}'\ntR.", witness.display());
    std::fs::write(local(world, "evil.pickle"), evil)?;
    let before = std::fs::read(local(world, "out.json"))?;
    world.lastgood(["dict", "convert", "evil.pickle", "out.json"]).fails(13).await?.says("os.system")?;
    ensure!(!witness.exists(), "something was executed");
    ensure_eq!(std::fs::read(local(world, "out.json"))?, before, "the file after a refused conversion");
    Ok(())
}

/// D6.
pub(super) async fn semantics(world: &World) -> RowResult {
    let names = [("merge_base", "dictdb_backup_0000000001_000000"), ("merge_delta", "dictdb_delta_0000000002_000000")];
    for (from, to) in names {
        world.place().write(&format!("{to}.json"), &fixture(&format!("edge/{from}.json"))?).await?;
    }
    world.lastgood(["dict", "restore", "--to", "ours.json"]).ok().await?;
    world.lastgood(["dict", "restore", "--to", "theirs.json", "--dictdb-semantics"]).ok().await?;
    let (ours, theirs) =
        (std::fs::read_to_string(local(world, "ours.json"))?, std::fs::read_to_string(local(world, "theirs.json"))?);
    ensure!(ours.contains(r#"{"id": 1, "c": 3}"#), "fields of the deleted record came back: {ours}");
    ensure!(theirs.contains(r#"{"id": 1, "a": 1, "b": 2, "c": 3}"#), "not what DictDB makes of it: {theirs}");
    Ok(())
}

/// D7.
pub(super) async fn watch(world: &World) -> RowResult {
    plant(world, "chain").await?;
    let command = ["dict", "watch", "--exec", "touch", "--every", "50ms", "--count", "1"];
    let mut watching = world.lastgood(command).limit(Duration::from_secs(60)).start()?;
    watching.wait_for("watching").await?;
    world.lastgood(["dict", "compact"]).ok().await?;
    watching.finish().await?.expect_code(0)?;
    let manifests = world.place().keys_ending(".manifest.json").await?;
    let file = manifests[0].trim_start_matches("manifests/").trim_end_matches(".manifest.json").to_owned();
    ensure!(local(world, &file).exists(), "the program was not given `{file}`");
    Ok(())
}
