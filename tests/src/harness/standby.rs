//! A standby of a row's server.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use backup_testkit::postgres::Programs;

use super::command::Lastgood;
use super::failure::{Failure, RowResult};
use super::world::World;

/// A running standby, stopped and removed on drop.
#[derive(Debug)]
pub struct Standby {
    programs: Programs,
    folder: PathBuf,
    uid: u32,
    port: u16,
}

impl Standby {
    /// Copies the server of `world` as it is, and follows it.
    ///
    /// # Errors
    /// If it cannot be copied or does not come up.
    pub fn start(world: &World) -> RowResult<Self> {
        let cluster = world.cluster();
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = tempfile::Builder::new().prefix("lastgood-standby-").tempdir_in("/tmp")?.keep();
        std::os::unix::fs::chown(&folder, Some(cluster.server_uid()), None)?;
        let programs = Programs { server: cluster.server_dir().to_owned(), client: cluster.bin_dir().to_owned() };
        let standby = Self { programs, folder, uid: cluster.server_uid(), port };
        let address = [format!("--host={}", cluster.host()), format!("--port={}", cluster.port())];
        let data = standby.folder.join("data");
        let mut copy = command(&standby.programs.client, "pg_basebackup", standby.uid);
        copy.args(address).arg(format!("--username={}", cluster.superuser())).env("PGPASSWORD", cluster.password());
        copy.args(["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync", "-D"]).arg(&data);
        succeeds(&mut copy)?;
        // A newer `pg_basebackup` names options there that the server's own `libpq` does not know. The last line counts.
        let primary = format!(
            "primary_conninfo = 'host={} port={} user={} password={}'\n",
            cluster.host(),
            cluster.port(),
            cluster.superuser(),
            cluster.password()
        );
        std::fs::OpenOptions::new()
            .append(true)
            .open(data.join("postgresql.auto.conf"))?
            .write_all(primary.as_bytes())?;
        let options = format!("-p {port} -c unix_socket_directories= -c logging_collector=off");
        let mut start = standby.command("pg_ctl");
        start.args(["start", "-w", "-D"]).arg(&data).arg("-l").arg(standby.folder.join("log")).args(["-o", &options]);
        succeeds(&mut start)?;
        Ok(standby)
    }

    /// `lastgood` with these arguments, about to be run on the standby.
    pub fn lastgood<'w>(&self, world: &'w World, words: &[&str]) -> Lastgood<'w> {
        let command = world.lastgood(words.iter().copied()).env("PGPORT", self.port.to_string());
        // The password file knows the primary's port only.
        command.env("PGPASSWORD", world.cluster().password())
    }

    /// Connects to it as an application does.
    ///
    /// # Errors
    /// If it refuses.
    pub async fn connect(&self, world: &World, database: &str) -> RowResult<tokio_postgres::Client> {
        let cluster = world.cluster();
        let mut config = tokio_postgres::Config::new();
        config.host(cluster.host()).port(self.port).user(cluster.superuser()).password(cluster.password());
        let (client, connection) = config.dbname(database).connect(tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Waits until it shows what the primary shows now.
    ///
    /// # Errors
    /// If it does not catch up.
    pub async fn catch_up(&self, world: &World) -> RowResult {
        let position = world.psql("postgres", "SELECT pg_current_wal_lsn()")?;
        let client = self.connect(world, "postgres").await?;
        let sql = format!("SELECT pg_last_wal_replay_lsn() >= '{position}'::pg_lsn");
        for _ in 0..3_000 {
            if client.query_one(&sql, &[]).await?.get::<_, Option<bool>>(0) == Some(true) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(Failure::new("the standby does not catch up"))
    }

    /// Lets it follow nobody any more, and take writes.
    ///
    /// # Errors
    /// If it does not.
    pub fn promote(&self) -> RowResult {
        let mut promote = self.command("pg_ctl");
        promote.args(["promote", "-w", "-D"]).arg(self.folder.join("data"));
        succeeds(&mut promote)
    }

    fn command(&self, program: &str) -> Command {
        command(&self.programs.server, program, self.uid)
    }
}

fn command(folder: &Path, program: &str, uid: u32) -> Command {
    let mut command = Command::new(folder.join(program));
    // A standby speaks to its primary through `libpq`, which has to be the one that came with it.
    let libraries = folder.with_file_name("lib");
    if libraries.join("libpq.so.5").exists() {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    // The server refuses to run as root.
    command.uid(uid).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn succeeds(command: &mut Command) -> RowResult {
    let program = Path::new(command.get_program()).display().to_string();
    // Not a pipe: the server that is started would hold it for ever.
    let status = command.stderr(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`{program}` ended with {status}"))) }
}

impl Drop for Standby {
    fn drop(&mut self) {
        let mut stop = self.command("pg_ctl");
        stop.args(["stop", "-m", "immediate", "-D"]).arg(self.folder.join("data"));
        // Nobody can be told here.
        let _ = succeeds(&mut stop);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
