//! What we write opens with GNU tar and with Python's `tarfile`.

use std::process::Command;

use crate::world::{World, read_folder};
use object_backup::{BackupOptions, NdjsonSource, Types, Wanted};

const LIST: &str = "
import json, sys, tarfile
with tarfile.open(sys.argv[1], 'r:gz') as tar:
    members = [(m.name, m.size, oct(m.mode), m.isfile(), tar.extractfile(m).read().decode()) for m in tar]
print(json.dumps(members))
";

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{program}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn tar_and_python_read_what_we_write() {
    let world = World::new().await;
    let long = format!("{}--{}", "T".repeat(120), "t".repeat(120));
    let records = world.records("records", &[("User--users.json", "{\"id\": \"é\"}\n"), ("empty.json", "")]);
    // Several gzip members, and a name that needs a header of its own.
    let many: String =
        (0..30_000).map(|n| format!("{{\"id\": {n}, \"x\": \"{:x}\"}}\n", n * 2_654_435_761_u64)).collect();
    std::fs::write(records.join(format!("{long}.json")), &many).unwrap();
    let written = world.backup(NdjsonSource::new(&records)).await;
    let path = world.path("location").join(written.key.object().unwrap().as_str());
    let path = path.to_str().unwrap();

    let members: serde_json::Value = serde_json::from_str(&run("python3", &["-c", LIST, path])).unwrap();
    let found: Vec<&str> = members.as_array().unwrap().iter().map(|member| member[0].as_str().unwrap()).collect();
    assert_eq!(found, [format!("{long}.json").as_str(), "User--users.json", "empty--empty.json"]);
    assert_eq!(members[1], serde_json::json!(["User--users.json", 13, "0o600", true, "{\"id\": \"é\"}\n"]));
    assert_eq!(members[0][4].as_str().unwrap(), many);

    let out = world.path("out");
    std::fs::create_dir(&out).unwrap();
    run("tar", &["xzf", path, "-C", out.to_str().unwrap()]);
    let files = read_folder(&out);
    assert_eq!(files["User--users.json"], "{\"id\": \"é\"}\n".as_bytes());
    assert!(files[&format!("{long}.json")] == many.as_bytes());
    run("gzip", &["-t", path]);
}

#[tokio::test]
async fn members_come_in_the_order_they_are_named() {
    let world = World::new().await;
    let records = world.records("records", &[("a.json", "{\"id\": 1}"), ("b.json", "{\"id\": 2}")]);
    let options = BackupOptions::new().types(Types::Only(vec![Wanted::parse("b"), Wanted::parse("a")]));
    world.try_backup(NdjsonSource::new(&records), &options).await.unwrap();
    let entry = object_backup::list::find(&*world.store, "latest").await.unwrap().entry;
    let path = world.path("location").join(entry.key.object().unwrap().as_str());
    assert_eq!(run("tar", &["tzf", path.to_str().unwrap()]), "b--b.json\na--a.json\n");
}
