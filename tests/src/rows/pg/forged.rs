//! Somebody who can write to the location changes a pack after it was checked and before it is loaded.

use backup_core::key::Key;
use backup_core::manifest::Manifest;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_128;

use crate::ensure_eq;
use crate::harness::failure::Within as _;
use crate::harness::paused::Paused;
use crate::harness::{Failure, RowResult, World};

/// Exit code for what is not what was written.
const INTEGRITY: i32 = 13;

/// What is stored and live, and what somebody would like to be.
const GENUINE: &str = "genuine";
const FORGERY: &str = "forgery";

/// The digest of each frame refuses the pack. Without digests, as in dumps of earlier versions, the same pack is loaded: so
/// it is the digest that stands against it, and nothing else.
pub(super) async fn packs(world: &World) -> RowResult {
    let with_digests = restored(world, "digests", true).await?;
    ensure_eq!(with_digests, (INTEGRITY, GENUINE.to_owned()), "exit code and live row of a forged pack");
    let without = restored(world, "earlier", false).await?;
    ensure_eq!(without, (0, FORGERY.to_owned()), "exit code and live row of a forged pack without digests");
    Ok(())
}

/// The exit code of a restore whose pack is exchanged in between, and the word that is live then.
async fn restored(world: &World, name: &str, with_digests: bool) -> RowResult<(i32, String)> {
    let database = world.create(name)?;
    world.psql(&database, &format!("CREATE TABLE mark AS SELECT '{GENUINE}'::text AS word"))?;
    let key = world.dump(&database).await?;
    let pack = format!("pg/{key}/data/p00000.pack");
    let forged = forge(world, &key, &pack, with_digests).await?;

    let restore = world.lastgood(["pg", "restore", &key, "--confirm-database", &database]);
    let paused = Paused::at("restore.data", restore, world).await?;
    world.place().write(&pack, &forged).await?;
    let output = paused.goes_on()?.finish().await?.never_says("panicked").within(name)?;
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    Ok((output.code().unwrap_or(-1), world.psql(&database, "SELECT word FROM mark")?))
}

/// The pack with the other word, and a manifest whose XXH3 it fits: what whoever searches for long enough has without
/// touching the manifest. All else still says what was dumped.
async fn forge(world: &World, key: &str, pack: &str, with_digests: bool) -> RowResult<Vec<u8>> {
    let genuine = world.place().read(pack).await?;
    // Zstandard stores a few bytes as they are (RFC 8878, raw blocks).
    let at = genuine.windows(GENUINE.len()).position(|window| window == GENUINE.as_bytes());
    let at = at.ok_or_else(|| Failure::new("the pack does not hold its one row as text"))?;
    let mut forged = genuine.clone();
    forged[at..at + FORGERY.len()].copy_from_slice(FORGERY.as_bytes());

    let name = format!("pg/{key}/manifest.json");
    let at: Key = name.parse().map_err(|error| Failure::new(format!("{error}")))?;
    let mut manifest: Manifest = Manifest::from_bytes(&at, &world.place().read(&name).await?)?;
    let changed = change(&mut manifest.detail, &hash(&genuine), &hash(&forged), with_digests);
    ensure_eq!(changed, 1, "frames of the pack");
    // The sum over one row; it promises nothing against whoever chooses rows either.
    manifest.detail["tables"][0]["row_hash"] = hash(FORGERY.as_bytes()).into();
    world.place().write(&name, &manifest.to_bytes()?).await?;
    Ok(forged)
}

fn hash(bytes: &[u8]) -> String {
    format!("{:032x}", xxh3_128(bytes))
}

/// Gives every frame with the XXH3 `from` the XXH3 `to`; how many there are.
fn change(value: &mut Value, from: &str, to: &str, with_digests: bool) -> usize {
    let mut changed = 0;
    match value {
        Value::Array(items) => {
            changed += items.iter_mut().map(|item| change(item, from, to, with_digests)).sum::<usize>()
        }
        Value::Object(fields) => {
            if fields.get("xxh3").and_then(Value::as_str) == Some(from) {
                fields.insert("xxh3".to_owned(), to.into());
                changed += 1;
                if !with_digests {
                    fields.remove("blake3");
                    fields.remove("content_sha256");
                }
            }
            changed += fields.values_mut().map(|field| change(field, from, to, with_digests)).sum::<usize>();
        }
        _ => {}
    }
    changed
}
