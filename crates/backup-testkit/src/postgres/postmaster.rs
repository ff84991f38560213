//! The server process: a child that dies with its parent.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::binaries::ServerUser;
use super::error::ClusterError;
use super::folder::{Folder, log_end, random_hex};
use super::options::Shutdown;
use super::without_environment;

/// A busy machine with two cores starts a server in a second or two; recovery after a crash may add to that.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A shutdown checkpoint of a test database, or the wait for a test's clients, takes less.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// Postgres itself kills its children 5 s into an immediate shutdown.
const DROP_TIMEOUT: Duration = Duration::from_secs(10);

/// Backends look for their postmaster whenever they wait for something; one that computes has to be killed.
const ORPHAN_TIMEOUT: Duration = Duration::from_secs(5);

/// Long enough to cost nothing, short enough not to be noticed.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How often a port taken between our look and the server's is worth another try.
pub(super) const PORT_ATTEMPTS: u32 = 5;

/// Below the ports the kernel gives to outgoing connections (from 32768): a client that tries again and again while a
/// server is down would otherwise take its port, or even connect to itself.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// What the server's log says when another process has its port.
const PORT_TAKEN: &str = "could not create any TCP/IP sockets";

/// What became of a start.
#[derive(Debug)]
pub(super) enum Start {
    Ready(Postmaster),
    PortTaken,
}

/// A running postmaster; dropped, it ends at once.
#[derive(Debug)]
pub(super) struct Postmaster {
    child: Child,
    data_dir: PathBuf,
    log_file: PathBuf,
    log_from: u64,
}

impl Postmaster {
    /// Starts the server and waits until it accepts connections.
    pub(super) fn start(bin_dir: &Path, user: &ServerUser, folder: &Folder, port: u16) -> Result<Start, ClusterError> {
        let log = folder.open_log()?;
        let log_from = log.metadata().map_err(ClusterError::io("read", folder.log_file()))?.len();
        let child = spawn(command(bin_dir, user, folder.data_dir(), port, log))
            .map_err(ClusterError::io("run with `setpriv`", &bin_dir.join("postgres")))?;
        let mut postmaster =
            Self { child, data_dir: folder.data_dir().into(), log_file: folder.log_file().into(), log_from };
        let deadline = Instant::now() + START_TIMEOUT;
        while !postmaster.is_ready() {
            if let Some(status) = postmaster.wait_until(Instant::now())? {
                let log = postmaster.log_end();
                return if log.contains(PORT_TAKEN) {
                    Ok(Start::PortTaken)
                } else {
                    Err(ClusterError::Ended { status, log })
                };
            }
            if Instant::now() >= deadline {
                return Err(postmaster.timeout("accept connections", START_TIMEOUT));
            }
            thread::sleep(POLL_INTERVAL);
        }
        Ok(Start::Ready(postmaster))
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks the server to end and waits for it.
    pub(super) fn stop(&mut self, how: Shutdown) -> Result<(), ClusterError> {
        self.signal(how.signal())?;
        match self.wait_until(Instant::now() + STOP_TIMEOUT)? {
            Some(_) => Ok(()),
            None => Err(self.timeout("stop", STOP_TIMEOUT)),
        }
    }

    /// Kills the postmaster and waits for its orphans.
    pub(super) fn kill(mut self) -> Result<(), ClusterError> {
        self.signal(Signal::KILL)?;
        self.child.wait().map_err(ClusterError::io("wait for", Path::new("postgres")))?;
        kill_processes_in(&self.data_dir, ORPHAN_TIMEOUT);
        Ok(())
    }

    /// Whether the server has written into its pid file that it is ready, which is what `pg_ctl -w` waits for.
    fn is_ready(&self) -> bool {
        fs::read_to_string(self.data_dir.join("postmaster.pid")).is_ok_and(|text| says_ready(&text, self.id()))
    }

    fn signal(&mut self, signal: Signal) -> Result<(), ClusterError> {
        // Once waited for, the id may be somebody else's.
        if self.is_running() {
            kill_process(Pid::from_child(&self.child), signal)
                .map_err(|error| ClusterError::io("signal", Path::new("postgres"))(error.into()))?;
        }
        Ok(())
    }

    fn wait_until(&mut self, deadline: Instant) -> Result<Option<ExitStatus>, ClusterError> {
        loop {
            let status = self.child.try_wait().map_err(ClusterError::io("wait for", Path::new("postgres")))?;
            if status.is_some() || Instant::now() >= deadline {
                return Ok(status);
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    fn log_end(&self) -> String {
        log_end(&self.log_file, self.log_from)
    }

    fn timeout(&self, what: &'static str, timeout: Duration) -> ClusterError {
        ClusterError::Timeout { what, timeout_s: timeout.as_secs(), log: self.log_end() }
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        // Nobody can be told here; each step is tried whatever became of the one before.
        let _ = self.signal(Signal::QUIT);
        if !matches!(self.wait_until(Instant::now() + DROP_TIMEOUT), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        kill_processes_in(&self.data_dir, Duration::ZERO);
    }
}

/// The server as our child that gets SIGQUIT, an immediate shutdown, when we die.
fn command(bin_dir: &Path, user: &ServerUser, data_dir: &Path, port: u16, log: fs::File) -> Command {
    // Setting this on the child takes `unsafe` in Rust. `setpriv` does it after it has switched users, which is needed
    // as a switch resets it (`PR_SET_PDEATHSIG(2const)`), and then becomes the server: same process, same id.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if user.switch {
        command.args(["--reuid", &user.uid.to_string(), "--regid", &user.gid.to_string(), "--clear-groups"]);
    }
    command.arg("--").arg(bin_dir.join("postgres")).arg("-D").arg(data_dir).args(["-p", &port.to_string()]);
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    // Ctrl-C in a terminal is for the test, which then ends the server by its own end.
    command.process_group(0);
    super::with_own_libraries(without_environment(&mut command), bin_dir);
    command
}

/// Spawns from a thread that lives as long as the process.
///
/// The kernel's "parent" whose death is signalled is the *thread* that spawned, and a test's thread ends with its test.
fn spawn(command: Command) -> io::Result<Child> {
    type Order = (Command, Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<Sender<Order>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in orders {
                let _ = reply.send(command.spawn());
            }
        });
        sender
    });
    let (reply, child) = mpsc::channel();
    spawner.send((command, reply)).map_err(io::Error::other)?;
    child.recv().map_err(io::Error::other)?
}

/// Whether a `postmaster.pid` is this process's and says that it accepts connections (its eighth line).
fn says_ready(pid_file: &str, id: u32) -> bool {
    let mut lines = pid_file.lines();
    lines.next().is_some_and(|line| line.trim() == id.to_string())
        && lines.nth(6).is_some_and(|status| status.trim() == "ready")
}

/// A port that nobody listens on at the moment.
pub(super) fn free_port() -> Result<u16, ClusterError> {
    let mut last = None;
    for _ in 0..100 {
        let random = u16::from_str_radix(&random_hex(2)?, 16).unwrap_or_default();
        let port = PORTS.start + random % (PORTS.end - PORTS.start);
        match TcpListener::bind(("127.0.0.1", port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = Some(error),
        }
    }
    Err(ClusterError::io("find a free port on", Path::new("127.0.0.1"))(last.unwrap_or_else(io::Error::last_os_error)))
}

/// The processes whose working folder is a data folder: a postmaster and all its children, orphans too.
pub(super) fn processes_in(data_dir: &Path) -> Vec<Pid> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter(|entry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == data_dir))
        .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
        .collect()
}

/// Gives the processes of a data folder time to end, then kills them, and returns when they are gone.
pub(super) fn kill_processes_in(data_dir: &Path, patience: Duration) {
    let begin = Instant::now();
    loop {
        let left = processes_in(data_dir);
        let waited = begin.elapsed();
        // What outlives SIGKILL hangs in the kernel: waiting longer does not help.
        if left.is_empty() || waited > patience + DROP_TIMEOUT {
            return;
        }
        if waited >= patience {
            for pid in left {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        thread::sleep(POLL_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_the_eighth_line_of_our_own_pid_file() {
        let file = |status: &str| format!("41\n/data\n1700000000\n5432\n/socket\n127.0.0.1\n  123  456\n{status}\n");
        assert!(says_ready(&file("ready   "), 41));
        assert!(!says_ready(&file("starting"), 41));
        assert!(!says_ready(&file("ready   "), 4), "a file that a killed server left");
        assert!(!says_ready("41\n/data\n", 41));
        assert!(!says_ready("", 41));
    }
}
