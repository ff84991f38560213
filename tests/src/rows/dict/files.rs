//! D5 to D7: single files, DictDB's defects, and programs run after backups.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::{fixture, local, plant};
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// Somebody has to confirm first.
const CONFIRM: i32 = 15;

/// D5.
pub(super) async fn pickle(world: &World) -> RowResult {
    let json = fixture("full/full.json")?;
    for protocol in 0..=5 {
        let name = format!("full_protocol{protocol}.pickle");
        std::fs::write(local(world, &name), fixture(&format!("full/{name}"))?)?;
        world.lastgood(["dict", "convert", &name, "out.json", "--force"]).ok().await?;
        ensure!(std::fs::read(local(world, "out.json"))? == json, "protocol {protocol} is another state");
    }
    world.lastgood(["dict", "convert", "out.json", "back.pickle"]).ok().await?;
    world.lastgood(["dict", "diff", "back.pickle", "out.json"]).ok().await?.says("No differences")?;

    // What is there may be all that is left of a store, also what is read.
    for onto in ["back.pickle", "out.json"] {
        let kept = std::fs::read(local(world, onto))?;
        world.lastgood(["dict", "convert", "out.json", onto]).fails(CONFIRM).await?.says("--force")?;
        let run = world.lastgood(["dict", "convert", "out.json", onto, "-n"]).fails(CONFIRM).await?;
        run.says("Would write")?.says("already exists")?;
        ensure_eq!(std::fs::read(local(world, onto))?, kept, "the file that was there");
    }
    world.lastgood(["dict", "convert", "out.json", "new.pickle", "-n"]).ok().await?.says("dry run")?;
    ensure!(!local(world, "new.pickle").exists(), "a dry run wrote something");

    let witness = local(world, "executed");
    let evil = format!("cos\nsystem\n(S'touch {}'\ntR.", witness.display());
    std::fs::write(local(world, "evil.pickle"), evil)?;
    let before = std::fs::read(local(world, "out.json"))?;
    world.lastgood(["dict", "convert", "evil.pickle", "out.json", "--force"]).fails(13).await?.says("os.system")?;
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

/// D7-secrets: what a watched program prints is passed on, its own lines whole and without what must not be seen.
pub(super) async fn watch_secrets(world: &World) -> RowResult {
    const SECRET: &str = "correct-horse-battery";
    plant(world, "chain").await?;
    let program = local(world, "react");
    std::fs::write(
        &program,
        "#!/bin/sh\necho \"made $1\"\necho \"key $PGPASSWORD\"\necho \"lost $PGPASSWORD\" >&2\nsleep 30 &\n",
    )?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    let words = ["dict", "watch", "--exec", "./react", "--every", "50ms", "--count", "1"];
    let command = world.lastgood(words).env("PGPASSWORD", SECRET).limit(Duration::from_secs(25));
    let mut watching = command.start()?;
    watching.wait_for("watching").await?;
    world.lastgood(["dict", "compact"]).ok().await?;
    let ended = watching.finish().await?.expect_code(0)?;
    ended.says("made dictdb_backup_")?.says("key ****")?.says("lost ****")?.never_says(SECRET)?;
    Ok(())
}

/// D13: a file may be read and yet hold records that fit no table; what a restore refuses, `verify` does not call whole.
pub(super) async fn unfit(world: &World) -> RowResult {
    const FILE: &str = "dictdb_backup_1795230100_113698.json";
    for records in [r#"[{"id": true}, {"id": 1.0}]"#, r#"[{"id": [1, 2]}]"#] {
        let text = format!(r#"{{"tables": {{"t": {{"primary_key": "id", "schema": null, "records": {records}}}}}}}"#);
        world.place().write(FILE, text.as_bytes()).await?;
        world.lastgood(["dict", "restore", "--to", "never.json"]).fails(13).await?;
        world.lastgood(["dict", "verify"]).fails(13).await?.says("no backup can be restored")?;
    }
    // The only backup there is: what is wrong with it, not that there is none.
    world.place().write(FILE, br#"{"tables": {}}x"#).await?;
    let refused = world.lastgood(["dict", "restore", "--to", "never.json"]).fails(13).await?;
    refused.says("something follows the end")?;
    Ok(())
}
