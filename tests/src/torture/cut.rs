//! Connections that are cut or stalled at some byte: to S3, and to PostgreSQL.

use std::time::Duration;

use backup_testkit::dice::Dice;
use rustix::process::Signal;

use super::app::{BACKUP, Shelf};
use super::kind::{Lane, Part};
use super::pg::Shop;
use super::proxy::{Harm, Plan, Proxy};
use super::runs::{self, ok, run_in, sane};
use super::stored::Stored;
use crate::harness::failure::Within as _;
use crate::harness::{Failure, Output, RowResult, World};
use crate::rows::kill::{all_is_well, all_keys, prune_incomplete};
use crate::{ensure, ensure_eq};

/// How long a stalled run is left alone before it is asked to end.
const STALLED: Duration = Duration::from_millis(1_500);

/// How long a run that was asked to end may take, although nobody answers.
const END_LIMIT: Duration = Duration::from_secs(90);

/// Longest run: each request to S3 may be tried for a quarter of a minute.
const RUN_LIMIT: Duration = Duration::from_secs(400);

/// Cuts that a run must get over by itself.
const CUTS_MAX: usize = 3;

/// Records of each file.
const RECORDS: usize = 2_000;

/// Words of commands, and how many bytes each sends and receives where nothing disturbs it.
struct Measured {
    args: Vec<String>,
    bytes: u64,
}

impl Measured {
    async fn of(world: &World, proxy: &Proxy, variables: &[(String, String)], args: &[&str]) -> RowResult<Self> {
        proxy.follow(None);
        run_in(world, args, variables).await?.expect_code(0)?;
        let (bytes, _) = proxy.follow(None);
        ensure!(bytes > 0, "`{}` did not go by the proxy", args.join(" "));
        Ok(Self { args: args.iter().map(ToString::to_string).collect(), bytes })
    }

    fn is(&self, word: &str) -> bool {
        self.args.iter().any(|arg| arg == word)
    }
}

/// Lets a run stall, and asks it to end after a while: it must, although nobody answers.
async fn stalled(world: &World, measured: &Measured, variables: &[(String, String)]) -> RowResult<Output> {
    let mut command = world.lastgood(measured.args.iter().cloned()).limit(STALLED + END_LIMIT);
    for (name, value) in variables {
        command = command.env(name, value);
    }
    let mut running = command.start()?;
    tokio::time::sleep(STALLED).await;
    if !running.has_ended()? {
        // It may end between the look and the signal.
        let _ = running.signal(Signal::TERM);
    }
    sane(running.finish().await?)
}

/// Between lastgood and S3.
pub(super) struct Store {
    shop: Shop,
    stored: Stored,
    proxy: Proxy,
    variables: Vec<(String, String)>,
    measured: Vec<Measured>,
}

impl Part for Store {
    async fn set(world: World, _: &Lane) -> RowResult<Self> {
        let shelf = Shelf::set(world, RECORDS).await?;
        ok(&shelf.world, &BACKUP).await?;
        let shop = Shop::set(shelf.world, 2).await?;
        let world = &shop.world;
        let stored = Stored::of(world).await?;
        let peer = world.place().peer().ok_or_else(|| Failure::new("this kind needs the S3 peer"))?;
        let port = peer.endpoint().rsplit(':').next().unwrap_or_default().parse()?;
        let proxy = Proxy::to(port).await?;
        let variables = vec![("AWS_ENDPOINT_URL_S3".to_owned(), format!("http://127.0.0.1:{}", proxy.port))];
        let commands: [&[&str]; 6] = [
            &["pg", "dump", &shop.name],
            &["pg", "restore", &shop.key, "--confirm-database", &shop.name],
            &["pg", "verify", &shop.key, "--read", "all"],
            &BACKUP,
            &["app", "restore", "--to", "ndjson:out", "--on-conflict", "replace"],
            &["pg", "prune", "--keep-last", "1", "--grace", "0s", "--yes"],
        ];
        let mut measured = Vec::new();
        for args in commands {
            measured.push(Measured::of(world, &proxy, &variables, args).await?);
            stored.put_back(world).await?;
        }
        Ok(Self { shop, stored, proxy, variables, measured })
    }

    async fn round(&mut self, dice: &mut Dice) -> RowResult<bool> {
        let Shop { world, name, content, .. } = &self.shop;
        self.stored.put_back(world).await?;
        world.set_version(name, 2)?;
        let old = world.checksum(name)?;
        let before = all_keys(world).await?;
        let measured = dice.pick(&self.measured);
        let after_bytes = (measured.bytes as f64 * dice.share()) as u64;
        let (harm, times) = match dice.below(8) {
            0 => (Harm::Cut, u64::MAX),
            1 | 2 => (Harm::Stall, u64::MAX),
            _ => (Harm::Cut, dice.between(1, CUTS_MAX + 1) as u64),
        };
        let plan = Plan { harm, after_bytes, times };
        let place = format!("`{}`, {plan:?}", measured.args.join(" "));
        self.proxy.follow(Some(plan));
        let output = match harm {
            Harm::Stall => stalled(world, measured, &self.variables).await,
            Harm::Cut => {
                let mut command = world.lastgood(measured.args.iter().cloned()).limit(RUN_LIMIT);
                for (name, value) in &self.variables {
                    command = command.env(name, value);
                }
                sane(command.run().await?)
            }
        };
        let (_, harmed) = self.proxy.follow(None);
        let output = output.within(&place)?;
        if times <= CUTS_MAX as u64 && output.code() != Some(0) {
            return Err(output.fault("it should get over some lost connections").within(&place));
        }
        let now = world.checksum(name)?;
        ensure!(now == old || now == *content, "{place}: the database is neither old nor new");
        ensure!(output.code() == Some(0) || now == old || measured.is("restore"), "{place}: the database changed");
        let after = all_keys(world).await?;
        let is_new = runs::published(&before, &after).within(&place)?;
        ensure!(output.code() != Some(0) || is_new == measured.is("dump"), "{place}: new dumps");
        all_is_well(world).await.within(&place)?;
        ok(world, &["app", "verify"]).await.within(&place)?;
        if dice.once_in(3) {
            prune_incomplete(world).await.within(&place)?;
            ok(world, &["app", "prune", "--incomplete", "--grace", "0s"]).await.within(&place)?;
            ensure_eq!(world.place().unfinished().await?, 0, "{place}: unfinished uploads");
        }
        Ok(harmed > 0)
    }

    fn world(&self) -> &World {
        &self.shop.world
    }
}

/// Between lastgood and PostgreSQL.
pub(super) struct Server {
    shop: Shop,
    stored: Stored,
    proxy: Proxy,
    variables: Vec<(String, String)>,
    measured: Vec<Measured>,
}

impl Part for Server {
    async fn set(world: World, _: &Lane) -> RowResult<Self> {
        let shop = Shop::set(world, 2).await?;
        let world = &shop.world;
        let stored = Stored::of(world).await?;
        let proxy = Proxy::to(world.cluster().port()).await?;
        // The password file is about the server's own port.
        let variables = vec![
            ("PGPORT".to_owned(), proxy.port.to_string()),
            ("PGPASSWORD".to_owned(), world.cluster().password().to_owned()),
        ];
        let commands: [&[&str]; 3] = [
            &["pg", "dump", &shop.name],
            &["pg", "restore", &shop.key, "--confirm-database", &shop.name],
            &["pg", "restore", &shop.key, "--confirm-database", &shop.name, "--reversible"],
        ];
        let mut measured = Vec::new();
        for args in commands {
            measured.push(Measured::of(world, &proxy, &variables, args).await?);
            shop.without_copies()?;
            stored.put_back(world).await?;
        }
        Ok(Self { shop, stored, proxy, variables, measured })
    }

    async fn round(&mut self, dice: &mut Dice) -> RowResult<bool> {
        let Shop { world, name, content, .. } = &self.shop;
        self.stored.put_back(world).await?;
        world.set_version(name, 2)?;
        let old = world.checksum(name)?;
        let before = all_keys(world).await?;
        let measured = dice.pick(&self.measured);
        let after_bytes = (measured.bytes as f64 * dice.share()) as u64;
        let harm = if dice.once_in(4) { Harm::Stall } else { Harm::Cut };
        let times = if dice.once_in(2) { u64::MAX } else { 1 };
        let plan = Plan { harm, after_bytes, times };
        let place = format!("`{}`, {plan:?}", measured.args.join(" "));
        self.proxy.follow(Some(plan));
        let output = match harm {
            Harm::Stall => stalled(world, measured, &self.variables).await,
            Harm::Cut => {
                let args: Vec<&str> = measured.args.iter().map(String::as_str).collect();
                run_in(world, &args, &self.variables).await
            }
        };
        let (_, harmed) = self.proxy.follow(None);
        let output = output.within(&place)?;
        ensure!(world.databases()?.contains(name), "{place}: the database is lost");
        ok(world, &["pg", "recover"]).await.within(&place)?;
        let now = world.checksum(name).within(&place)?;
        ensure!(now == old || now == *content, "{place}: the database is neither old nor new");
        ensure!(!measured.is("dump") || now == old, "{place}: a dump changed the database");
        let is_done = output.code() == Some(0);
        ensure!(!is_done || measured.is("dump") || now == *content, "{place}: it ended well and restored nothing");
        let is_new = runs::published(&before, &all_keys(world).await?).within(&place)?;
        ensure!(!is_done || is_new == measured.is("dump"), "{place}: new dumps");
        self.shop.without_copies()?;
        all_is_well(world).await.within(&place)?;
        if dice.once_in(3) {
            ok(world, &["pg", "dump", name]).await.within(&place)?;
            prune_incomplete(world).await.within(&place)?;
        }
        Ok(harmed > 0)
    }

    fn world(&self) -> &World {
        &self.shop.world
    }
}
