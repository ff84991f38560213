//! How a throwaway cluster is set up and shut down.

use std::fmt::Write as _;
use std::path::Path;

use rustix::process::Signal;

use super::installs::Programs;

/// How a cluster differs from the usual one.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Lines for `postgresql.conf`, after all others: they win.
    pub conf: Vec<String>,
    /// Whether to survive a crash of the machine. Off by default: the data is thrown away, and tests get faster.
    pub fsync: bool,
    /// The server's `max_connections`.
    pub max_connections: u32,
    /// The server's `max_locks_per_transaction`.
    pub max_locks_per_transaction: u32,
    /// More arguments for `initdb`, such as `--locale-provider=icu`.
    pub initdb: Vec<String>,
    /// Other programs than those the machine has first: a server of another version.
    pub programs: Option<Programs>,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        // A dump locks every table in one transaction, and tests share a cluster: more locks than the server's 64.
        Self {
            conf: Vec::new(),
            fsync: false,
            max_connections: 100,
            max_locks_per_transaction: 256,
            initdb: Vec::new(),
            programs: None,
        }
    }
}

impl ClusterOptions {
    /// What to append to `postgresql.conf`.
    pub(super) fn settings(&self, host: &str, socket_dir: &Path) -> String {
        let mut settings = String::from("\n");
        let socket_dir = socket_dir.display().to_string().replace('\'', "''");
        for (name, value) in [
            ("listen_addresses", format!("'{host}'")),
            ("unix_socket_directories", format!("'{socket_dir}'")),
            ("max_connections", self.max_connections.to_string()),
            ("max_locks_per_transaction", self.max_locks_per_transaction.to_string()),
        ] {
            let _ = writeln!(settings, "{name} = {value}");
        }
        if !self.fsync {
            settings.push_str("fsync = off\nfull_page_writes = off\n");
        }
        for line in &self.conf {
            settings.push_str(line);
            settings.push('\n');
        }
        settings
    }
}

/// How to stop a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Wait until all clients have left.
    Smart,
    /// End all sessions, write a checkpoint.
    Fast,
    /// End at once; the next start recovers from the log.
    Immediate,
}

impl Shutdown {
    /// The signal that asks a postmaster for it.
    pub(super) fn signal(self) -> Signal {
        match self {
            Self::Smart => Signal::TERM,
            Self::Fast => Signal::INT,
            Self::Immediate => Signal::QUIT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_lines_come_last_and_a_quote_in_the_folder_is_doubled() {
        let options = ClusterOptions { conf: vec!["max_connections = 7".into()], ..ClusterOptions::default() };
        let settings = options.settings("127.0.0.1", Path::new("/tmp/it's"));
        assert!(settings.contains("unix_socket_directories = '/tmp/it''s'\n"));
        assert!(settings.contains("\nfsync = off\nfull_page_writes = off\n"));
        assert!(settings.ends_with("\nmax_connections = 7\n"));
    }

    #[test]
    fn fsync_leaves_the_defaults() {
        let settings = ClusterOptions { fsync: true, ..ClusterOptions::default() }.settings("h", Path::new("/s"));
        assert!(!settings.contains("fsync") && !settings.contains("full_page_writes"));
    }
}
