//! A3, O1 to O4: what is damaged, failing, empty, odd or hostile.

use std::process::Command;

use super::{USERS, keys, read, records};
use crate::harness::failure::Within as _;
use crate::harness::{Failure, RowResult, World};
use crate::{ensure, ensure_eq};

/// Exit code of damage.
const INTEGRITY: i32 = 13;

/// A3.
pub(super) async fn refused(world: &World) -> RowResult {
    records(world, "records", &[("users.json", USERS)])?;
    world.lastgood(["app", "backup", "--source", "ndjson:records"]).ok().await?;
    world.lastgood(["app", "restore", "--to", "sqlite:app.db"]).ok().await?;
    let before = std::fs::read(world.folder().join("app.db"))?;
    let key = keys(world).await?.pop().ok_or_else(|| Failure::new("there is no backup"))?;
    let restore = ["app", "restore", &key, "--to", "sqlite:app.db", "--on-conflict", "replace"];
    let (object, manifest) = (format!("app/{key}"), format!("app/{key}.manifest.json"));
    for stored in [&object, &manifest] {
        let good = world.place().read(stored).await?;
        let mut flipped = good.clone();
        flipped[good.len() / 2] ^= 1;
        let longer = [&good[..], b" "].concat();
        for bad in [flipped, good[..good.len() - 1].to_vec(), longer] {
            world.place().write(stored, &bad).await?;
            world.lastgood(["app", "verify"]).fails(INTEGRITY).await?.says(&format!("FAIL  {key}"))?;
            world.lastgood(restore).fails(INTEGRITY).await?;
            world.lastgood(["app", "cat", &key, "users"]).fails(INTEGRITY).await?.never_says("Zoë")?;
        }
        world.place().write(stored, &good).await?;
    }
    world.lastgood(["app", "verify"]).ok().await?;
    let good = world.place().read(&object).await?;
    world.place().remove(&object).await?;
    world.lastgood(restore).fails(INTEGRITY).await?.says("missing")?;
    world.lastgood(["app", "ls"]).ok().await?.says("DAMAGED")?;
    world.place().write(&object, &good).await?;
    world.place().remove(&manifest).await?;
    world.lastgood(restore).fails(1).await?.says("no backup")?;
    world.lastgood(["app", "ls"]).ok().await?.says("unpublished")?;
    ensure_eq!(std::fs::read(world.folder().join("app.db"))?, before, "the database after refused restores");
    Ok(())
}

/// O1.
pub(super) async fn failing_source(world: &World) -> RowResult {
    let lines: String = (0..1_000).map(|n| format!("{{\"id\": {n}}}\n")).collect();
    records(world, "records", &[("good.json", &lines), ("bad.json", &lines)])?;
    let script = "sed -n 1,400p records/$1.json; test $1 = good && sed -n '401,$p' records/$1.json";
    std::fs::write(world.folder().join("export.sh"), script)?;
    let backup = ["app", "backup", "--source", "exec:sh export.sh {type}", "--type", "good", "--type", "bad"];
    world.lastgood(backup).fails(22).await?.says("nothing was published")?;
    ensure_eq!(keys(world).await?, Vec::<String>::new(), "backups of a failed run");
    ensure_eq!(world.place().unfinished().await?, 0, "unfinished uploads");
    world
        .lastgood(backup)
        .args(["--allow-partial"])
        .fails(3)
        .await?
        .says("`bad--bad` was left out")?
        .says("partial")?;
    world.lastgood(["app", "ls"]).ok().await?.says("partial")?;
    world.lastgood(["app", "restore", "--to", "ndjson:latest"]).fails(1).await?.says("no complete backup")?;
    let key = keys(world).await?.pop().ok_or_else(|| Failure::new("there is no backup"))?;
    world.lastgood(["app", "restore", &key, "--to", "ndjson:out"]).ok().await?.says("could not be read: bad")?;
    ensure_eq!(read(world, "out/good--good.json")?, lines, "the type that could be read");
    ensure!(!world.folder().join("out/bad--bad.json").exists(), "a part of a type was restored");
    Ok(())
}

/// O2.
pub(super) async fn emptied(world: &World) -> RowResult {
    let lines: String = (0..10_000).map(|n| format!("{{\"id\": {n}}}\n")).collect();
    records(world, "records", &[("users.json", &lines), ("orders.json", "")])?;
    let backup = ["app", "backup", "--source", "ndjson:records"];
    world.lastgood(backup).ok().await?;
    records(world, "records", &[("users.json", "")])?;
    world.lastgood(backup).fails(15).await?.says("`users--users` had 10000")?.says("--allow-empty")?;
    std::fs::remove_file(world.folder().join("records/users.json"))?;
    world.lastgood(backup).fails(15).await?.says("`users--users` had 10000")?;
    ensure_eq!(keys(world).await?.len(), 1, "backups");
    ensure_eq!(world.place().unfinished().await?, 0, "unfinished uploads");
    // The only type there is by its name is all there is, and lacks as much.
    world.lastgood(backup).args(["--type", "orders"]).fails(15).await?.says("`users--users` had 10000")?;
    records(world, "records", &[("users.json", "")])?;
    world.lastgood(backup).args(["--allow-empty"]).ok().await?;
    Ok(())
}

/// O3.
pub(super) async fn odd_records(world: &World) -> RowResult {
    let long = format!("{{\"id\": \"long\", \"x\": \"{}\\u0000\"}}\n", "x".repeat(1 << 20));
    records(world, "records", &[("long.json", &long), ("twice.json", "{\"id\": 1}\n{\"id\": 1}\n")])?;
    let backup = ["app", "backup", "--source", "ndjson:records"];
    world.lastgood(backup).fails(1).await?.says("line 2 of `twice--twice`")?;
    let partial = world.lastgood(backup).args(["--allow-partial"]).fails(3).await?;
    partial.says("`twice--twice` was left out")?;
    std::fs::write(world.folder().join("records/twice.json"), "{\"id\": 1}\n{\"id\": 2}\n")?;
    world.lastgood(backup).ok().await?;
    world.lastgood(["app", "restore", "--to", "ndjson:out"]).ok().await?;
    ensure!(read(world, "out/long--long.json")? == long, "the long record is another");
    for bad in [&b"{\"id\": \"bad\", \"x\": \"\xff\"}\n"[..], b"{\"id\": \"bad\", \"x\": \"\0\"}\n"] {
        std::fs::write(world.folder().join("records/twice.json"), bad)?;
        world.lastgood(backup).fails(1).await?.says("the record `bad` of `twice--twice`")?;
    }
    ensure_eq!(keys(world).await?.len(), 2, "backups");
    Ok(())
}

/// Makes `argv[1]` hostile in the way `argv[2]` says.
const HOSTILE: &str = r#"
import io, sys, tarfile
path, harm = sys.argv[1:]
def info(name, kind=tarfile.REGTYPE, link="", mode=0o600, size=0):
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.mode, found.size = kind, link, mode, size
    return found
record = b'{"id": "1"}\n'
with tarfile.open(path, "w:gz") as tar:
    def plain(name, **options):
        tar.addfile(info(name, size=len(record), **options), io.BytesIO(record))
    plain("Good--good.json")
    if harm == "up": plain("../x--y.json")
    if harm == "absolute": plain("/etc/x--y.json")
    if harm == "link":
        tar.addfile(info("Link--link.json", tarfile.SYMTYPE, "/etc"))
        plain("Link--link.json/x--y.json")
    if harm == "hardlink": tar.addfile(info("Link--link.json", tarfile.LNKTYPE, "/etc/passwd"))
    if harm == "device": tar.addfile(info("Device--device.json", tarfile.CHRTYPE))
    if harm == "fifo": tar.addfile(info("Fifo--fifo.json", tarfile.FIFOTYPE))
    if harm == "setuid": plain("Setuid--setuid.json", mode=0o4755)
    if harm == "duplicate": plain("Good--good.json")
    if harm == "entries":
        for number in range(20000): tar.addfile(info(f"T--t{number}.json"))
    if harm == "bomb": tar.addfile(info("Bomb--bomb.json", size=1 << 29), open("/dev/zero", "rb"))
    if harm == "size":
        found = info("Size--size.json", size=len(record))
        found.pax_headers = {"size": "1"}
        tar.addfile(found, io.BytesIO(record))
"#;

/// O4.
pub(super) async fn hostile(world: &World) -> RowResult {
    let key = "Backup_UTC_2026-11-21T03_13_45.tar.gz";
    let harms =
        ["up", "absolute", "link", "hardlink", "device", "fifo", "setuid", "duplicate", "entries", "bomb", "size"];
    for harm in harms {
        let path = world.folder().join("hostile.tar.gz");
        let made = Command::new("python3").args(["-c", HOSTILE]).arg(&path).arg(harm).output()?;
        ensure!(made.status.success(), "{harm}: {}", String::from_utf8_lossy(&made.stderr));
        world.place().write(key, &std::fs::read(&path)?).await?;
        std::fs::remove_file(&path)?;
        let before = names(world)?;
        for to in ["ndjson:out", "sqlite:out.db"] {
            let output = world.lastgood(["app", "restore", key, "--to", to]).fails(INTEGRITY).await;
            output.within(harm)?;
        }
        world.lastgood(["app", "verify"]).fails(INTEGRITY).await?.says("FAIL")?;
        ensure_eq!(names(world)?, before, "{harm}: the folder after refused restores");
    }
    Ok(())
}

fn names(world: &World) -> RowResult<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(world.folder())? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
