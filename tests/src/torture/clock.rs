//! Dumps that machines with wrong clocks have made: their order stays, and the last good one too.
//!
//! A dump is moved to another time as a machine would have written it whose clock was wrong; where `libfaketime` is installed,
//! some are made with a wrong clock indeed.

use std::path::Path;

use backup_testkit::dice::Dice;
use backup_testkit::mutations;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::kind::{Lane, Part};
use super::pg::Shop;
use super::runs::{ok, run, run_in};
use crate::harness::failure::Within as _;
use crate::harness::{Failure, RowResult, World};
use crate::rows::kill::{all_is_well, all_keys};
use crate::{ensure, ensure_eq};

/// Where distributions put it.
const LIBRARIES: [&str; 2] =
    ["/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1"];

/// Largest error of a clock: three days.
const SKEW_S: usize = 3 * 24 * 3600;

/// Dumps after which all but the last go.
const DUMPS_MAX: usize = 5;

/// How timestamps of keys are written.
const KEY_TIME: &str = "%Y-%m-%d-%H-%M-%S-%6f";

/// A prune may refuse where clocks contradict each other.
const REFUSED: [i32; 3] = [0, 3, 14];

/// Dumps with wrong clocks.
pub(super) struct Skewed {
    shop: Shop,
    version: u32,
}

impl Part for Skewed {
    async fn set(world: World, _: &Lane) -> RowResult<Self> {
        Ok(Self { shop: Shop::set(world, 0).await?, version: 1 })
    }

    async fn round(&mut self, dice: &mut Dice) -> RowResult<bool> {
        let Shop { world, name, .. } = &self.shop;
        let before = all_keys(world).await?.len();
        self.version += 1;
        world.set_version(name, self.version)?;
        let content = world.checksum(name)?;
        let skew = dice.below(2 * SKEW_S) as i64 - SKEW_S as i64;
        let place = format!("a clock that is wrong by {skew} s");
        let library = LIBRARIES.iter().find(|library| Path::new(library).exists());
        let dump = ["pg", "dump", name];
        match library {
            // S3 itself refuses a clock that is wrong by more than a quarter of an hour.
            Some(library) if world.place().peer().is_none() && dice.once_in(2) => {
                let variables = [
                    ("LD_PRELOAD".to_owned(), (*library).to_owned()),
                    ("FAKETIME".to_owned(), format!("{skew:+}")),
                    ("FAKETIME_DONT_FAKE_MONOTONIC".to_owned(), "1".to_owned()),
                ];
                run_in(world, &dump, &variables).await?.expect_code(0).within(&place)?;
            }
            _ => {
                ok(world, &dump).await?;
                if before == 0 || dice.once_in(2) {
                    moved(world, name, skew).await.within(&place)?;
                }
            }
        }
        if dice.once_in(2) {
            // And one with a right clock after it.
            ok(world, &dump).await.within(&place)?;
        }
        let keys = all_keys(world).await?;
        ensure!(keys.len() > before, "{place}: {keys:?} after {before}");
        let copy = world.name("copy");
        ok(world, &["pg", "restore", name, "--into", &copy]).await.within(&place)?;
        ensure_eq!(world.checksum(&copy)?, content, "{place}: the newest dump");
        if keys.len() > DUMPS_MAX {
            let pruned = run(world, &["pg", "prune", "--keep-last", "1", "--grace", "0s", "--yes"]).await?;
            let code = pruned.code().unwrap_or(-1);
            if !REFUSED.contains(&code) {
                return Err(pruned.fault("a prune with wrong clocks").within(&place));
            }
            world.drop_database(&copy)?;
            ok(world, &["pg", "restore", name, "--into", &copy]).await.within(&place)?;
            ensure_eq!(world.checksum(&copy)?, content, "{place}: the newest dump after a prune");
        }
        world.drop_database(&copy)?;
        all_is_well(world).await.within(&place)?;
        Ok(true)
    }

    fn world(&self) -> &World {
        &self.shop.world
    }
}

/// Moves the dump that was made last to another time.
async fn moved(world: &World, database: &str, skew: i64) -> RowResult {
    let pointer: Value = serde_json::from_slice(&world.place().read(&format!("pg/{database}/latest.json")).await?)?;
    let text = pointer.to_string();
    let objects = world.place().objects().await?;
    let folders = objects.iter().filter_map(|object| object.key.strip_suffix("/manifest.json"));
    let folder = folders.filter(|folder| text.contains(*folder)).max().map(str::to_owned);
    let folder = folder.ok_or_else(|| Failure::new(format!("the pointer names no dump: {text}")))?;
    let mut manifest: Value = serde_json::from_slice(&world.place().read(&format!("{folder}/manifest.json")).await?)?;
    let skew = SignedDuration::from_secs(skew);
    let other =
        |value: &Value| -> RowResult<Timestamp> { Ok(value.as_str().unwrap_or_default().parse::<Timestamp>()? + skew) };
    let (created, started) = (other(&manifest["created_at"])?, other(&manifest["started_at"])?);
    (manifest["created_at"], manifest["started_at"]) = (json!(created.to_string()), json!(started.to_string()));
    let moved = format!("pg/{database}/{}.default.dump", created.strftime(KEY_TIME));
    for part in manifest["parts"].as_array_mut().into_iter().flatten() {
        part["key"] = json!(part["key"].as_str().unwrap_or_default().replace(&folder, &moved));
    }
    for object in objects.iter().filter(|object| object.key.starts_with(&format!("{folder}/"))) {
        let bytes = match object.key.ends_with("/manifest.json") {
            true => mutations::sealed(&manifest),
            false => world.place().read(&object.key).await?,
        };
        world.place().write(&object.key.replace(&folder, &moved), &bytes).await?;
        world.place().remove(&object.key).await?;
    }
    Ok(())
}
