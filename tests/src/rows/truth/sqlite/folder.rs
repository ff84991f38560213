//! W7-folder: a disk that takes names for one which the backup has apart.

use std::path::Path;
use std::time::Duration;

use crate::harness::{FoldingDisk, RowResult, World};
use crate::rows::app::records;
use crate::{ensure, ensure_eq};

/// What is in a folder, by name, with the first word that tells the records apart.
fn files(folder: &Path) -> RowResult<Vec<String>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let text = std::fs::read_to_string(entry.path())?;
        files.push(format!("{} {}", entry.file_name().to_string_lossy(), text.trim()));
    }
    files.sort();
    Ok(files)
}

/// W7-folder.
pub(super) async fn folded(world: &World) -> RowResult {
    let [composed, apart] = ["Zo\u{e9}--z", "Zoe\u{301}--z"];
    let [(upper, first), (lower, second)] = [("User--users", "{\"id\": 1}"), ("user--users", "{\"id\": 2}")];
    records(world, "case", &[(&format!("{upper}.json"), first), (&format!("{lower}.json"), second)])?;
    records(world, "form", &[(&format!("{composed}.json"), first), (&format!("{apart}.json"), second)])?;
    world.lastgood(["app", "backup", "--source", "ndjson:case", "--name", "case"]).ok().await?;
    world.lastgood(["app", "backup", "--source", "ndjson:form", "--name", "form"]).ok().await?;

    // Here both are files.
    let both = [format!("{upper}.json {first}"), format!("{lower}.json {second}")];
    world.lastgood(["app", "restore", "--name", "case", "--to", "ndjson:plain"]).ok().await?;
    ensure_eq!(files(&world.folder().join("plain"))?, both.to_vec(), "files on a disk that tells case apart");
    world.lastgood(["app", "restore", "--name", "form", "--to", "ndjson:plain"]).ok().await?;
    ensure_eq!(files(&world.folder().join("plain"))?.len(), 4, "files with both forms of a letter");

    let disk = world.folder().join("disk");
    let _mounted = FoldingDisk::mount(&disk)?;
    std::fs::write(disk.join("probe"), "")?;
    ensure!(disk.join("PROBE").exists(), "the disk does not fold case, so that the row shows nothing");
    std::fs::remove_file(disk.join("probe"))?;
    let to = format!("ndjson:{}", disk.join("out").display());
    for (name, one, two) in [("case", upper, lower), ("form", apart, composed)] {
        for dry in [&["-n"][..], &[]] {
            let restore = world.lastgood(["app", "restore", "--name", name, "--to", &to]).args(dry.iter().copied());
            let said = restore.fails(1).await?.says(&format!("`{one}` and `{two}` would share the file"))?;
            let said = if name == "form" { said.says(r"`Zo\u{e9}--z.json`")? } else { said };
            said.says("treats both names as one")?.says("`--type")?.says("nothing was restored")?;
            ensure_eq!(std::fs::read_dir(&disk)?.count(), 0, "files after a refused restore");
        }
    }
    let one = ["app", "restore", "--name", "case", "--to", &to];
    world.lastgood(one).args(["--type", lower]).ok().await?;
    let there = |records: &str| vec![format!("{lower}.json {records}")];
    ensure_eq!(files(&disk.join("out"))?, there(second), "the one that was asked for");
    // It is the file of the other one too, as far as this disk goes.
    for dry in [&["-n"][..], &[]] {
        let restore = world.lastgood(one).args(["--type", upper]).args(dry.iter().copied());
        restore.fails(1).await?.says(&format!("{lower}.json` is there already"))?;
    }
    world.lastgood(one).args(["--type", upper, "--on-conflict", "skip"]).ok().await?;
    ensure_eq!(files(&disk.join("out"))?, there(second), "what was to stay");
    world.lastgood(one).args(["--type", upper, "--on-conflict", "replace"]).ok().await?.says("1 replaced")?;
    ensure_eq!(files(&disk.join("out"))?, vec![format!("{upper}.json {first}")], "what was to be replaced");
    Ok(())
}

/// W6-folder.
pub(super) async fn meanwhile(world: &World) -> RowResult {
    records(world, "records", &[("User--users.json", "{\"id\": 1}")])?;
    world.lastgood(["app", "backup", "--source", "ndjson:records"]).ok().await?;
    let at = |name: &str| world.folder().join(name);
    for (came, gone, said) in
        [("new.txt", "", "`new.txt`"), ("", "note.txt", "`note.txt`"), ("inner/x", "", "not a regular file")]
    {
        records(world, "out", &[("note.txt", "note"), ("User--users.json", "old")])?;
        let restore = ["app", "restore", "--to", "ndjson:out", "--on-conflict", "replace"];
        let run = world.lastgood(restore).env("LASTGOOD_PAUSE_AT", "app.commit");
        let mut run = run.env("LASTGOOD_PAUSE_FILE", at("pause").display().to_string()).start()?;
        while !at("pause").exists() {
            ensure!(!run.has_ended()?, "the restore did not wait before its end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if let Some((folder, _)) = came.split_once('/') {
            std::fs::create_dir(at("out").join(folder))?;
        }
        if !came.is_empty() {
            std::fs::write(at("out").join(came), "of the application")?;
        }
        if !gone.is_empty() {
            std::fs::remove_file(at("out").join(gone))?;
        }
        std::fs::remove_file(at("pause"))?;
        run.finish().await?.expect_code(1)?.says(said)?.says("nothing was restored")?;
        ensure!(came.is_empty() || at("out").join(came).exists(), "what came while the restore ran is gone");
        ensure!(gone.is_empty() || !at("out").join(gone).exists(), "what went while the restore ran is back");
        ensure_eq!(std::fs::read_to_string(at("out/User--users.json"))?.as_str(), "old", "the file that was there");
        std::fs::remove_dir_all(at("out"))?;
        let left = std::fs::read_dir(world.folder())?.filter_map(Result::ok);
        let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with(".lastgood-restore")).count();
        ensure_eq!(left, 0, "folders left behind");
    }
    Ok(())
}
