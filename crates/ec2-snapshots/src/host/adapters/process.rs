//! Programs on this machine, and on another through the user's `ssh`.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::host::error::HostError;
use crate::host::script::Script;
use crate::host::shell::{Conversation, Shell};

/// Bytes kept of what a program complains about.
const COMPLAINT_BYTES_MAX: usize = 2048;

/// The longest answer read: mount tables of container hosts have some hundred kilobytes.
const ANSWER_BYTES_MAX: u64 = 8 << 20;

/// What ours asks of `ssh`: no questions, an end to silence, nothing of the user's session passed on. Whether a host's
/// key is known is for the user's own configuration to say, and unknown ones are refused.
const SSH_OPTIONS: [&str; 7] = [
    "-Tax",
    "-oBatchMode=yes",
    "-oConnectTimeout=15",
    "-oServerAliveInterval=5",
    "-oServerAliveCountMax=4",
    "-oStrictHostKeyChecking=yes",
    "-oClearAllForwardings=yes",
];

/// How `ssh` is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshOptions {
    /// The program and its first arguments: `ssh`, or `ssh -F FILE`.
    pub command: Vec<String>,
    /// Whether the user has to become root by `sudo -n`.
    pub sudo: bool,
}

impl SshOptions {
    /// `command` split into words as a shell would.
    ///
    /// # Errors
    /// [`HostError::Name`] if it is no command.
    pub fn of(command: &str, sudo: bool) -> Result<Self, HostError> {
        let words = shlex::split(command).filter(|words| !words.is_empty());
        let command = words.ok_or_else(|| HostError::Name { given: command.escape_debug().to_string() })?;
        Ok(Self { command, sudo })
    }
}

impl Default for SshOptions {
    fn default() -> Self {
        Self { command: vec!["ssh".to_owned()], sudo: false }
    }
}

/// A host whose programs are children of this process, or of an `ssh` that is one.
#[derive(Clone, Debug)]
pub struct Process {
    host: String,
    ssh: Option<SshOptions>,
    kept: Vec<String>,
}

impl Process {
    /// This machine. `kept` are files that must not be frozen beside our own binary, such as a log.
    #[must_use]
    pub fn local(kept: Vec<String>) -> Self {
        let own = std::env::current_exe().ok().map(|path| path.display().to_string());
        Self { host: "local".to_owned(), ssh: None, kept: kept.into_iter().chain(own).collect() }
    }

    /// What `destination` means to `ssh`.
    #[must_use]
    pub fn ssh(destination: impl Into<String>, options: SshOptions) -> Self {
        Self { host: destination.into(), ssh: Some(options), kept: Vec::new() }
    }

    /// The program that reads `script` from its input and leaves the rest of the input to it. `dd` reads byte by byte:
    /// `sh` itself reads ahead.
    fn command(&self, script: &Script) -> Command {
        let loader = format!("eval \"$(dd bs=1 count={} 2>/dev/null)\"", script.text().len());
        let mut command = match &self.ssh {
            None => {
                let mut command = Command::new("/bin/sh");
                command.args(["-c", &loader]);
                command
            }
            Some(SshOptions { command: words, sudo }) => {
                let mut command = Command::new(words.first().map_or("ssh", String::as_str));
                command.args(words.iter().skip(1)).args(SSH_OPTIONS).arg("--").arg(&self.host);
                let sudo = if *sudo { "sudo -n " } else { "" };
                command.arg(format!("exec {sudo}sh -c '{loader}'"));
                command
            }
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // What a terminal sends to our group must not reach who has to thaw.
        command.process_group(0);
        command
    }

    async fn start(&self, script: &Script) -> Result<Talk, HostError> {
        let mut child = self.command(script).spawn().map_err(|error| self.unreachable(error.to_string()))?;
        let (Some(mut input), Some(output), Some(mut errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(self.unreachable("it has no input or output".to_owned()));
        };
        let complaint = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&complaint);
        let complaining = tokio::spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok(read @ 1..) = errors.read(&mut buffer).await {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&buffer[..read]);
                let over = kept.len().saturating_sub(COMPLAINT_BYTES_MAX);
                kept.drain(..over);
            }
        });
        // Fails if the program ends before it has read all of it: its lines, or their absence, tell.
        let _ = input.write_all(script.text().as_bytes()).await;
        let _ = input.flush().await;
        Ok(Talk { output: BufReader::new(output), input: Some(input), complaint, complaining, child })
    }

    fn unreachable(&self, said: String) -> HostError {
        HostError::Unreachable { host: self.host.clone(), said }
    }
}

#[async_trait]
impl Shell for Process {
    fn host(&self) -> &str {
        &self.host
    }

    fn kept(&self) -> Vec<String> {
        self.kept.clone()
    }

    async fn run(&self, script: &Script, limit: Duration) -> Result<String, HostError> {
        let mut talk = self.start(script).await?;
        talk.input = None;
        let mut answer = Vec::new();
        let mut output = (&mut talk.output).take(ANSWER_BYTES_MAX);
        match tokio::time::timeout(limit, output.read_to_end(&mut answer)).await {
            Err(_) => {
                // It holds nothing: what is run to its end frees what it took.
                let _ = talk.child.start_kill();
                Err(self.unreachable(format!("it gave no answer within {} s", limit.as_secs())))
            }
            Ok(Err(error)) => Err(self.unreachable(error.to_string())),
            Ok(Ok(_)) if answer.is_empty() => Err(self.unreachable(talk.complaint().await)),
            Ok(Ok(_)) => Ok(String::from_utf8_lossy(&answer).into_owned()),
        }
    }

    async fn talk(&self, script: &Script) -> Result<Option<Box<dyn Conversation>>, HostError> {
        Ok(Some(Box::new(self.start(script).await?)))
    }
}

/// A program under way.
#[derive(Debug)]
struct Talk {
    output: BufReader<ChildStdout>,
    input: Option<ChildStdin>,
    complaint: Arc<Mutex<Vec<u8>>>,
    complaining: tokio::task::JoinHandle<()>,
    /// Not killed when dropped: the end of its input tells it to free what it holds.
    child: Child,
}

#[async_trait]
impl Conversation for Talk {
    async fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.output.read_until(b'\n', &mut line).await {
            Ok(1..) => Some(String::from_utf8_lossy(&line).trim_end().to_owned()),
            _ => None,
        }
    }

    async fn tell(&mut self, line: &str) {
        if let Some(input) = &mut self.input {
            let _ = input.write_all(format!("{line}\n").as_bytes()).await;
            let _ = input.flush().await;
        }
    }

    async fn complaint(&mut self) -> String {
        // What it says last comes with its end; something it left running may hold the pipe.
        let _ = tokio::time::timeout(Duration::from_secs(1), &mut self.complaining).await;
        let kept = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept);
        // rsync ends with a line about itself; why comes before that.
        let lines = || text.lines().rev().filter(|line| !line.trim().is_empty());
        let last = lines().find(|line| !line.starts_with("rsync error:")).or_else(|| lines().next());
        last.map_or_else(|| "it said nothing".to_owned(), |line| line.trim().to_owned())
    }
}
