//! Freezes file systems on loop devices: needs root. Writers on a frozen one survive SIGKILL, so that every test has its
//! own limits and a guard that thaws from outside.

mod dead_runs;
mod disk;
mod systemd;
#[cfg(feature = "ec2")]
mod through_ssm;
mod windows;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;

use self::disk::LoopDisk;
use super::error::FreezeError;
use super::held::{Held, Request};
use super::hooks::Hooks;
use crate::host::adapters::Process;
use crate::host::{Conversation, HostError, Script, Shell};

/// This machine, with something done to each program before it runs.
#[derive(Debug)]
struct Here {
    process: Process,
    /// Places of the program, and what is run there.
    at: Option<(&'static str, &'static str)>,
    /// Answers only at the end, as Systems Manager does.
    only_at_the_end: bool,
}

impl Here {
    fn new() -> Arc<Self> {
        Arc::new(Self { process: Process::local(Vec::new()), at: None, only_at_the_end: false })
    }

    fn killed_at(place: &'static str) -> Arc<Self> {
        // The group is the program with all its subshells, and not the watchdog.
        Arc::new(Self { process: Process::local(Vec::new()), at: Some((place, "kill -9 0")), only_at_the_end: false })
    }

    fn that_answers_at_the_end() -> Arc<Self> {
        Arc::new(Self { process: Process::local(Vec::new()), at: None, only_at_the_end: true })
    }
}

#[async_trait]
impl Shell for Here {
    fn host(&self) -> &str {
        self.process.host()
    }

    async fn run(&self, script: &Script, limit: Duration) -> Result<String, HostError> {
        self.process.run(script, limit).await
    }

    async fn talk(&self, script: &Script) -> Result<Option<Box<dyn Conversation>>, HostError> {
        if self.only_at_the_end {
            return Ok(None);
        }
        match self.at {
            Some((place, command)) => self.process.talk(&script.with_command_at(place, command)).await,
            None => self.process.talk(script).await,
        }
    }
}

/// One test at a time: records of dead runs are everybody's to clear up.
static ALONE: Mutex<()> = Mutex::const_new(());

async fn asked(disks: &[&LoopDisk], seconds: u64, hooks: Hooks) -> Request {
    let paths: Vec<String> = disks.iter().map(|disk| disk.path()).collect();
    let by = "a test".to_owned();
    Request::of(&*Here::new(), &paths, Duration::from_secs(seconds), hooks, by).await.unwrap()
}

async fn frozen(shell: Arc<Here>, disks: &[&LoopDisk], seconds: u64) -> Result<Held, FreezeError> {
    Held::freeze(shell, &asked(disks, seconds, Hooks::default()).await).await
}
