//! A service with tables in memory that is killed, or whose clock is wrong, and commands on its backups that are killed.

use std::process::Stdio;
use std::time::Duration;

use backup_testkit::dice::Dice;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::kind::{Lane, Part, beside_us};
use super::runs::{killed, ok};
use crate::ensure;
use crate::harness::failure::Within as _;
use crate::harness::{Failure, RowResult, World};

/// A life ends within so much of its first durable step, or of its start.
const LIFE: Duration = Duration::from_millis(300);

/// How long a service may take until it says something, or ends.
const SERVICE_LIMIT: Duration = Duration::from_secs(120);

/// How long a command on such a small location takes.
const COMMAND: Duration = Duration::from_millis(120);

/// Largest error of a clock: three days.
const SKEW_S: usize = 3 * 24 * 3600;

/// A service, and how far it came.
struct Service {
    world: World,
    program: std::path::PathBuf,
    /// What happens in each step.
    seed: u64,
    durable: u64,
}

impl Service {
    async fn set(world: World, lane: &Lane) -> RowResult<Self> {
        world.init().await?;
        Ok(Self { world, program: beside_us("dict-service")?, seed: lane.seed, durable: 0 })
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).env_clear().envs(self.world.environment()).current_dir(self.world.folder());
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Lives until it is killed, or for some steps; whether it was killed after it began.
    async fn lives(&mut self, steps: Option<usize>, life: Duration, at_once: bool, clock: i64) -> RowResult<bool> {
        let (seed, clock) = (self.seed.to_string(), format!("--clock={clock}"));
        let steps = steps.map(|steps| format!("--steps={steps}"));
        let url = self.world.place().url();
        let mut words = vec!["live", &url, "--seed", &seed, &clock];
        words.extend(steps.as_deref());
        let mut service = self.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut lines = match service.stdout.take() {
            Some(stdout) => BufReader::new(stdout).lines(),
            None => return Err(Failure::new("a service without an output")),
        };
        let mut said = None;
        let heard = |line: &str| line.strip_prefix("durable ").and_then(|step| step.parse::<u64>().ok());
        if !at_once && let Some(line) = tokio::time::timeout(SERVICE_LIMIT, lines.next_line()).await?? {
            said = heard(&line);
        }
        let dies = if steps.is_some() { SERVICE_LIMIT } else { life };
        let reads = async {
            while let Some(line) = lines.next_line().await? {
                said = heard(&line).or(said);
            }
            Ok::<(), std::io::Error>(())
        };
        // Either it dies, or its output ends with it.
        let ended = tokio::time::timeout(dies, reads).await;
        if ended.is_err() {
            service.start_kill()?;
        }
        while let Some(line) = tokio::time::timeout(SERVICE_LIMIT, lines.next_line()).await?? {
            said = heard(&line).or(said);
        }
        let ended_well = ended.is_ok();
        let output = service.wait_with_output().await?;
        let is_right =
            if steps.is_some() { ended_well && output.status.success() } else { output.status.code().is_none() };
        if !is_right {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Failure::new(format!("the service ended with {}: {why}", output.status)));
        }
        self.durable = said.unwrap_or(self.durable);
        Ok(steps.is_none() && (said.is_some() || at_once))
    }

    /// What is restored is what was durable, and every backup can be read.
    async fn gives_back(&mut self) -> RowResult {
        let world = &self.world;
        if self.durable == 0 {
            let listed = ok(world, &["dict", "ls", "--json"]).await?.json()?;
            let is_there = listed.as_array().into_iter().flatten().any(|entry| entry["state"] == "good");
            if !is_there {
                return Ok(());
            }
        }
        ok(world, &["dict", "verify"]).await?;
        ok(world, &["dict", "restore", "--to", "state.json", "--force"]).await?;
        let (seed, durable) = (self.seed.to_string(), self.durable.to_string());
        let words = ["check", "state.json", "--seed", &seed, "--durable", &durable];
        let checked = self.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).output().await?;
        let said = String::from_utf8_lossy(&checked.stdout).into_owned();
        if !checked.status.success() {
            return Err(Failure::new(String::from_utf8_lossy(&checked.stderr).into_owned()));
        }
        let step = said.trim().strip_prefix("step ").and_then(|step| step.parse::<u64>().ok());
        self.durable = step.ok_or_else(|| Failure::new(format!("the check said `{said}`")))?;
        Ok(())
    }

    /// Leftovers go, and nothing that is needed.
    async fn without_leftovers(&mut self) -> RowResult {
        ok(&self.world, &["dict", "prune", "--incomplete", "--grace", "0s"]).await?;
        ensure!(self.world.place().unfinished().await? == 0, "unfinished uploads are left");
        self.gives_back().await
    }
}

/// Kills.
pub(super) struct Killed(Service);

impl Part for Killed {
    async fn set(world: World, lane: &Lane) -> RowResult<Self> {
        Ok(Self(Service::set(world, lane).await?))
    }

    async fn round(&mut self, dice: &mut Dice) -> RowResult<bool> {
        let wait = COMMAND.mul_f64(dice.share());
        let midway = match dice.below(6) {
            0 if self.0.durable > 0 => {
                let restore = ["dict", "restore", "--to", "state.json", "--force"];
                killed(&self.0.world, &restore, wait).await.within("restore")?
            }
            1 if self.0.durable > 0 => {
                let prune = ["dict", "prune", "--keep-last", "1", "--grace", "0s", "--yes"];
                killed(&self.0.world, &prune, wait).await.within("prune")?
            }
            _ => {
                let life = LIFE.mul_f64(dice.share());
                let at_once = dice.once_in(3);
                self.0.lives(None, life, at_once, 0).await.within(&format!("a life of {life:?}"))?
            }
        };
        self.0.gives_back().await?;
        if dice.once_in(4) {
            self.0.without_leftovers().await?;
        }
        Ok(midway)
    }

    fn world(&self) -> &World {
        &self.0.world
    }
}

/// Wrong clocks.
pub(super) struct Skewed(Service);

impl Part for Skewed {
    async fn set(world: World, lane: &Lane) -> RowResult<Self> {
        Ok(Self(Service::set(world, lane).await?))
    }

    async fn round(&mut self, dice: &mut Dice) -> RowResult<bool> {
        let clock = dice.below(2 * SKEW_S) as i64 - SKEW_S as i64;
        let steps = dice.between(1, 5);
        let place = format!("a clock that is wrong by {clock} s");
        self.0.lives(Some(steps), LIFE, false, clock).await.within(&place)?;
        self.0.gives_back().await.within(&place)?;
        if dice.once_in(3) {
            ok(&self.0.world, &["dict", "prune", "--keep-last", "1", "--grace", "0s", "--yes"]).await?;
            self.0.gives_back().await.within("after a prune")?;
        }
        Ok(true)
    }

    fn world(&self) -> &World {
        &self.0.world
    }
}
