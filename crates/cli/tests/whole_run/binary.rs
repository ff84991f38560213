//! Runs the built binary in an empty folder with an environment of its own.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything here takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

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

/// Starts a run that stops at `step` by way of `file`, and waits until it is there.
pub(crate) fn paused(mut command: Command, step: &str, file: &Path) -> Child {
    command.env("LASTGOOD_PAUSE_AT", step).env("LASTGOOD_PAUSE_FILE", file);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let deadline = Instant::now() + PATIENCE;
    while !file.exists() {
        assert!(Instant::now() < deadline, "the run never got to `{step}`");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

/// Sends the signal of that name.
pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("/bin/kill").args([format!("-{name}"), child.id().to_string()]).status();
    assert!(sent.expect("kill starts").success());
}
