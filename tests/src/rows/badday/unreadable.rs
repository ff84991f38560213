//! One manifest that cannot be read: of another user, in cold storage, on a disk that fails. It stops nothing but what may
//! depend on it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;
use std::process::Command;

use backup_testkit::faults::{Action, Rule};

use super::{CONFIRMATION, PARTIAL, dumped, recorded};
use crate::harness::failure::Within as _;
use crate::harness::{Failure, Lastgood, Place, RowResult, World};
use crate::rows::dict::plant;
use crate::{ensure, ensure_eq};

/// Longer than any manifest: 65 MiB.
const LARGE_BYTES: u64 = 65 << 20;

/// A regular file of some size that nobody can read: a loop has no speed (Linux, "sysfs-class-net").
const UNREADABLE: &str = "/sys/class/net/lo/speed";

/// Some other user.
const NOBODY: u32 = 65_534;

/// Takes from root what lets it read everything.
const AS_OTHERS: [&str; 3] = ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"];

/// An object that fails to be read: on S3 it lies in cold storage, in a folder the disk says so.
struct Unreadable<'w> {
    world: &'w World,
    object: String,
}

impl<'w> Unreadable<'w> {
    fn new(world: &'w World, object: &str) -> RowResult<Self> {
        match world.place() {
            Place::Folder(root) => {
                let mount = Command::new("mount").args(["--bind", UNREADABLE]).arg(root.join(object)).output()?;
                if !mount.status.success() {
                    let why = String::from_utf8_lossy(&mount.stderr).trim().to_owned();
                    return Err(Failure::Skipped(format!("a file cannot be made unreadable, which needs root: {why}")));
                }
            }
            Place::S3 { peer, .. } => {
                let cold = Action::Status { status: 403, code: "InvalidObjectState".to_owned() };
                peer.faults([Rule::new(cold).on("GetObject").where_key_contains(object)]);
            }
        }
        Ok(Self { world, object: object.to_owned() })
    }
}

impl Drop for Unreadable<'_> {
    fn drop(&mut self) {
        match self.world.place() {
            Place::Folder(root) => {
                let _unmounted = Command::new("umount").arg(root.join(&self.object)).status();
            }
            Place::S3 { peer, .. } => peer.clear_faults(),
        }
    }
}

fn states(listed: &serde_json::Value) -> Vec<String> {
    let all = listed.as_array().into_iter().flatten();
    all.filter_map(|entry| Some(entry["state"].as_str()?.to_owned())).collect()
}

/// B-unreadable.
pub(super) async fn dumps(world: &World) -> RowResult {
    let (shop, keys) = dumped(world, "shop", 3).await?;
    let (blog, blogs) = dumped(world, "blog", 2).await?;
    let unreadable = Unreadable::new(world, &format!("pg/{}/manifest.json", keys[2]))?;
    let run = |command: &[&str]| world.lastgood(command.iter().copied());
    run(&["pg", "ls"]).ok().await?.says("UNREADABLE")?.says(&blogs[1])?;
    ensure_eq!(
        states(&run(&["pg", "ls", &shop, "--json"]).ok().await?.json()?),
        ["good", "good", "unreadable"],
        "the states"
    );
    run(&["pg", "ls", "--only-db-names"]).ok().await?.says(&shop)?;
    run(&["doctor"]).ok().await?;

    // The newest that can be read is not taken without a word.
    let copy = world.name("copy");
    for wanted in [shop.clone(), format!("{shop}~1"), format!("{shop}@2999-01-01T00:00:00Z")] {
        let refused = run(&["pg", "restore", &wanted, "--into", &copy]).fails(CONFIRMATION).await?;
        refused.says(&keys[2])?.says("`--allow-older`")?;
    }
    ensure!(!world.databases()?.contains(&copy), "something was restored");
    run(&["pg", "restore", &keys[2], "--into", &copy]).fails(1).await?;
    let older = run(&["pg", "restore", &shop, "--into", &copy, "--allow-older"]).ok().await?;
    older.says(&keys[1])?.says("skipped a newer dump")?.says(&keys[2])?;
    run(&["pg", "restore", &keys[0], "--into", &world.name("other")]).ok().await?.never_says("skipped")?;

    // Its database keeps everything, and others are pruned.
    for command in [&["pg", "prune", "--keep-last", "1", "-n"][..], &["pg", "prune", "--keep-last", "1", "--yes"]] {
        run(command).fails(PARTIAL).await?.says(&format!("`pg/{}/manifest.json` cannot be read", keys[2]))?;
    }
    ensure_eq!(world.keys(&blog).await?, blogs[1..].to_vec(), "dumps of the other database");
    ensure_eq!(states(&run(&["pg", "ls", &shop, "--json"]).ok().await?.json()?).len(), 3, "dumps");
    run(&["pg", "prune", &blog, "--keep-last", "1", "--yes"]).ok().await?;

    // A dump goes on, and is the newest whatever the other one says once it can be read.
    world.set_version(&shop, 7)?;
    let next = run(&["pg", "dump", &shop, "--json"]).ok().await?;
    let next = next.json()?["key"].as_str().unwrap_or_default().to_owned();
    run(&["pg", "restore", &shop, "--into", &world.name("newest")]).ok().await?.says(&next)?;
    drop(unreadable);
    run(&["pg", "restore", &shop, "--into", &world.name("again")]).ok().await?.says(&next)?;
    run(&["pg", "verify", &keys[2], "--read", "all"]).ok().await?;
    run(&["pg", "prune", "--keep-last", "1", "--yes"]).ok().await?;
    ensure_eq!(world.keys(&shop).await?, vec![next], "dumps in the end");
    Ok(())
}

/// B-large.
pub(super) async fn large(world: &World) -> RowResult {
    let (shop, keys) = dumped(world, "shop", 2).await?;
    let manifest = format!("pg/{}/manifest.json", keys[1]);
    let before = world.place().read(&manifest).await?;
    match world.place() {
        // Nothing but a hole.
        Place::Folder(root) => fs::File::options().write(true).open(root.join(&manifest))?.set_len(LARGE_BYTES)?,
        Place::S3 { .. } => world.place().write(&manifest, &vec![b' '; usize::try_from(LARGE_BYTES)?]).await?,
    }
    let run = |command: &[&str]| world.lastgood(command.iter().copied());
    run(&["pg", "ls"]).ok().await?.says("UNREADABLE")?;
    run(&["pg", "restore", &shop, "--into", &world.name("copy")])
        .fails(CONFIRMATION)
        .await?
        .says("larger than 64 MiB")?;
    run(&["pg", "prune", "--keep-last", "1", "--yes"]).ok().await?;
    run(&["pg", "dump", &shop]).ok().await?;
    run(&["pg", "prune", "--keep-last", "1", "--yes"]).fails(PARTIAL).await?;
    world.place().write(&manifest, &before).await?;
    run(&["pg", "verify", &keys[1], "--read", "all"]).ok().await?;
    Ok(())
}

/// Gives a folder or file and all below it to somebody else.
fn given_away(path: &PathBuf) -> RowResult {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            given_away(&entry?.path())?;
        }
    }
    Ok(chown(path, Some(NOBODY), Some(NOBODY))?)
}

/// B-others. As after `sudo lastgood pg dump`, once, by hand.
pub(super) async fn of_others(world: &World) -> RowResult {
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::Skipped("files are given to another user only by root".to_owned()));
    }
    let (shop, keys) = dumped(world, "shop", 3).await?;
    let (blog, _) = dumped(world, "blog", 1).await?;
    let Place::Folder(root) = world.place() else { return Err(Failure::new("this row needs a folder")) };
    let run = |command: &[&str]| -> Lastgood<'_> { world.lastgood(command.iter().copied()).through(AS_OTHERS) };
    for whole in [false, true] {
        // Either the manifest alone, or the whole folder of the newest dump.
        let all = world.keys(&shop).await?;
        let newest = &all[all.len() - 1];
        let folder = root.join("pg").join(newest);
        given_away(&if whole { folder } else { folder.join("manifest.json") })?;
        run(&["pg", "ls"]).ok().await?.says("UNREADABLE")?.says(&keys[1])?;
        run(&["pg", "restore", &shop, "--into", &world.name("copy")]).fails(CONFIRMATION).await?.says(newest)?;
        run(&["pg", "prune", "--keep-last", "1", "--yes"]).fails(PARTIAL).await?.says("cannot be read")?;
        run(&["pg", "prune", "--incomplete", "--grace", "0s"]).ok().await?;
        run(&["pg", "dump", &shop]).ok().await?;
        ensure_eq!(world.keys(&shop).await?.len(), all.len() + 1, "dumps");
    }
    // The folder of a whole database: nothing is known of what is in it, and the rest goes on.
    given_away(&root.join("pg").join(&blog))?;
    let told = format!("`pg/{blog}` is a folder that this user may not look into");
    run(&["pg", "ls"]).ok().await?.says(&told)?.says(&keys[1])?;
    run(&["pg", "dump", &shop]).ok().await?;
    run(&["pg", "prune", "--incomplete", "--grace", "0s"]).ok().await?.says(&told)?;
    ensure_eq!(fs::metadata(root.join("pg").join(&blog))?.permissions().mode() & 0o777, 0o700, "the mode");
    world.lastgood(["pg", "verify", &keys[2], "--read", "all"]).ok().await?;
    world.lastgood(["pg", "verify", &blog, "--read", "all"]).ok().await?;
    Ok(())
}

/// B-records.
pub(super) async fn records(world: &World) -> RowResult {
    let keys = recorded(world, 3).await?;
    let unreadable = Unreadable::new(world, &format!("app/{}.manifest.json", keys[2]))?;
    let run = |command: &[&str]| world.lastgood(command.iter().copied());
    run(&["app", "ls"]).ok().await?.says("UNREADABLE")?;
    ensure_eq!(states(&run(&["app", "ls", "--json"]).ok().await?.json()?), ["good", "good", "unreadable"], "states");
    let refused = run(&["app", "restore", "--to", "ndjson:out"]).fails(CONFIRMATION).await?;
    refused.says(&keys[2])?.says(&keys[1])?.says("`--allow-older`")?;
    let older = run(&["app", "restore", "--to", "ndjson:out", "--allow-older"]).ok().await?;
    older.says("skipped a newer backup")?;
    ensure_eq!(fs::read_dir(world.folder().join("out"))?.count(), 1, "files restored");
    run(&["app", "restore", &keys[0], "--to", "ndjson:first"]).ok().await?.never_says("skipped")?;
    run(&["app", "prune", "--keep-last", "1", "--yes"]).fails(PARTIAL).await?.says(&keys[2])?;
    run(&["app", "prune", "--incomplete", "--grace", "0s"]).ok().await?;
    let next = run(&["app", "backup", "--source", "ndjson:records", "--json"]).ok().await?.json()?;
    run(&["app", "restore", "--to", "ndjson:newest"]).ok().await?;
    drop(unreadable);
    run(&["app", "verify"]).ok().await?;
    run(&["app", "prune", "--keep-last", "1", "--yes"]).ok().await?;
    let left = run(&["app", "ls", "--json"]).ok().await?.json()?;
    ensure_eq!(left.as_array().map(Vec::len), Some(1), "backups");
    ensure_eq!(left[0]["key"], next["key"], "the one that is left");
    Ok(())
}

/// B-archives.
pub(super) async fn archives(world: &World) -> RowResult {
    let folder = world.folder().join("store");
    fs::create_dir_all(&folder)?;
    let run = |words: &[&str]| world.lastgood(["glacier"]).args(words.iter().copied()).args(["--state", "state"]);
    let mut keys = Vec::new();
    for number in 0..3 {
        fs::write(folder.join(number.to_string()), b"content")?;
        let done = run(&["backup", "--files", "store", "--name", "uploads", "--json"]).ok().await?.json()?;
        keys.push(done["key"].as_str().unwrap_or_default().to_owned());
    }
    let manifest = world.place().keys_ending("/manifest.json").await?.into_iter().max();
    let manifest = manifest.ok_or_else(|| Failure::new("there is no manifest"))?;
    let unreadable = Unreadable::new(world, &manifest)?;
    let verbs: [&[&str]; 4] =
        [&["status", "uploads"], &["plan", "uploads"], &["fetch", "uploads"], &["restore", "uploads", "-n"]];
    for verb in verbs {
        let within = verb.join(" ");
        let refused = run(verb).fails(CONFIRMATION).await.within(&within)?;
        refused.says(&keys[1]).within(&within)?.says("`--allow-older`").within(&within)?;
        let older = run(verb).arg("--allow-older").run().await?;
        ensure!(older.code() != Some(CONFIRMATION), "{within} was refused all the same");
        older.says("skipped a newer backup").within(&within)?.says(&manifest).within(&within)?;
        run(&[&verb[..1], &[keys[1].as_str()], &verb[2..]].concat())
            .run()
            .await?
            .never_says("skipped")
            .within(&within)?;
    }
    run(&["prune", "uploads", "--keep-last", "1", "--yes"]).fails(PARTIAL).await?.says(&manifest)?;
    drop(unreadable);
    run(&["prune", "uploads", "--keep-last", "1", "--yes"]).ok().await?;
    Ok(())
}

/// B-stores.
pub(super) async fn stores(world: &World) -> RowResult {
    plant(world, "ours").await?;
    let (older, newest) = ("dictdb_backup_1795230180_000000.pickle", "dictdb_delta_1795230240_000000.json");
    let objects = world.place().objects().await?.len();
    let unreadable = Unreadable::new(world, &format!("manifests/{newest}.manifest.json"))?;
    let run = |command: &[&str]| world.lastgood(command.iter().copied());
    run(&["dict", "ls"]).ok().await?.says("UNREADABLE")?;
    let refused = run(&["dict", "restore", "--to", "state.json"]).fails(CONFIRMATION).await?;
    refused.says(newest)?.says(older)?.says("`--allow-older`")?;
    ensure!(!world.folder().join("state.json").exists(), "something was restored");
    run(&["dict", "restore", "--to", "state.json", "--allow-older"]).ok().await?.says(newest)?;
    run(&["dict", "restore", "--to", "named.json", "--up-to", older]).ok().await?;
    let read = |name: &str| fs::read(world.folder().join(name));
    ensure_eq!(read("state.json")?, read("named.json")?, "what was restored");
    run(&["dict", "prune", "--keep-last", "1", "--yes"]).fails(PARTIAL).await?.says(newest)?;
    run(&["dict", "prune", "--incomplete", "--grace", "0s"]).ok().await?;
    ensure_eq!(world.place().objects().await?.len(), objects, "objects");
    drop(unreadable);
    run(&["dict", "verify"]).ok().await?;
    run(&["dict", "prune", "--keep-last", "1", "--yes"]).ok().await?;
    run(&["dict", "restore", "--to", "last.json"]).ok().await?;
    Ok(())
}
