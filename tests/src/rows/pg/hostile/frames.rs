//! Frames that somebody changed, and gave the manifest their digests.

use backup_core::manifest::Encryption;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_128;

use super::resealed::{replace_part, reseal};
use crate::ensure_eq;
use crate::harness::failure::Within as _;
use crate::harness::paused::Paused;
use crate::harness::{Failure, RowResult, World};

/// Exit codes for what is not what was written, and for what a newer version wrote.
const INTEGRITY: i32 = 13;
const NEWER: i32 = 16;

/// The row's one row, as COPY writes it.
const ROW: &[u8] = b"genuine\n";

/// A zstd frame with the row as it is (RFC 8878, raw block) behind so many empty blocks, and this window descriptor.
fn raw_frame(window: u8, empty_blocks: usize) -> Vec<u8> {
    let block = u32::try_from(ROW.len()).unwrap_or_default() << 3 | 1;
    let empty = vec![0; 3 * empty_blocks];
    [&[0x28, 0xB5, 0x2F, 0xFD, 0, window][..], &empty, &block.to_le_bytes()[..3], ROW].concat()
}

struct Dumped {
    database: String,
    key: String,
}

async fn dumped(world: &World, name: &str) -> RowResult<Dumped> {
    let database = world.create(name)?;
    world.psql(&database, "CREATE TABLE mark AS SELECT 'genuine'::text AS word")?;
    Ok(Dumped { key: world.dump(&database).await?, database })
}

/// The description of the row's one frame, in the manifest's detail.
fn frame(detail: &mut Value) -> &mut Value {
    &mut detail["tables"][0]["frames"][0]
}

/// Puts `stored` in the place of the only frame, with a hash as dumps of earlier versions have it.
async fn replace_frame(world: &World, key: &str, stored: &[u8]) -> RowResult {
    replace_part(world, key, "data", stored).await?;
    reseal(world, key, |manifest| {
        let frame = frame(&mut manifest.detail);
        frame["offset"] = json!(0);
        frame["length"] = json!(stored.len());
        frame["xxh3"] = format!("{:032x}", xxh3_128(stored)).into();
        if let Value::Object(fields) = frame {
            fields.remove("blake3");
            fields.remove("content_sha256");
        }
    })
    .await
}

/// Both call a dump damaged, or neither; the database that is live stays.
async fn both(world: &World, dumped: &Dumped, is_damaged: bool) -> RowResult {
    let Dumped { database, key } = dumped;
    world.psql(database, "UPDATE mark SET word = 'live'")?;
    let verify = world.lastgood(["pg", "verify", key, "--read", "all"]).run().await?;
    let restore = world.lastgood(["pg", "restore", key, "--confirm-database", database]).run().await?;
    let code = if is_damaged { INTEGRITY } else { 0 };
    ensure_eq!((verify.code(), restore.code()), (Some(code), Some(code)), "exit codes of verify and restore");
    let word = world.psql(database, "SELECT word FROM mark")?;
    ensure_eq!(word.trim(), if is_damaged { "live" } else { "genuine" }, "the row that is live");
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    Ok(())
}

pub(super) async fn both_agree(world: &World) -> RowResult {
    let (fits, too_large) = (13 << 3, 20 << 3);
    let dump = dumped(world, "window").await?;
    replace_frame(world, &dump.key, &raw_frame(fits, 0)).await?;
    both(world, &dump, false).await.within("a frame that was replaced by an equal one")?;
    replace_frame(world, &dump.key, &raw_frame(too_large, 0)).await?;
    both(world, &dump, true).await.within("a window of 1 GiB")?;

    let dump = dumped(world, "hash").await?;
    reseal(world, &dump.key, |manifest| manifest.detail["tables"][0]["row_hash"] = "0".repeat(32).into()).await?;
    both(world, &dump, true).await.within("a wrong hash of rows")?;

    for (name, at_end) in [("empty", false), ("behind", true)] {
        let dump = dumped(world, name).await?;
        reseal(world, &dump.key, |manifest| {
            let mut empty = frame(&mut manifest.detail).clone();
            let end =
                empty["offset"].as_u64().zip(empty["length"].as_u64()).map_or(0, |(offset, length)| offset + length);
            empty["offset"] = json!(if at_end { end } else { 0 });
            (empty["length"], empty["content_bytes"], empty["rows"]) = (json!(0), json!(0), json!(0));
            empty["xxh3"] = format!("{:032x}", xxh3_128(b"")).into();
            if let Value::Object(fields) = &mut empty {
                fields.remove("blake3");
                fields.remove("content_sha256");
            }
            if let Value::Array(frames) = &mut manifest.detail["tables"][0]["frames"] {
                frames.push(empty);
            }
        })
        .await?;
        both(world, &dump, true).await.within(&format!("a frame of nothing, {name}"))?;
    }

    let dump = dumped(world, "rows").await?;
    reseal(world, &dump.key, |manifest| frame(&mut manifest.detail)["rows"] = json!(2)).await?;
    both(world, &dump, true).await.within("a frame that says it has two rows")
}

/// Memory that a restore may take beyond what it has when it begins to load.
const MORE_BYTES: u64 = 512 * 1024 * 1024;

/// A frame of 64 KiB that claims 2 GiB takes no memory for them.
pub(super) async fn claims(world: &World) -> RowResult {
    const CLAIMED: u64 = 2 * 1024 * 1024 * 1024;
    let Dumped { database, key } = dumped(world, "claims").await?;
    // 64 KiB, whose blocks could hold more than is claimed.
    replace_frame(world, &key, &raw_frame(13 << 3, 21_000)).await?;
    reseal(world, &key, |manifest| frame(&mut manifest.detail)["content_bytes"] = json!(CLAIMED)).await?;
    let restore = world.lastgood(["pg", "restore", &key, "--confirm-database", &database]);
    let paused = Paused::at("restore.data", restore, world).await?;
    limit_memory(paused.pid())?;
    paused.goes_on()?.finish().await?.expect_code(INTEGRITY)?.says("instead of 2,147,483,648")?;
    ensure_eq!(world.psql(&database, "SELECT word FROM mark")?.trim(), "genuine", "the row that is live");
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    Ok(())
}

/// Lets a process take only a little more memory than it has.
fn limit_memory(pid: i32) -> RowResult {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")?.trim().strip_suffix(" kB"));
    let kibibytes: u64 = size.ok_or_else(|| Failure::new("the kernel does not tell the size of a process"))?.parse()?;
    let limit = Rlimit { current: Some(kibibytes * 1024 + MORE_BYTES), maximum: None };
    let pid = Pid::from_raw(pid).ok_or_else(|| Failure::new("a process without an id"))?;
    prlimit(Some(pid), Resource::As, limit)?;
    Ok(())
}

/// Whoever cannot decrypt says so, and does not call it damaged.
pub(super) async fn encrypted(world: &World) -> RowResult {
    let Dumped { database, key } = dumped(world, "shop").await?;
    reseal(world, &key, |manifest| {
        manifest.encryption = Some(Encryption { scheme: "age".to_owned(), recipients: vec!["age1x".to_owned()] });
    })
    .await?;
    let restore = ["pg", "restore", &key, "--confirm-database", &database];
    world.lastgood(restore).fails(NEWER).await?.says("encryption")?;
    world.lastgood(["pg", "verify", &key, "--read", "all"]).fails(NEWER).await?.says("encryption")?;
    Ok(())
}
