//! A10: an S3 server that others wrote, so that client and peer do not share one misreading.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{USERS, read, records};
use crate::harness::{Failure, Lastgood, RowResult, World};
use crate::{ensure, ensure_eq};

/// Where the program `ministack` is; `cargo xtask e2e` installs it from PyPI and says.
const PROGRAM: &str = "LASTGOOD_MINISTACK";

/// How often a server that starts is asked, and how long.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS: usize = 600;

/// The server, ended on drop.
struct Ministack {
    child: Child,
    port: u16,
}

impl Drop for Ministack {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ministack {
    async fn start(world: &World) -> RowResult<Self> {
        let program = std::env::var(PROGRAM).map_err(|_| {
            Failure::Skipped(format!("{PROGRAM} does not say where ministack is: `cargo xtask e2e` installs it"))
        })?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = Command::new(program);
        command.env("BIND_HOST", "127.0.0.1").env("GATEWAY_PORT", port.to_string()).current_dir(world.folder());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut server = Self { child, port };
        for _ in 0..LOOKS {
            if server.put_bucket().is_ok() {
                return Ok(server);
            }
            ensure!(server.child.try_wait()?.is_none(), "ministack ended at its start");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(Failure::new("ministack never answered"))
    }

    fn put_bucket(&self) -> RowResult {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        let request = "PUT /backups HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.starts_with("HTTP/1.1 200"), "no bucket was made: {answer}");
        Ok(())
    }

    fn lastgood<'w>(&self, world: &'w World, args: &[&str]) -> Lastgood<'w> {
        let command = world.lastgood(args.iter().copied()).env("LASTGOOD_REPO", "s3://backups/team");
        let command = command.env("AWS_ENDPOINT_URL_S3", format!("http://127.0.0.1:{}", self.port));
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").env("AWS_REGION", "us-east-1")
    }
}

/// A10.
pub(super) async fn there_and_back(world: &World) -> RowResult {
    let server = Ministack::start(world).await?;
    let run = |args: &[&str]| server.lastgood(world, args);
    records(world, "records", &[("users.json", USERS)])?;
    run(&["app", "backup", "--source", "ndjson:records", "--init"]).ok().await?.says("Published")?;
    let script =
        "import os\nfor n in range(20):\n    print('{\"id\": %d, \"x\": \"%s\"}' % (n, os.urandom(1 << 20).hex()))";
    let bulk = Command::new("python3").args(["-c", script]).output()?.stdout;
    std::fs::write(world.folder().join("records/bulk.json"), &bulk)?;
    // In several parts.
    run(&["app", "backup", "--source", "ndjson:records"]).ok().await?.says("22 records")?;
    run(&["app", "backup", "--source", "ndjson:records", "--min-age", "1h"]).ok().await?.says("Skipped")?;
    let listed = run(&["app", "ls", "--json"]).ok().await?.json()?;
    let states: Vec<_> = listed.as_array().into_iter().flatten().filter_map(|entry| entry["state"].as_str()).collect();
    ensure_eq!(states, vec!["good", "good"], "the backups");
    run(&["app", "verify"]).ok().await?;
    run(&["app", "restore", "--to", "ndjson:out"]).ok().await?;
    ensure_eq!(read(world, "out/users--users.json")?.as_str(), USERS, "the records");
    ensure!(std::fs::read(world.folder().join("out/bulk--bulk.json"))? == bulk, "the large records are others");
    let rules = ["app", "lifecycle", "backup", "--expire-after", "400d", "--glacier-after", "60d", "--apply"];
    run(&rules).ok().await?.says("3 added")?;
    run(&rules).ok().await?.says("already has these rules")?;
    run(&["app", "prune", "--keep-last", "1", "--yes"]).ok().await?.says("Deleted 1 backup")?;
    run(&["app", "ls", "-r", "s3://nothing/x"]).fails(10).await?.says("create the bucket `nothing`")?;
    Ok(())
}
