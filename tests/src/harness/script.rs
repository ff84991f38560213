//! Small servers in Python that stand beside a row.

use std::io::BufRead as _;
use std::process::{Child, Command, Stdio};

use super::{Failure, RowResult, World};

/// A running script, ended on drop. It prints its port on its first line.
#[derive(Debug)]
pub struct Script {
    child: Child,
    /// Where it listens on this machine.
    pub port: u16,
}

impl Drop for Script {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Script {
    /// Runs `text` with these arguments in the working directory of every command.
    ///
    /// # Errors
    /// If it cannot be run or names no port.
    pub fn start(world: &World, text: &str, args: &[&str]) -> RowResult<Self> {
        let mut command = Command::new("python3");
        command.args(["-c", text]).args(args).current_dir(world.folder()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut line = String::new();
        let read = child.stdout.take().map(|output| std::io::BufReader::new(output).read_line(&mut line));
        let mut script = Self { child, port: 0 };
        read.transpose()?;
        script.port = line.trim().parse().map_err(|_| Failure::new(format!("the script names no port: `{line}`")))?;
        Ok(script)
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
