//! Runs the built binary in an empty folder with an environment of its own.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What a run ended with.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// The run's one JSON document.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8 output");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// The binary in `folder`, without a terminal, knowing of no server and no cloud.
pub(crate) fn lastgood(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastgood"));
    command.args(line.split_whitespace()).current_dir(folder).stdin(Stdio::null()).env_clear();
    command.env("HOME", folder).env("PATH", "/usr/bin:/bin").env("PGHOST", folder);
    command
}

pub(crate) fn run(folder: &Path, line: &str) -> Run {
    lastgood(folder, line).output().expect("the binary starts").into()
}
