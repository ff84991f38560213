//! Signals that ask to end, at any moment of anything: it ends soon, and nothing is left.

use std::time::{Duration, Instant};

use backup_testkit::dice::Dice;
use rustix::process::Signal;

use super::app::{BACKUP, Shelf};
use super::kind::{Lane, Part};
use super::pg::Shop;
use super::runs::{self, ok, sane, timed};
use super::stored::Stored;
use crate::harness::failure::Within as _;
use crate::harness::{Output, RowResult, World};
use crate::rows::dict::plant;
use crate::rows::kill::{all_is_well, all_keys, unpublished};
use crate::{ensure, ensure_eq};

/// Longest time to an end, on a machine with much else to do. Where nothing disturbs it, it is well below 5 s.
const END_LIMIT: Duration = Duration::from_secs(90);

/// Records of each file.
const RECORDS: usize = 4_000;

/// Each signal with the exit code that tells of it.
const SIGNALS: [(Signal, i32); 3] = [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 143)];

/// What is interrupted, how long it usually takes, and what it may change.
struct Victim {
    args: Vec<String>,
    usual: Duration,
}

/// A location with backups of everything.
pub(super) struct Signals {
    shop: Shop,
    stored: Stored,
    victims: Vec<Victim>,
}

impl Part for Signals {
    async fn set(world: World, _: &Lane) -> RowResult<Self> {
        let shelf = Shelf::set(world, RECORDS).await?;
        ok(&shelf.world, &BACKUP).await?;
        plant(&shelf.world, "ours").await?;
        let shop = Shop::set(shelf.world, 2).await?;
        let world = &shop.world;
        let stored = Stored::of(world).await?;
        let commands: [&[&str]; 9] = [
            &["pg", "dump", &shop.name],
            &["pg", "dump", &shop.name],
            &["pg", "restore", &shop.key, "--confirm-database", &shop.name],
            &["pg", "restore", &shop.key, "--confirm-database", &shop.name],
            &["pg", "verify", &shop.key, "--read", "all"],
            &["pg", "prune", "--keep-last", "1", "--grace", "0s", "--yes"],
            &BACKUP,
            &["app", "restore", "--to", "ndjson:out", "--on-conflict", "replace"],
            &["dict", "restore", "--to", "state.json", "--force"],
        ];
        let mut victims = Vec::new();
        for args in commands {
            let usual = timed(world, args).await?;
            victims.push(Victim { args: args.iter().map(ToString::to_string).collect(), usual });
            stored.put_back(world).await?;
        }
        Ok(Self { shop, stored, victims })
    }

    async fn round(&mut self, dice: &mut Dice) -> RowResult<bool> {
        let Shop { world, name, content, .. } = &self.shop;
        self.stored.put_back(world).await?;
        world.set_version(name, 2)?;
        let old = world.checksum(name)?;
        let before = (all_keys(world).await?, world.place().picture().await?);
        let victim = dice.pick(&self.victims);
        let (signal, code) = *dice.pick(&SIGNALS);
        let wait = victim.usual.mul_f64(dice.share() * 1.05);
        let place = format!("`{}`, {signal:?} after {wait:?}", victim.args.join(" "));
        let output = interrupted(world, &victim.args, wait, signal).await.within(&place)?;
        let midway = output.code() == Some(code);
        let ended = output.code();
        // Before it listens for signals it has done nothing.
        let is_early = output.signal() == Some(signal.as_raw());
        ensure!(midway || is_early || ended == Some(0), "{place}: it ended with {ended:?}, {:?}", output.signal());
        if ended == Some(0) {
            return Ok(false);
        }
        ensure_eq!(world.place().unfinished().await?, 0, "{place}: unfinished uploads");
        ensure_eq!(unpublished(world).await?, Vec::<String>::new(), "{place}: folders without a manifest");
        let now = world.checksum(name).within(&place)?;
        ensure!(now == old || now == *content && says_done(&output), "{place}: the database is not what it was");
        let is_prune = victim.args.iter().any(|word| word == "prune");
        if says_done(&output) {
            runs::published(&before.0, &all_keys(world).await?).within(&place)?;
        } else if !is_prune {
            ensure_eq!(world.place().picture().await?, before.1, "{place}: the location");
        }
        all_is_well(world).await.within(&place)?;
        ok(world, &["app", "verify"]).await.within(&place)?;
        ok(world, &["dict", "verify"]).await.within(&place)?;
        Ok(midway)
    }

    fn world(&self) -> &World {
        &self.shop.world
    }
}

/// Whether an interrupted run says that it had done what it was for.
fn says_done(output: &Output) -> bool {
    ["was published", "was restored"].iter().any(|words| output.stderr.contains(words))
}

/// Sends the signal, and fails unless the end comes soon after it.
async fn interrupted(world: &World, args: &[String], wait: Duration, signal: Signal) -> RowResult<Output> {
    let mut running = world.lastgood(args.iter().cloned()).start()?;
    tokio::time::sleep(wait).await;
    let mut sent = None;
    if !running.has_ended()? && running.signal(signal).is_ok() {
        sent = Some(Instant::now());
    }
    let output = sane(running.finish().await?)?;
    if let Some(sent) = sent {
        ensure!(sent.elapsed() < END_LIMIT, "it ended {:?} after the signal", sent.elapsed());
    }
    Ok(output)
}
