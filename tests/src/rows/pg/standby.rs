//! A standby as the source.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::ensure_eq;
use crate::harness::{Failure, RowResult, World};

/// A standby of the row's server, stopped and removed on drop.
struct Standby {
    bin_dir: PathBuf,
    folder: PathBuf,
    uid: u32,
    port: u16,
}

impl Standby {
    fn start(world: &World) -> RowResult<Self> {
        let cluster = world.cluster();
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = tempfile::Builder::new().prefix("lastgood-standby-").tempdir_in("/tmp")?.keep();
        std::os::unix::fs::chown(&folder, Some(cluster.server_uid()), None)?;
        let standby = Self { bin_dir: cluster.bin_dir().to_owned(), folder, uid: cluster.server_uid(), port };
        let address = [format!("--host={}", cluster.host()), format!("--port={}", cluster.port())];
        let data = standby.folder.join("data");
        let mut copy = standby.command("pg_basebackup");
        copy.args(address).arg(format!("--username={}", cluster.superuser())).env("PGPASSWORD", cluster.password());
        copy.args(["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync", "-D"]).arg(&data);
        succeeds(&mut copy)?;
        let options = format!("-p {port} -c unix_socket_directories= -c logging_collector=off");
        let mut start = standby.command("pg_ctl");
        start.args(["start", "-w", "-D"]).arg(&data).arg("-l").arg(standby.folder.join("log")).args(["-o", &options]);
        succeeds(&mut start)?;
        Ok(standby)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin_dir.join(program));
        // The server refuses to run as root.
        command.uid(self.uid).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
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

/// It can be dumped from, with a word of warning, and gives the same database; it is never restored on.
pub(super) async fn dumped_from(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.psql(&shop, "CREATE UNLOGGED TABLE cache (i int); INSERT INTO cache VALUES (1)")?;
    let standby = Standby::start(world)?;
    world.set_version(&shop, 2)?;
    let there = world.psql("postgres", "SELECT pg_current_wal_lsn()")?;
    replayed(world, &standby, &there).await?;
    let on_standby = |words: &[&str]| {
        let command = world.lastgood(words.iter().copied()).env("PGPORT", standby.port.to_string());
        // The password file knows the primary's port only.
        command.env("PGPASSWORD", world.cluster().password())
    };
    on_standby(&["pg", "dump", &shop]).ok().await?.says("this is a standby")?;
    let copy = world.name("copy");
    world.lastgood(["pg", "restore", &shop, "--into", &copy]).ok().await?;
    ensure_eq!(world.checksum(&copy)?, world.checksum(&shop)?, "the copy of the standby's dump");
    ensure_eq!(world.psql(&copy, "SELECT count(*) FROM cache")?, "0", "rows of an unlogged table");
    let before = world.databases()?;
    let refused = on_standby(&["pg", "restore", &shop, "--confirm-database", &shop]).run().await?;
    ensure_eq!(refused.code(), Some(1), "the exit code of a restore on a standby");
    refused.says("standby")?;
    ensure_eq!(world.databases()?, before, "databases after a restore on a standby");
    Ok(())
}

async fn replayed(world: &World, standby: &Standby, position: &str) -> RowResult {
    let cluster = world.cluster();
    let mut config = tokio_postgres::Config::new();
    config.host(cluster.host()).port(standby.port).user(cluster.superuser()).password(cluster.password());
    let (client, connection) = config.dbname("postgres").connect(tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    for _ in 0..1_000 {
        let sql = format!("SELECT pg_last_wal_replay_lsn() >= '{position}'::pg_lsn");
        if client.query_one(&sql, &[]).await?.get::<_, Option<bool>>(0) == Some(true) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(Failure::new("the standby does not catch up"))
}
