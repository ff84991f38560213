//! H1 to H3: what servers answer, how people name things, and what stands between.

use backup_testkit::faults::{Action, ListingFault, Rule};
use backup_testkit::s3_server::{BUCKET, S3Peer};

use crate::harness::script::Script;
use crate::harness::{Failure, RowResult, World};
use crate::rows::app::sources::python;
use crate::rows::app::{read, records};
use crate::{ensure, ensure_eq};

const USERS: &str = "{\"id\": \"1\"}\n{\"id\": \"2\"}\n";
const BACKUP: [&str; 4] = ["app", "backup", "--source", "ndjson:records"];
const USAGE: i32 = 2;

/// More than one part, so that an upload is completed.
const BULK: &str = "import os\nwith open('records/bulk.json', 'w') as file:\n\
    \x20   for n in range(20): file.write('{\"id\": %d, \"x\": \"%s\"}\\n' % (n, os.urandom(1 << 20).hex()))";

fn peer(world: &World) -> RowResult<&S3Peer> {
    world.place().peer().ok_or_else(|| Failure::new("this row needs the S3 peer"))
}

/// H1.
pub(super) async fn odd_answers(world: &World) -> RowResult {
    let peer = peer(world)?;
    records(world, "records", &[("users.json", USERS)])?;
    let status = |status, code: &str| Action::Status { status, code: code.to_owned() };
    for (number, code) in [(301, "PermanentRedirect"), (400, "AuthorizationHeaderMalformed")] {
        peer.faults([Rule::new(status(number, code))]);
        world.lastgood(BACKUP).fails(USAGE).await?.says("is in another region")?.says("AWS_REGION")?;
        peer.clear_faults();
    }
    // S3 says 200 as soon as it begins to assemble, and may fail after that.
    python(world, BULK)?;
    peer.faults([Rule::new(status(200, "InternalError")).on("CompleteMultipartUpload").times(2)]);
    world.lastgood(BACKUP).ok().await?;
    let completed = peer.log().into_iter().filter(|call| call.op == "CompleteMultipartUpload").count();
    ensure_eq!(completed, 3, "times the upload was completed");
    world.lastgood(["app", "verify"]).ok().await?;
    Ok(())
}

/// H2.
pub(super) async fn odd_names(world: &World) -> RowResult {
    let peer = peer(world)?;
    records(world, "records", &[("users.json", USERS)])?;
    for prefix in ["a+b", "a b", "a%41", "it's \"here\"", "a&b=c;d,e"] {
        let location = format!("s3://{BUCKET}/{prefix}");
        let run = |args: &[&str]| world.lastgood(args.iter().copied()).args(["-r", &location]);
        run(&["init"]).ok().await?;
        // A console makes such objects for folders.
        for marker in ["", "app/", "app/backup/"] {
            peer.store(&format!("{prefix}/{marker}"), "");
        }
        for _ in 0..3 {
            run(&BACKUP).ok().await?;
        }
        ensure!(
            peer.keys().iter().any(|key| key.starts_with(&format!("{prefix}/app/backup/Backup_"))),
            "{:?}",
            peer.keys()
        );
        peer.faults([Rule::new(Action::Listing { entries: 2, fault: ListingFault::EmptyFirst }).on("ListObjectsV2")]);
        let listed = run(&["app", "ls", "--json"]).ok().await?.json()?;
        ensure_eq!(listed.as_array().map(Vec::len), Some(3), "backups below `{prefix}`");
        run(&["app", "verify"]).ok().await?;
        run(&["app", "prune", "--keep-last", "1", "--yes"]).ok().await?.says("Deleted 2 backups")?;
        peer.clear_faults();
        let _ = std::fs::remove_dir_all(world.folder().join("out"));
        run(&["app", "restore", "--to", "ndjson:out"]).ok().await?;
        ensure_eq!(read(world, "out/users--users.json")?.as_str(), USERS, "the records below `{prefix}`");
        ensure!(peer.object(&format!("{prefix}/app/")).is_some(), "a folder marker of somebody else's is gone");
    }
    Ok(())
}

/// Passes requests on: to whom a request for a proxy names, or else to the server that is named. As a server it refuses checksums
/// other than those of S3's first years. Notes what it was asked.
const BETWEEN: &str = r"
import http.client, sys, urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
NEW = 'x-amz-sdk-checksum-algorithm', 'x-amz-trailer', 'x-amz-checksum-crc32', 'x-amz-checksum-crc32c', 'x-amz-checksum-crc64nvme'
class Between(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *words): pass
    def answer(self, status, headers, body, length):
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ('connection', 'transfer-encoding', 'content-length'): self.send_header(name, value)
        self.send_header('Content-Length', length); self.end_headers(); self.wfile.write(body)
    def pass_on(self):
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        with open('passed', 'a') as noted: noted.write(self.command + ' ' + self.path + '\n')
        url = urllib.parse.urlsplit(self.path)
        if not url.netloc and self.command == 'PUT' and any(name.lower() in NEW for name in self.headers):
            return self.answer(501, [], b'<Error><Code>NotImplemented</Code></Error>', '42')
        server = http.client.HTTPConnection(url.netloc or sys.argv[1])
        server.request(self.command, url.path + ('?' + url.query if url.query else ''), body, dict(self.headers))
        answer = server.getresponse(); data = answer.read()
        self.answer(answer.status, answer.getheaders(), data, answer.getheader('Content-Length') or str(len(data)))
    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on
server = ThreadingHTTPServer(('127.0.0.1', 0), Between); print(server.server_address[1], flush=True); server.serve_forever()
";

/// H3.
pub(super) async fn between(world: &World) -> RowResult {
    let server = peer(world)?.endpoint().trim_start_matches("http://").to_owned();
    records(world, "records", &[("users.json", USERS)])?;
    python(world, BULK)?;
    let script = Script::start(world, BETWEEN, &[&server])?;
    for (variable, asks) in
        [("HTTP_PROXY", format!("http://{server}/")), ("AWS_ENDPOINT_URL_S3", format!("/{BUCKET}/"))]
    {
        let _ = std::fs::remove_file(world.folder().join("passed"));
        let run = |args: &[&str]| world.lastgood(args.iter().copied()).env(variable, script.url());
        run(&BACKUP).ok().await?;
        run(&["app", "verify"]).ok().await?;
        run(&["app", "prune", "--keep-last", "1", "--yes"]).ok().await?;
        let passed = read(world, "passed")?;
        let asked: Vec<&str> = passed.lines().filter_map(|line| Some(line.split_once(' ')?.1)).collect();
        ensure!(!asked.is_empty() && asked.iter().all(|path| path.starts_with(&asks)), "{variable}: {passed}");
        ensure!(passed.contains("partNumber="), "{variable}: nothing went in parts: {passed}");
    }
    Ok(())
}
