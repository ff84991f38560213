//! ministack, an S3 server that others wrote, so that client and peer do not share one misreading.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{Failure, Lastgood, RowResult, World};
use crate::ensure;

/// Where the program `ministack` is; `cargo xtask e2e` installs it from PyPI and says.
const PROGRAM: &str = "LASTGOOD_MINISTACK";

/// How often a server that starts is asked, and how long.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS: usize = 600;

/// The server, ended on drop.
#[derive(Debug)]
pub struct Ministack {
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
    /// Starts it, with a bucket `backups`.
    ///
    /// # Errors
    /// [`Failure::Skipped`] if nobody says where it is.
    pub async fn start(world: &World) -> RowResult<Self> {
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

    /// `lastgood` with its location there.
    #[must_use]
    pub fn lastgood<'w>(&self, world: &'w World, args: &[&str]) -> Lastgood<'w> {
        let command = world.lastgood(args.iter().copied()).env("LASTGOOD_REPO", "s3://backups/team");
        let command = command.env("AWS_ENDPOINT_URL_S3", format!("http://127.0.0.1:{}", self.port));
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").env("AWS_REGION", "us-east-1")
    }
}
