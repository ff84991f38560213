//! Runs the built binary as its users do, with nothing of this process's surroundings and never without a time limit.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::failure::{Failure, RowResult};
use super::world::World;

/// How long a command may take: far more than any row needs, little enough that a hang is found.
const LIMIT: Duration = Duration::from_secs(120);

/// How often a waiting row looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A command line about to be run.
#[derive(Debug)]
pub struct Lastgood<'w> {
    world: &'w World,
    args: Vec<String>,
    env: Vec<(String, String)>,
    stdin: Option<Vec<u8>>,
    limit: Duration,
    through: Vec<String>,
}

impl<'w> Lastgood<'w> {
    pub(super) fn new(world: &'w World, args: Vec<String>) -> Self {
        Self { world, args, env: Vec::new(), stdin: None, limit: LIMIT, through: Vec::new() }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Gives it something to read; otherwise its standard input is empty.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Runs it by way of another program, such as one that takes rights away.
    #[must_use]
    pub fn through<A: Into<String>>(mut self, words: impl IntoIterator<Item = A>) -> Self {
        self.through = words.into_iter().map(Into::into).collect();
        self
    }

    /// Changes how long it may take.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it to its end, whatever its exit code.
    ///
    /// # Errors
    /// If it cannot be run or takes too long.
    pub async fn run(self) -> RowResult<Output> {
        self.start()?.finish().await
    }

    /// Runs it; it must end with 0.
    ///
    /// # Errors
    /// If it does not.
    pub async fn ok(self) -> RowResult<Output> {
        self.fails(0).await
    }

    /// Runs it; it must end with `code`.
    ///
    /// # Errors
    /// If it does not.
    pub async fn fails(self, code: i32) -> RowResult<Output> {
        self.run().await?.expect_code(code)
    }

    /// Starts it and lets it run.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(self) -> RowResult<Running> {
        let mut command = match self.through.split_first() {
            None => Command::new(self.world.lastgood_binary()),
            Some((program, words)) => {
                let mut command = Command::new(program);
                command.args(words).arg(self.world.lastgood_binary());
                command
            }
        };
        command.args(&self.args).current_dir(self.world.folder()).env_clear();
        command.envs(self.world.environment()).envs(self.env.iter().cloned());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).process_group(0);
        command.stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = command.spawn()?;
        if let (Some(mut pipe), Some(bytes)) = (child.stdin.take(), self.stdin) {
            // A program that stops reading says why by its exit code.
            tokio::spawn(async move { pipe.write_all(&bytes).await });
        }
        let line = describe(&self.args, &self.env);
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let pid = pid.ok_or_else(|| Failure::new("a process without an id"))?;
        Ok(Running {
            stdout: Collected::of(child.stdout.take()),
            stderr: Collected::of(child.stderr.take()),
            child,
            pid,
            line,
            limit: self.limit,
            begun: Instant::now(),
            note: self.world.transcript(),
        })
    }
}

fn describe(args: &[String], env: &[(String, String)]) -> String {
    let mut line = String::new();
    for (name, value) in env {
        line.push_str(&format!("{name}={} ", quote(value)));
    }
    line.push_str("lastgood");
    for arg in args {
        line.push(' ');
        line.push_str(&quote(arg));
    }
    line
}

fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// What a process has written so far.
#[derive(Debug)]
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Collected {
    fn of(pipe: Option<impl AsyncReadExt + Unpin + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bytes);
        let reader = tokio::spawn(async move {
            let Some(mut pipe) = pipe else { return };
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..length]);
            }
        });
        Self { bytes, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Waits until nobody can write any more. A grandchild that outlived a killed parent may hold the pipe for ever.
    async fn rest(&mut self) -> String {
        let _ = tokio::time::timeout(Duration::from_secs(2), &mut self.reader).await;
        self.text()
    }
}

/// A command that runs; killed with everything it started when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    pid: Pid,
    stdout: Collected,
    stderr: Collected,
    line: String,
    limit: Duration,
    begun: Instant,
    note: Arc<Mutex<Option<String>>>,
}

impl Running {
    /// Sends it a signal, and not to its children.
    ///
    /// # Errors
    /// If it cannot be sent.
    pub fn signal(&self, signal: Signal) -> RowResult {
        Ok(kill_process(self.pid, signal)?)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Whether it has ended.
    ///
    /// # Errors
    /// If the kernel does not say.
    pub fn has_ended(&mut self) -> RowResult<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits until `text` appears on its standard error (with `LASTGOOD_PROGRESS=json` every step does).
    ///
    /// # Errors
    /// If it ends before, or takes too long.
    pub async fn wait_for(&mut self, text: &str) -> RowResult {
        while !self.stderr.text().contains(text) {
            if self.begun.elapsed() > self.limit || self.has_ended()? {
                // The last words may arrive after the end.
                tokio::time::sleep(LOOK_EVERY).await;
                if self.stderr.text().contains(text) {
                    break;
                }
                return Err(Failure::new(format!(
                    "`{}` ended without saying `{text}`:\n{}",
                    self.line,
                    self.stderr.text()
                )));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it takes too long; it is then killed.
    pub async fn finish(mut self) -> RowResult<Output> {
        let left = self.limit.saturating_sub(self.begun.elapsed());
        let status = tokio::time::timeout(left, self.child.wait()).await;
        let elapsed = self.begun.elapsed();
        if status.is_err() {
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
        let (stdout, stderr) = (self.stdout.rest().await, self.stderr.rest().await);
        let status = status.ok().transpose()?;
        let output = Output { line: self.line.clone(), status, stdout, stderr, elapsed };
        *self.note.lock().unwrap_or_else(PoisonError::into_inner) = Some(output.transcript());
        if output.status.is_none() {
            return Err(Failure::new(format!("it did not end within {} s", self.limit.as_secs())));
        }
        Ok(output)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
    }
}

/// What a command did.
#[derive(Clone, Debug)]
pub struct Output {
    /// The command line.
    pub line: String,
    status: Option<ExitStatus>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// How long it took.
    pub elapsed: Duration,
}

impl Output {
    /// Its exit code; none if a signal ended it.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status.and_then(|status| status.code())
    }

    /// The signal that ended it.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.status.and_then(|status| status.signal())
    }

    /// Itself, if it ended with `code`.
    ///
    /// # Errors
    /// If it ended with another one.
    pub fn expect_code(self, code: i32) -> RowResult<Self> {
        if self.code() == Some(code) {
            return Ok(self);
        }
        Err(self.fault(&format!("it should end with exit code {code}")))
    }

    /// Itself, if SIGKILL ended it.
    ///
    /// # Errors
    /// If something else did.
    pub fn expect_killed(self) -> RowResult<Self> {
        if self.signal() == Some(Signal::KILL.as_raw()) {
            return Ok(self);
        }
        Err(self.fault("it should be ended by SIGKILL"))
    }

    /// Itself, if `text` is in what it wrote.
    ///
    /// # Errors
    /// If not.
    pub fn says(self, text: &str) -> RowResult<Self> {
        if self.stdout.contains(text) || self.stderr.contains(text) {
            return Ok(self);
        }
        Err(self.fault(&format!("it should say `{text}`")))
    }

    /// Itself, unless `text` is in what it wrote.
    ///
    /// # Errors
    /// If it is.
    pub fn never_says(self, text: &str) -> RowResult<Self> {
        if self.stdout.contains(text) || self.stderr.contains(text) {
            return Err(self.fault(&format!("it should not say `{text}`")));
        }
        Ok(self)
    }

    /// Standard output as one JSON document.
    ///
    /// # Errors
    /// If it is none.
    pub fn json(&self) -> RowResult<Value> {
        serde_json::from_str(&self.stdout)
            .map_err(|error| self.fault(&format!("its output is no JSON document: {error}")))
    }

    /// Standard output as JSON lines, or one JSON document as a single line.
    ///
    /// # Errors
    /// If it is neither.
    pub fn json_lines(&self) -> RowResult<Vec<Value>> {
        let lines: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&self.stdout).into_iter().collect();
        lines.map_err(|error| self.fault(&format!("its output is not JSON: {error}")))
    }

    /// Names of the steps it went through, in order; needs `LASTGOOD_PROGRESS=json`.
    #[must_use]
    pub fn steps(&self) -> Vec<String> {
        let events = self.stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events
            .filter(|event| event["event"] == "step")
            .filter_map(|event| Some(event["name"].as_str()?.to_owned()))
            .collect()
    }

    /// Something is wrong with it.
    #[must_use]
    pub fn fault(&self, what: &str) -> Failure {
        Failure::new(format!("{what}, and ended with {}", self.ending()))
    }

    fn ending(&self) -> String {
        match (self.code(), self.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "nothing: it was stopped for taking too long".to_owned(),
        }
    }

    /// Command line, end, output.
    #[must_use]
    pub fn transcript(&self) -> String {
        let mut text = format!("$ {}\n({}, {:.1} s)", self.line, self.ending(), self.elapsed.as_secs_f64());
        for (name, said) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            for line in said.lines() {
                text.push_str(&format!("\n{name}: {line}"));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_pasted_into_a_shell() {
        let args = ["pg".to_owned(), "dump".to_owned(), r#"we"ird é'; drop"#.to_owned()];
        let env = [("LASTGOOD_CRASH_AT".to_owned(), "swap.rename#2".to_owned())];
        assert_eq!(describe(&args, &env), r#"LASTGOOD_CRASH_AT='swap.rename#2' lastgood pg dump 'we"ird é'\''; drop'"#);
    }
}
