//! The throwaway PostgreSQL server that a benchmark or demo runs on.

use std::path::PathBuf;
use std::process::Command;

use backup_testkit::postgres::{Cluster, ClusterOptions, Install};

use crate::Outcome;

/// A running server, gone with its data on drop.
#[derive(Debug)]
pub struct Server {
    cluster: Cluster,
}

impl Server {
    /// Starts a server with `conf` in its `postgresql.conf`; with `fsync` it writes durably, as a real one does.
    ///
    /// # Errors
    /// If there are no server programs or the server does not come up.
    pub fn start(conf: &[&str], fsync: bool) -> Outcome<Self> {
        let conf = conf.iter().map(ToString::to_string).collect();
        Ok(Self { cluster: Cluster::start(ClusterOptions { conf, fsync, ..ClusterOptions::default() })? })
    }

    /// The same of this major version, which must be installed or fetched.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn of_version(major: u32, conf: &[&str], fsync: bool) -> Outcome<Self> {
        let (conf, programs) = (conf.iter().map(ToString::to_string).collect(), Some(Install::server(major)?));
        Ok(Self { cluster: Cluster::start(ClusterOptions { conf, fsync, programs, ..ClusterOptions::default() })? })
    }

    /// The program `name` of the server's own version, and not a distribution's wrapper around it.
    pub fn program(&self, name: &str) -> PathBuf {
        self.cluster.bin_dir().join(name)
    }

    /// Points `command` at this server, and takes away whatever would point it elsewhere.
    pub fn point(&self, command: &mut Command) {
        let leading_elsewhere = std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("PG"));
        for name in leading_elsewhere {
            command.env_remove(name);
        }
        command.env_remove("DATABASE_URL").env_remove("LASTGOOD_PG_URL").envs(self.cluster.env());
    }

    /// What `sql` returns in `database`: `|` between columns.
    ///
    /// # Errors
    /// At the first statement that fails.
    pub fn sql(&self, database: &str, sql: &str) -> Outcome<String> {
        Ok(self.cluster.psql(database, sql)?)
    }

    /// How to connect to `database` from this process, over TCP and with a password as an application would.
    #[cfg(feature = "rows")]
    pub fn config(&self, database: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host(self.cluster.host()).port(self.cluster.port()).dbname(database);
        config.user(self.cluster.superuser()).password(self.cluster.password());
        config
    }

    /// Host, port, user and password, for programs that want each by itself.
    pub fn login(&self) -> (String, String, String, String) {
        let cluster = &self.cluster;
        let port = cluster.port().to_string();
        (cluster.host().to_owned(), port, cluster.superuser().to_owned(), cluster.password().to_owned())
    }

    /// The process id of the postmaster; 0 while the server is stopped.
    pub fn postmaster(&self) -> u32 {
        self.cluster.postmaster_pid().unwrap_or_default()
    }

    /// The server's version, such as `15.18 (Debian 15.18-0+deb12u1)`.
    pub fn version(&self) -> String {
        self.sql("postgres", "SHOW server_version").unwrap_or_default()
    }
}
