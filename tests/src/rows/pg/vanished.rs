//! The machine of a run is gone from one moment to the next, and nobody tells the server.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use backup_testkit::postgres::Shutdown;

use crate::harness::{Failure, RowResult, World};
use crate::{ensure, ensure_eq};

/// How long the run on the other machine may take to come to its step.
const BEGIN_LIMIT: Duration = Duration::from_secs(60);

/// How long the next run may take: what it waits at most, what it does, and a slow machine.
const NEXT_LIMIT: Duration = Duration::from_secs(300);

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Networks tried before giving up.
const NETWORKS: u32 = 200;

/// A machine of its own: a network namespace at the other end of a cable.
struct Elsewhere {
    name: String,
    cable: String,
    network: u32,
}

impl Elsewhere {
    fn new() -> RowResult<Self> {
        if !rustix::process::geteuid().is_root() || !ip(&["netns", "list"]) {
            return Err(Failure::Skipped("network namespaces need root and `ip`".to_owned()));
        }
        let begin = std::process::id();
        let made = (0..NETWORKS).map(|at| (begin + at) % NETWORKS).find_map(|network| {
            let (name, cable) = (format!("lgvanish{network}"), format!("lgv{network}"));
            ip(&["netns", "add", &name]).then_some(Self { name, cable, network })
        });
        let made = made.ok_or_else(|| Failure::Skipped("no network namespace can be made".to_owned()))?;
        let Self { name, cable, .. } = &made;
        let (here, there) = (format!("{}/30", made.here()), format!("{}/30", made.there()));
        let done = ip(&["link", "add", cable, "type", "veth", "peer", "name", "cable", "netns", name])
            && ip(&["addr", "add", &here, "dev", cable])
            && ip(&["link", "set", cable, "up"])
            && ip(&["-n", name, "addr", "add", &there, "dev", "cable"])
            && ip(&["-n", name, "link", "set", "cable", "up"]);
        if done { Ok(made) } else { Err(Failure::Skipped("the machine cannot be reached".to_owned())) }
    }

    /// This machine's address, as the other one sees it.
    fn here(&self) -> String {
        format!("10.215.{}.1", self.network)
    }

    fn there(&self) -> String {
        format!("10.215.{}.2", self.network)
    }

    /// Starts `lastgood` there, to wait where `step` begins.
    fn start(&self, world: &World, arguments: &[&str], step: &str, flag: &Path) -> RowResult<Child> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(world.lastgood_binary()).args(arguments);
        command.env_clear().envs(world.environment()).current_dir(world.folder());
        command.env("PGHOST", self.here()).env("PGSSLMODE", "disable").env("PGPASSWORD", world.cluster().password());
        command.env("LASTGOOD_PAUSE_AT", step).env("LASTGOOD_PAUSE_FILE", flag);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(command.spawn()?)
    }

    /// Nothing comes from there any more, and nothing gets there.
    fn vanishes(&self, mut run: Child) -> RowResult {
        ensure!(ip(&["-n", &self.name, "link", "set", "cable", "down"]), "the cable cannot be cut");
        run.kill()?;
        run.wait()?;
        Ok(())
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        ip(&["link", "del", &self.cable]);
        ip(&["netns", "del", &self.name]);
    }
}

fn ip(arguments: &[&str]) -> bool {
    let mut command = Command::new("ip");
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Lets the server be reached from elsewhere.
fn listen(world: &World, elsewhere: &Elsewhere) -> RowResult {
    world.psql("postgres", "ALTER SYSTEM SET listen_addresses = '*'")?;
    let rules = world.cluster().data_dir().join("pg_hba.conf");
    let mut text = std::fs::read_to_string(&rules)?;
    text.push_str(&format!("\nhost all all {}/32 scram-sha-256\n", elsewhere.there()));
    std::fs::write(&rules, text)?;
    world.cluster().restart(Shutdown::Fast)?;
    Ok(())
}

/// A restore on a machine that vanishes holds the database's lock and has left a copy. The next run says for whom it waits,
/// clears up, and restores.
pub(super) async fn is_waited_for(world: &World) -> RowResult {
    let elsewhere = Elsewhere::new()?;
    let shop = world.sample("shop")?;
    let key = world.dump(&shop).await?;
    let new = world.checksum(&shop)?;
    world.set_version(&shop, 2)?;
    listen(world, &elsewhere)?;
    let restore = ["pg", "restore", &key, "--confirm-database", &shop];

    let flag = world.folder().join("pause");
    let mut run = elsewhere.start(world, &restore, "restore.data", &flag)?;
    let begun = Instant::now();
    while !flag.exists() {
        ensure!(run.try_wait()?.is_none(), "the run on the other machine ended");
        ensure!(begun.elapsed() < BEGIN_LIMIT, "the run on the other machine never came to its step");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    elsewhere.vanishes(run)?;
    let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
    ensure_eq!(world.psql("postgres", held)?.trim(), "1", "locks of the run that vanished");

    // A dry run changes nothing and waits for nobody.
    world.lastgood(restore).arg("-n").ok().await?;
    let next = world.lastgood(restore).limit(NEXT_LIMIT).ok().await?;
    next.says("waiting up to two minutes")?.says(&elsewhere.there())?.says("was killed")?;
    ensure_eq!(world.checksum(&shop)?, new, "the database after the next run");
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    Ok(())
}
