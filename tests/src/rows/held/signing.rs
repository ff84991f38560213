//! H4, H5: where credentials come from.

use backup_testkit::s3_server::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};

use crate::harness::script::Script;
use crate::harness::{Lastgood, RowResult, World};
use crate::rows::app::{read, records};
use crate::{ensure, ensure_eq};

/// `lastgood` with a profile, and without keys of its own.
fn by_profile<'w>(world: &'w World, args: &[&str], profile: &str) -> RowResult<Lastgood<'w>> {
    let path = world.folder().join("profiles");
    std::fs::write(&path, profile)?;
    let command = world.lastgood(args.iter().copied()).env("AWS_CONFIG_FILE", path.display().to_string());
    Ok(command.env("AWS_ACCESS_KEY_ID", "").env("AWS_SECRET_ACCESS_KEY", ""))
}

/// Gives keys that are good for two seconds, and notes that it did.
const KEYS: &str = r#"
import datetime, json, sys
with open(sys.argv[1] + "/renewed", "a") as noted: noted.write("x")
until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
print(json.dumps({"Version": 1, "AccessKeyId": sys.argv[2], "SecretAccessKey": sys.argv[3], "SessionToken": "token",
                  "Expiration": until.strftime("%Y-%m-%dT%H:%M:%SZ")}))
"#;

/// H4.
pub(super) async fn renewed(world: &World) -> RowResult {
    records(world, "records", &[("users.json", "{\"id\": \"1\"}\n")])?;
    let (folder, script) = (world.folder().display().to_string(), world.folder().join("keys.py"));
    std::fs::write(&script, KEYS)?;
    let program = format!("python3 {} {folder} {ACCESS_KEY_ID} {SECRET_ACCESS_KEY}", script.display());
    let profile = format!("[default]\ncredential_process = {program}\n");
    by_profile(world, &["app", "backup", "--source", "ndjson:records"], &profile)?.ok().await?;
    let renewed = read(world, "renewed")?.len();
    ensure!(renewed > 2, "credentials were asked for {renewed} times, so that the row shows nothing");
    world.lastgood(["app", "verify"]).ok().await?;
    Ok(())
}

/// Answers as STS does, and notes what it was asked for.
const STS: &str = r#"
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Sts(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *words): pass
    def do_POST(self):
        form = self.rfile.read(int(self.headers['Content-Length'])).decode()
        action = form.split('Action=')[1].split('&')[0]
        with open('asked', 'a') as noted: noted.write(action + '\n')
        keys = '<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>token</SessionToken>' % tuple(sys.argv[1:3])
        body = '<%sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%sResult><Credentials>%s<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></%sResult></%sResponse>' % (action, action, keys, action, action)
        self.send_response(200); self.send_header('Content-Type', 'text/xml'); self.send_header('Content-Length', str(len(body)))
        self.end_headers(); self.wfile.write(body.encode())
server = ThreadingHTTPServer(('127.0.0.1', 0), Sts); print(server.server_address[1], flush=True); server.serve_forever()
"#;

/// H5.
pub(super) async fn roles(world: &World) -> RowResult {
    let sts = Script::start(world, STS, &[ACCESS_KEY_ID, SECRET_ACCESS_KEY])?;
    records(world, "records", &[("users.json", "{\"id\": \"1\"}\n")])?;
    let token = world.folder().join("token");
    std::fs::write(&token, "token")?;
    let role = "role_arn = arn:aws:iam::123456789012:role/backup\n";
    let identity = format!("[default]\n{role}web_identity_token_file = {}\n", token.display());
    let assumed = format!(
        "[default]\n{role}source_profile = base\n[profile base]\naws_access_key_id = base\naws_secret_access_key = base\n"
    );
    for (profile, action) in [(&identity, "AssumeRoleWithWebIdentity"), (&assumed, "AssumeRole")] {
        let _ = std::fs::remove_file(world.folder().join("asked"));
        let backup = by_profile(world, &["app", "backup", "--source", "ndjson:records"], profile)?;
        backup.env("AWS_ENDPOINT_URL_STS", sts.url()).ok().await?;
        let asked = read(world, "asked")?;
        ensure!(asked.lines().count() > 0 && asked.lines().all(|line| line == action), "STS was asked for {asked}");
    }
    let listed = world.lastgood(["app", "ls", "--json"]).ok().await?.json()?;
    ensure_eq!(listed.as_array().map(Vec::len), Some(2), "backups");
    Ok(())
}
