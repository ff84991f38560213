//! Runs a command, or several joined by pipes, and measures what it took.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::process;
use crate::Outcome;
use crate::server::Server;

/// How often a running tree is looked at. Peaks are read from the kernel's own high-water mark, so that only processes that live
/// shorter than this can be missed. Looking takes longer the more threads there are, and must not be what is measured.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);

/// What one run took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measurement {
    /// From start to the end of the last process, in seconds.
    pub(crate) wall_s: f64,
    /// CPU time of the commands and their children, in seconds.
    pub(crate) client_cpu_s: f64,
    /// CPU time of the server meanwhile, in seconds.
    pub(crate) server_cpu_s: f64,
    /// Most memory in use at once by the commands and their children, in bytes.
    pub(crate) peak_bytes: u64,
    /// Bytes the commands wrote to local disks, or left for a while in the watched folder; whichever is more.
    pub(crate) disk_bytes: u64,
    /// Size of what was made, in bytes; set by the caller.
    pub(crate) output_bytes: u64,
}

/// Runs `commands`, each reading what the one before writes; every one must succeed. `watched` is a folder whose largest
/// size during the run counts as disk use.
pub(crate) fn run(commands: Vec<Command>, server: Option<&Server>, watched: Option<&Path>) -> Outcome<Measurement> {
    let server_cpu_s = || server.map_or(0.0, |server| process::tree_cpu_s(server.postmaster()));
    if let Some(server) = server {
        server.sql("postgres", "CHECKPOINT")?;
    }
    // Nobody pays for writing back what an earlier run left in memory.
    rustix::fs::sync();
    let cpu_before = process::children_cpu_s();
    let server_before = server_cpu_s();
    let begin = Instant::now();
    let children = start(commands)?;
    let sampler = Sampler::start(children.iter().map(|(_, child, _)| child.id()).collect(), watched);
    let mut failure = None;
    for (name, mut child, stderr) in children {
        let status = child.wait()?;
        if !status.success() && failure.is_none() {
            failure = Some(format!("`{name}` ended with {status}: {}", stderr.join().unwrap_or_default().trim()));
        }
    }
    let wall_s = begin.elapsed().as_secs_f64();
    let (peak_bytes, disk_bytes) = sampler.stop();
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    Ok(Measurement {
        wall_s,
        client_cpu_s: process::children_cpu_s() - cpu_before,
        server_cpu_s: server_cpu_s() - server_before,
        peak_bytes,
        disk_bytes,
        output_bytes: 0,
    })
}

/// A started command: its name, itself, and what it complains.
type Started = (String, Child, JoinHandle<String>);

fn start(commands: Vec<Command>) -> Outcome<Vec<Started>> {
    let last = commands.len() - 1;
    let mut previous = None;
    let mut started = Vec::new();
    for (i, mut command) in commands.into_iter().enumerate() {
        let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
        command.stdin(previous.take().map_or_else(Stdio::null, Stdio::from));
        command.stdout(if i < last { Stdio::piped() } else { Stdio::null() }).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("`{name}` cannot be started: {error}"))?;
        previous = child.stdout.take();
        let mut pipe = child.stderr.take();
        let stderr = thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(pipe) = &mut pipe {
                // What arrived before an error is worth showing; the exit status decides.
                let _ = pipe.read_to_end(&mut bytes);
            }
            String::from_utf8_lossy(&bytes).into_owned()
        });
        started.push((name, child, stderr));
    }
    Ok(started)
}

/// Looks at running trees from a thread of its own.
#[derive(Debug)]
struct Sampler {
    done: Arc<AtomicBool>,
    thread: JoinHandle<(u64, u64)>,
}

impl Sampler {
    fn start(roots: Vec<u32>, watched: Option<&Path>) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let (stop, watched) = (Arc::clone(&done), watched.map(Path::to_path_buf));
        let thread = thread::spawn(move || {
            let mut seen = Seen::default();
            while !stop.load(Ordering::Relaxed) {
                seen.look(&roots, watched.as_ref());
                thread::sleep(SAMPLE_EVERY);
            }
            (seen.peak_bytes, seen.written.values().sum::<u64>().max(seen.folder_bytes))
        });
        Self { done, thread }
    }

    /// Peak memory and disk use in bytes.
    fn stop(self) -> (u64, u64) {
        self.done.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct Seen {
    peak_bytes: u64,
    written: HashMap<u32, u64>,
    folder_bytes: u64,
}

impl Seen {
    fn look(&mut self, roots: &[u32], watched: Option<&PathBuf>) {
        let living: Vec<u32> = roots.iter().flat_map(|root| process::tree(*root)).collect();
        self.peak_bytes = self.peak_bytes.max(living.iter().filter_map(|pid| process::peak_memory_bytes(*pid)).sum());
        for pid in living {
            if let Some(bytes) = process::written_bytes(pid) {
                self.written.insert(pid, bytes);
            }
        }
        self.folder_bytes = self.folder_bytes.max(watched.map_or(0, |folder| size_bytes(folder)));
    }
}

/// Size of a file, or of all files below a folder, in bytes.
pub(crate) fn size_bytes(path: &Path) -> u64 {
    let Ok(metadata) = fs::symlink_metadata(path) else { return 0 };
    if !metadata.is_dir() {
        return metadata.len();
    }
    fs::read_dir(path).map_or(0, |entries| entries.flatten().map(|entry| size_bytes(&entry.path())).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_as_large_as_its_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/b"), [0; 700]).unwrap();
        fs::write(folder.path().join("c"), [0; 42]).unwrap();
        assert_eq!(size_bytes(folder.path()), 742);
        assert_eq!(size_bytes(&folder.path().join("gone")), 0);
    }
}
