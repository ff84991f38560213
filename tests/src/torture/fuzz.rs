//! Readers fed with anything, by a program beside this one that calls them directly.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use backup_testkit::dice::Dice;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::process::Command;

use super::kind::{Done, Lane, Scene, beside_us};
use crate::harness::{Failure, RowResult};

/// Seconds of one turn of a reader.
const SECONDS: u64 = 5;

/// How long a turn may take: the program itself ends rounds that never would.
const LIMIT: Duration = Duration::from_secs(120);

struct Fuzz {
    program: PathBuf,
    reader: &'static str,
    keep: bool,
    failed: PathBuf,
    said: Option<String>,
}

/// Sets a reader up, named as the kind is, without `fuzz-`.
pub(super) fn set<'l>(lane: &'l Lane, name: &'static str) -> BoxFuture<'l, RowResult<Box<dyn Scene>>> {
    Box::pin(async move {
        let scene = Fuzz {
            program: beside_us("fuzz")?,
            reader: name.trim_start_matches("fuzz-"),
            keep: lane.keep_inputs,
            failed: std::env::temp_dir().join("lastgood-torture"),
            said: None,
        };
        Ok(Box::new(scene) as Box<dyn Scene>)
    })
}

impl Scene for Fuzz {
    fn round<'s>(&'s mut self, dice: &'s mut Dice) -> BoxFuture<'s, RowResult<Done>> {
        Box::pin(self.turn(dice.roll()))
    }

    fn last_command(&self) -> Option<String> {
        self.said.clone()
    }
}

impl Fuzz {
    async fn turn(&mut self, seed: u64) -> RowResult<Done> {
        let mut command = Command::new(&self.program);
        command.arg(self.reader).arg(format!("--seed={seed}")).arg(format!("--seconds={SECONDS}"));
        command.arg("--failed").arg(&self.failed).args(self.keep.then_some("--keep"));
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(LIMIT, command.output()).await;
        let output = match output {
            Ok(output) => output?,
            Err(_) => return Err(Failure::new(format!("`fuzz {} --seed={seed}` hangs", self.reader))),
        };
        let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        self.said = Some(format!("fuzz {} --seed={seed}\n{said}\n{complained}", self.reader));
        if let Some(signal) = output.status.signal() {
            let mark = self.failed.join(format!("{}.round", self.reader));
            let round = std::fs::read_to_string(mark).unwrap_or_default();
            return Err(Failure::new(format!("signal {signal} ended it in its round {}", round.trim())));
        }
        let told: Value = serde_json::from_str(said.trim()).unwrap_or_default();
        if !output.status.success() {
            return Err(Failure::new(format!("{}", told["failure"])));
        }
        let count = |field: &str| told[field].as_u64().unwrap_or_default();
        Ok(Done { rounds: count("rounds"), midway: count("accepted") })
    }
}
