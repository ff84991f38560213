//! Something between us and the server that shares its sessions.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::failure::Within as _;
use crate::harness::{Failure, RowResult, World};
use crate::{ensure, ensure_eq};

/// Exit code for a server that cannot be reached.
const UNREACHABLE: i32 = 21;

/// Where Debian puts the pooler.
const PGBOUNCER: &str = "/usr/sbin/pgbouncer";

/// What the two sides say before anything else: a request for TLS, and version 3.0.
const SSL_REQUEST: u32 = 80_877_103;
const VERSION: u32 = 196_608;

/// Longest startup message the server itself takes, in bytes.
const STARTUP_BYTES_MAX: usize = 10_000;

/// A connection is refused or goes on without its startup options: nothing is dumped, and the message says why.
pub(super) async fn refused(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let key = world.dump(&shop).await?;
    let before = (world.place().picture().await?, world.databases()?);
    let dropping = options_dropped(world).await?;
    through(world, &shop, dropping).await.within("startup options dropped")?;
    if Path::new(PGBOUNCER).exists() {
        for ignored in ["extra_float_digits", "extra_float_digits,options"] {
            for mode in ["transaction", "session"] {
                let pooler = Pooler::start(world, mode, ignored)?;
                through(world, &shop, pooler.port).await.within(&format!("PgBouncer, {mode}, ignoring {ignored}"))?;
            }
        }
    }
    ensure_eq!((world.place().picture().await?, world.databases()?), before, "location and server");
    ensure_eq!(world.keys(&shop).await?, vec![key], "dumps");
    Ok(())
}

async fn through(world: &World, shop: &str, port: u16) -> RowResult {
    for command in [
        vec!["pg", "dump", shop],
        vec!["pg", "restore", shop, "--confirm-database", shop],
        vec!["pg", "restore", shop, "--into", "never"],
    ] {
        let command = world.lastgood(command).env("PGPORT", port.to_string());
        // The password file knows the server's own port only.
        let command = command.env("PGPASSWORD", world.cluster().password());
        command.fails(UNREACHABLE).await?.says("pooler")?.says("connect to the server itself")?;
    }
    Ok(())
}

/// Passes connections on to the server without their startup options, as poolers do; returns its port.
async fn options_dropped(world: &World) -> RowResult<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let server = format!("{}:{}", world.cluster().host(), world.cluster().port());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = server.clone();
            // A connection that breaks off is its own user's to notice.
            tokio::spawn(async move { drop(pass_on(client, &server).await) });
        }
    });
    Ok(port)
}

async fn pass_on(mut client: TcpStream, server: &str) -> std::io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    let startup = loop {
        let length = client.read_u32().await? as usize;
        if !(8..=STARTUP_BYTES_MAX).contains(&length) {
            return Ok(());
        }
        let mut message = vec![0; length - 4];
        client.read_exact(&mut message).await?;
        if message[..4] != SSL_REQUEST.to_be_bytes() {
            break message;
        }
        client.write_all(b"N").await?;
    };
    let mut kept = VERSION.to_be_bytes().to_vec();
    let mut words = startup[4..].split(|byte| *byte == 0);
    while let (Some(name @ [_, ..]), Some(value)) = (words.next(), words.next()) {
        if name != b"options" {
            kept.extend([name, b"\0", value, b"\0"].concat());
        }
    }
    kept.push(0);
    server.write_u32(u32::try_from(kept.len() + 4).map_err(std::io::Error::other)?).await?;
    server.write_all(&kept).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// A real PgBouncer, ended on drop.
struct Pooler {
    child: Child,
    port: u16,
}

impl Pooler {
    fn start(world: &World, mode: &str, ignored: &str) -> RowResult<Self> {
        let cluster = world.cluster();
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = tempfile::Builder::new().prefix("lastgood-pooler-").tempdir_in("/tmp")?.keep();
        let (user, password) = (cluster.superuser(), cluster.password());
        std::fs::write(folder.join("users"), format!("\"{user}\" \"{password}\"\n"))?;
        let text = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = plain\nauth_file = {}\npool_mode = {mode}\n\
             ignore_startup_parameters = {ignored}\n",
            cluster.host(),
            cluster.port(),
            folder.join("users").display(),
        );
        std::fs::write(folder.join("ini"), text)?;
        let uid = cluster.server_uid();
        for path in [folder.join("users"), folder.join("ini"), folder.clone()] {
            std::os::unix::fs::chown(path, Some(uid), None)?;
        }
        let mut command = Command::new(PGBOUNCER);
        command.arg("-q").arg(folder.join("ini")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // It refuses to run as root.
        let child = command.uid(uid).current_dir("/").spawn()?;
        let pooler = Self { child, port };
        for _ in 0..500 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                std::fs::remove_dir_all(&folder)?;
                return Ok(pooler);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(Failure::new("PgBouncer does not listen"))
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // It holds nothing that could be lost.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the rows rely on: through either of them `psql` works, so that it is not for another reason that we refuse.
pub(super) async fn others_get_through(world: &World) -> RowResult {
    let dropping = options_dropped(world).await?;
    let mut ports = vec![dropping];
    let pooler = Path::new(PGBOUNCER).exists().then(|| Pooler::start(world, "session", "extra_float_digits,options"));
    let pooler = pooler.transpose()?;
    ports.extend(pooler.as_ref().map(|pooler| pooler.port));
    for port in ports {
        let mut config = tokio_postgres::Config::new();
        let cluster = world.cluster();
        config
            .host(cluster.host())
            .port(port)
            .user(cluster.superuser())
            .password(cluster.password())
            .dbname("postgres");
        let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        let row = client.simple_query("SELECT 1").await?;
        ensure!(!row.is_empty(), "port {port} answers nothing");
    }
    Ok(())
}
