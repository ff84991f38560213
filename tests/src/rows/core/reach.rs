//! L1 to L9: buckets, profiles and servers as people have them.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use backup_testkit::faults::{Action, Rule};
use backup_testkit::s3_server::S3Peer;

use crate::harness::paused::Paused;
use crate::harness::{Failure, RowResult, World};
use crate::{ensure, ensure_eq};

/// Exit codes.
const FAILED: i32 = 1;
const USAGE: i32 = 2;
const KEY: i32 = 12;
const UNREACHABLE: i32 = 21;

/// Far less than retries take, and more than a busy machine needs for one answer.
const AT_ONCE: Duration = Duration::from_secs(12);

const USER: &[u8] = b"{\"id\": \"1\"}\n";
const BACKUP: [&str; 4] = ["app", "backup", "--source", "ndjson:records"];

fn peer(world: &World) -> RowResult<&S3Peer> {
    world.place().peer().ok_or_else(|| Failure::new("this row needs the S3 peer"))
}

/// Records to back up.
fn records(world: &World, file: &str, content: &[u8]) -> RowResult {
    std::fs::create_dir_all(world.folder().join("records"))?;
    Ok(std::fs::write(world.folder().join("records").join(file), content)?)
}

/// A file of profiles, to be named by `AWS_CONFIG_FILE`.
fn profiles(world: &World, text: &str) -> RowResult<String> {
    let path = world.folder().join("profiles");
    std::fs::write(&path, text)?;
    Ok(path.display().to_string())
}

/// L1.
pub(super) async fn endpoints(world: &World) -> RowResult {
    records(world, "User--users.json", USER)?;
    world.lastgood(BACKUP).ok().await?;
    // A name, and not a number: the SDK itself puts no bucket before a number, whoever named the endpoint.
    let endpoint = peer(world)?.endpoint().replace("127.0.0.1", "localhost");
    let services = format!("[default]\nservices = here\n[services here]\ns3 =\n  endpoint_url = {endpoint}\n");
    let config = profiles(world, &services)?;
    // An empty variable names nothing, so that the profile does. The bucket is in the path: the peer knows no `backups.localhost`.
    let by_profile = || world.lastgood(["app", "ls"]).env("AWS_CONFIG_FILE", &config).env("AWS_ENDPOINT_URL_S3", "");
    by_profile().ok().await?.says("good")?;
    let by_all = by_profile().env("AWS_CONFIG_FILE", "").env("AWS_ENDPOINT_URL", &endpoint);
    by_all.ok().await?.says("good")?;

    let bare = endpoint.trim_start_matches("http://").to_owned();
    let without = world.lastgood(["app", "ls"]).env("AWS_ENDPOINT_URL_S3", &bare).fails(USAGE).await?;
    without.says(&format!("the endpoint `{bare}` has no scheme"))?.says(&format!("`http://{bare}`"))?;
    let nobody = "http://127.0.0.1:9";
    let unreachable = world.lastgood(["app", "ls"]).env("AWS_ENDPOINT_URL_S3", nobody).run().await?;
    unreachable.says(nobody)?;
    Ok(())
}

/// L2.
pub(super) async fn no_credentials(world: &World) -> RowResult {
    let failing = "[default]\ncredential_process = sh -c 'echo the vault is sealed >&2; exit 3'\n";
    let sso = "[default]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = backup\n[sso-session corp]\n\
               sso_region = eu-west-1\nsso_start_url = https://example.awsapps.com/start\n";
    for (profile, said) in [(failing, "the vault is sealed"), (sso, "aws configure export-credentials")] {
        let config = profiles(world, profile)?;
        let begun = Instant::now();
        let command = world.lastgood(["app", "ls"]).env("AWS_CONFIG_FILE", &config);
        let refused = command.env("AWS_ACCESS_KEY_ID", "").env("AWS_SECRET_ACCESS_KEY", "").fails(KEY).await?;
        refused.says(said)?;
        ensure!(begun.elapsed() < AT_ONCE, "it took {:?}", begun.elapsed());
    }
    Ok(())
}

/// Ends what was started.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Puts TLS before a server, with a certificate of its own authority, and prints its port. Notes each connection.
const TLS: &str = r"
import socket, ssl, sys, threading
host, port = sys.argv[1].rsplit(':', 1)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); context.load_cert_chain('server.pem', 'server.key')
listener = socket.create_server(('127.0.0.1', 0)); print(listener.getsockname()[1], flush=True)
def pump(source, sink):
    try:
        while data := source.recv(65536): sink.sendall(data)
    except OSError: pass
    for end in (source, sink):
        try: end.shutdown(socket.SHUT_RDWR)
        except OSError: pass
def serve(raw):
    with open('connections', 'a') as noted: noted.write('x')
    try: client = context.wrap_socket(raw, server_side=True)
    except OSError: return
    server = socket.create_connection((host, int(port)))
    threading.Thread(target=pump, args=(client, server), daemon=True).start(); pump(server, client)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
";

/// An authority, and a certificate for 127.0.0.1 that it signed.
const AUTHORITY: &str = "set -e
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=corp -addext basicConstraints=critical,CA:TRUE
openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=127.0.0.1
printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' > extensions
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out server.pem -extfile extensions";

/// L3.
pub(super) async fn authority(world: &World) -> RowResult {
    use std::io::BufRead as _;
    let endpoint = peer(world)?.endpoint().trim_start_matches("http://").to_owned();
    let made = Command::new("sh").args(["-c", AUTHORITY]).current_dir(world.folder()).output();
    match made {
        Ok(made) => ensure!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr)),
        Err(error) => return Err(Failure::Skipped(format!("`openssl` cannot be run: {error}"))),
    }
    let server = Command::new("python3")
        .args(["-c", TLS, &endpoint])
        .current_dir(world.folder())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut server = Ended(server);
    let mut port = String::new();
    std::io::BufReader::new(server.0.stdout.take().ok_or_else(|| Failure::new("no output"))?).read_line(&mut port)?;
    let secure = format!("https://127.0.0.1:{}", port.trim());
    let ls = || world.lastgood(["app", "ls"]).env("AWS_ENDPOINT_URL_S3", &secure);
    let snapshots = || {
        let asked = world.lastgood(["ec2", "ls", "--region", "eu-west-1"]).env("AWS_ENDPOINT_URL_EC2", &secure);
        asked.env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "x").env("AWS_REGION", "eu-west-1")
    };
    // The same certificate is shown to whoever asks again: nobody does.
    ls().fails(UNREACHABLE).await?.says("cannot be verified")?.says(&secure)?.says("set AWS_CA_BUNDLE")?;
    ensure_eq!(connections(world)?, 1, "connections of a command that does not trust the server");
    snapshots().fails(UNREACHABLE).await?.says("the certificate of EC2")?.says("set AWS_CA_BUNDLE")?;
    ensure_eq!(connections(world)?, 2, "connections after another such command");
    let bundle = world.folder().join("ca.pem").display().to_string();
    ls().env("AWS_CA_BUNDLE", &bundle).ok().await?;
    let config = profiles(world, &format!("[default]\nca_bundle = {bundle}\n"))?;
    ls().env("AWS_CONFIG_FILE", &config).ok().await?;
    ls().env("SSL_CERT_FILE", &bundle).ok().await?;
    // What cannot be read is told by whatever would have trusted it, and nobody is asked.
    let before = connections(world)?;
    let outside = ["glacier", "inventory", "uploads", "--vault", "cold", "--state", "state", "-r", "there"];
    world.lastgood(["init", "-r", "there"]).ok().await?;
    let vault = world.lastgood(outside).env("AWS_ENDPOINT_URL_GLACIER", &secure).env("AWS_REGION", "eu-west-1");
    for command in [ls(), snapshots(), vault] {
        let missing = command.env("AWS_CA_BUNDLE", "/nowhere/ca.pem").fails(USAGE).await?;
        missing.says("`/nowhere/ca.pem`")?.says("AWS_CA_BUNDLE")?;
    }
    ensure_eq!(connections(world)?, before, "connections of commands without certificates");
    Ok(())
}

/// How often somebody connected to the server with TLS.
fn connections(world: &World) -> RowResult<usize> {
    Ok(std::fs::read(world.folder().join("connections")).unwrap_or_default().len())
}

/// L4.
pub(super) async fn no_list_of_uploads(world: &World) -> RowResult {
    let peer = peer(world)?;
    records(world, "User--users.json", USER)?;
    for _ in 0..3 {
        world.lastgood(BACKUP).ok().await?;
    }
    for (status, code) in [(501, "NotImplemented"), (405, "MethodNotAllowed")] {
        peer.faults([Rule::new(Action::Status { status, code: code.to_owned() }).on("ListMultipartUploads")]);
        let deleted = world.lastgood(["app", "prune", "--keep-last", "2", "--yes"]).ok().await?;
        deleted.says("unfinished uploads of interrupted runs cannot be found")?.says("lifecycle rule")?;
        let left = world.lastgood(["app", "ls", "--json"]).ok().await?.json()?;
        ensure_eq!(left.as_array().map(Vec::len), Some(2), "backups after retention");
        world.lastgood(["pg", "prune", "--incomplete"]).ok().await?.says("cannot be found")?;
        peer.clear_faults();
    }
    Ok(())
}

/// L5.
pub(super) async fn control_bytes(world: &World) -> RowResult {
    let peer = peer(world)?;
    records(world, "User--users.json", USER)?;
    world.lastgood(BACKUP).ok().await?;
    let below = world.place().url().trim_start_matches("s3://").split_once('/').map(|(_, prefix)| prefix.to_owned());
    let below = below.ok_or_else(|| Failure::new("a location without a prefix"))?;
    for key in ["app/backup/odd\u{1}name", "app/backup/a b+c%41", "odd\u{1f}"] {
        peer.store(&format!("{below}/{key}"), "x");
    }
    for command in [&["app", "ls"][..], &["app", "verify"], &["app", "prune", "--keep-last", "1", "--yes"]] {
        world.lastgood(command.iter().copied()).ok().await?;
    }
    ensure!(peer.keys().iter().any(|key| key.ends_with("odd\u{1}name")), "what is somebody else's was deleted");
    Ok(())
}

/// L6.
pub(super) async fn wrong_clock(world: &World) -> RowResult {
    let skewed = Action::Status { status: 403, code: "RequestTimeTooSkewed".to_owned() };
    peer(world)?.faults([Rule::new(skewed).on("ListObjectsV2")]);
    let refused = world.lastgood(["app", "ls"]).fails(FAILED).await?;
    refused.says("the clock of this machine is wrong: it says 20")?.says("set the clock")?;
    Ok(())
}

/// L7.
pub(super) async fn short_secrets(world: &World) -> RowResult {
    let word = "test/Backup_UTC_2026-11-21T03_06_08.000000.tar.gz";
    let command = world.lastgood(["app", "show", word]).env("PGPASSWORD", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command.fails(FAILED).await?.says(word)?;
    // From its length on a secret is masked wherever it stands.
    let secret = "correct-horse-battery";
    let command = world.lastgood(["app", "show", &format!("{secret}/Backup_UTC_x.tar.gz")]).env("PGPASSWORD", secret);
    let shown = command.fails(FAILED).await?;
    ensure!(!shown.stderr.contains(secret), "a secret is shown: {}", shown.stderr);
    Ok(())
}

/// L8.
pub(super) async fn uploads_of_2010(world: &World) -> RowResult {
    let peer = peer(world)?;
    let script = "import os\nfor n in range(40): print('{\"id\": %d, \"x\": \"%s\"}' % (n, os.urandom(1 << 19).hex()))";
    let made = Command::new("python3").args(["-c", script]).output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    records(world, "bulk.json", &made.stdout)?;
    peer.faults([Rule::new(Action::UploadsBegan { second: 1_288_569_600 }).on("ListMultipartUploads")]);
    let live = Paused::at("app.finish", world.lastgood(BACKUP), world).await?;
    ensure_eq!(peer.state().unfinished, 1, "uploads of the live run");
    // One of a run that has just begun has no part yet.
    let command = ["app", "prune", "--incomplete"];
    world.lastgood(command).ok().await?;
    ensure_eq!(peer.state().unfinished, 1, "uploads of the live run after a prune");
    live.goes_on()?.finish().await?.expect_code(0)?;
    world.lastgood(["app", "verify"]).ok().await?;
    Ok(())
}

/// L9.
pub(super) async fn folder_by_folder(world: &World) -> RowResult {
    let peer = peer(world)?;
    records(world, "User--users.json", USER)?;
    for name in ["a", "a-b", "a.b"] {
        world.lastgood(BACKUP).args(["--name", name]).ok().await?;
    }
    let expected = world.lastgood(["app", "ls", "--json"]).ok().await?.json()?;
    world.lastgood(["doctor"]).run().await?.says("conditional writes and lists by key")?;
    peer.faults([Rule::new(Action::FolderByFolder).on("ListObjectsV2")]);
    // Broken off after the first page, it goes on where it was.
    ensure_eq!(world.lastgood(["app", "ls", "--json"]).ok().await?.json()?, expected, "the listing");
    world.lastgood(["app", "verify"]).ok().await?;
    let kept = world.lastgood(["app", "prune", "--keep-last", "1", "--yes"]).ok().await?;
    kept.says("Deleted 0 backups")?;

    // A location of an earlier version has no note of it, and a new one is made with it.
    let marker = world.place().read("lastgood.json").await?;
    let mut marker: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&marker)?;
    ensure_eq!(marker.remove("listing"), Some("by_key".into()), "the order that was noted");
    world.place().write("lastgood.json", &serde_json::to_vec(&marker)?).await?;
    for _ in 0..2 {
        world.lastgood(["doctor"]).run().await?.says("lists folder by folder instead of by key")?;
    }
    let asked =
        peer.log().into_iter().filter(|call| call.op == "PutObject" && call.key.ends_with("lastgood/order")).count();
    ensure_eq!(asked, 1, "objects that were written to look");
    ensure!(!peer.keys().iter().any(|key| key.ends_with("lastgood/order")), "what was written to look is left");
    let other = world.place().url().replace("l9", "other");
    let made = world.lastgood(["init", "-r", &other, "--json"]).ok().await?.json()?;
    ensure_eq!(made["listing"].as_str(), Some("by_folder"), "the order that init tells");
    Ok(())
}
