//! A run that waits where a step begins.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::command::{Lastgood, Running};
use super::failure::{Failure, RowResult};
use super::world::World;

/// How long a run may take to come to the step.
const LIMIT: Duration = Duration::from_secs(60);

/// How often a waiting row looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A run that waits where a step begins.
#[derive(Debug)]
pub struct Paused {
    run: Running,
    flag: PathBuf,
}

impl Paused {
    /// Starts `command` and waits until it is where `step` begins.
    ///
    /// # Errors
    /// If it cannot be started, ends before, or takes too long.
    pub async fn at(step: &str, command: Lastgood<'_>, world: &World) -> RowResult<Self> {
        let flag = world.folder().join(format!("pause-{}", uuid::Uuid::now_v7()));
        let command = command.env("LASTGOOD_PAUSE_AT", step);
        let mut run = command.env("LASTGOOD_PAUSE_FILE", flag.display().to_string()).start()?;
        let begun = Instant::now();
        while !flag.exists() {
            if run.has_ended()? || begun.elapsed() > LIMIT {
                return Err(Failure::new(format!("the run never came to `{step}`")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(Self { run, flag })
    }

    /// Sends it a signal where it waits: one that asks it to end also ends the wait.
    ///
    /// # Errors
    /// If it cannot be sent.
    pub fn signal(&self, signal: Signal) -> RowResult {
        self.run.signal(signal)
    }

    /// The process id of the run.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.run.pid()
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// If it cannot be told.
    pub fn goes_on(self) -> RowResult<Running> {
        // Gone already if the run has ended.
        std::fs::remove_file(&self.flag)
            .or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
        Ok(self.run)
    }
}
