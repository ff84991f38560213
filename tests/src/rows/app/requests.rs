//! C1, C9, C10, C12 of records: requests broken off, put off and refused, and full disks.

use std::collections::BTreeMap;
use std::process::Command;

use backup_testkit::faults::{Action, Rule};
use backup_testkit::s3_server::S3Peer;

use super::{USERS, keys, records};
use crate::harness::{Failure, RowResult, SmallDisk, World};
use crate::{ensure, ensure_eq};

const BACKUP: [&str; 4] = ["app", "backup", "--source", "ndjson:records"];

/// Times a request is put off: as often as the table says.
const SLOW_DOWNS: u64 = 5;

/// Records that hardly compress: more than one part of an upload, and far more than the small disk has.
const BULK_MIB: usize = 40;

/// Mebibytes of the small disk.
const DISK_MIB: u32 = 8;

fn peer(world: &World) -> RowResult<&S3Peer> {
    world.place().peer().ok_or_else(|| Failure::new("this row needs the S3 peer"))
}

/// Records of random text.
fn bulk(world: &World) -> RowResult {
    let script = "import os\nfor n in range(int(__import__('sys').argv[1])):\n\
        \x20   print('{\"id\": %d, \"x\": \"%s\"}' % (n, os.urandom(1 << 20).hex()))";
    let made = Command::new("python3").args(["-c", script, &(BULK_MIB / 2).to_string()]).output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    records(world, "records", &[])?;
    Ok(std::fs::write(world.folder().join("records/bulk.json"), made.stdout)?)
}

/// C1.
pub(super) async fn dropped_half_way(world: &World) -> RowResult {
    bulk(world)?;
    let peer = peer(world)?;
    let half = |op, bytes| Rule::new(Action::DropMidBody { bytes }).on(op).where_key_contains("app/backup/").times(1);
    peer.faults([half("UploadPart", 4 * 1024 * 1024), half("PutObject", 512)]);
    world.lastgood(BACKUP).ok().await?;
    peer.clear_faults();
    let harmed: Vec<String> = peer.log().into_iter().filter(|call| call.fault.is_some()).map(|call| call.op).collect();
    ensure!(harmed.iter().any(|op| op == "UploadPart") && harmed.len() == 2, "only {harmed:?} were cut off");
    world.lastgood(["app", "verify"]).ok().await?;
    ensure_eq!(world.place().unfinished().await?, 0, "unfinished uploads");
    Ok(())
}

/// C9.
pub(super) async fn slow_down(world: &World) -> RowResult {
    records(world, "records", &[("users.json", USERS)])?;
    let peer = peer(world)?;
    let slow = |op: &str, key: &str| {
        Rule::new(Action::Status { status: 503, code: "SlowDown".to_owned() })
            .on(op)
            .where_key_contains(key)
            .times(SLOW_DOWNS)
    };
    for (rule, arguments) in
        [(slow("PutObject", ".manifest.json"), &BACKUP[..]), (slow("GetObject", ".tar.gz"), &["app", "verify"])]
    {
        peer.clear_log();
        peer.faults([rule]);
        let output = world.lastgood(arguments.iter().copied()).ok().await?;
        let slowed = peer.log().iter().filter(|call| call.status == 503).count() as u64;
        ensure_eq!(slowed, SLOW_DOWNS, "requests put off");
        let warnings = output.stderr.lines().filter(|line| line.contains("warning")).count();
        ensure!(warnings <= 1, "{warnings} warnings about one slow request:\n{}", output.stderr);
    }
    ensure_eq!(keys(world).await?.len(), 1, "backups");
    Ok(())
}

/// C10.
pub(super) async fn denied(world: &World) -> RowResult {
    records(world, "records", &[("users.json", USERS)])?;
    let peer = peer(world)?;
    world.without_location()?;
    for key in ["lastgood.json", ".tar.gz", ".manifest.json"] {
        peer.clear_log();
        let denied = |op: &str| {
            Rule::new(Action::Status { status: 403, code: "AccessDenied".to_owned() }).on(op).where_key_contains(key)
        };
        peer.faults([denied("PutObject"), denied("CreateMultipartUpload"), denied("UploadPart")]);
        let output = world.lastgood(BACKUP).args(["--init"]).fails(1).await?;
        output.says("`s3:PutObject`")?.says("arn:aws:s3:::")?;
        peer.clear_faults();
        let mut tries: BTreeMap<(String, String), usize> = BTreeMap::new();
        for call in peer.log().into_iter().filter(|call| call.status == 403) {
            *tries.entry((call.op, call.key)).or_default() += 1;
        }
        ensure!(
            !tries.is_empty() && tries.values().all(|tries| *tries == 1),
            "what was refused was tried as {tries:?}"
        );
        world.lastgood(["init"]).ok().await?;
        ensure!(!world.lastgood(["app", "ls"]).ok().await?.stdout.contains("good"), "a refused backup counts");
        ensure_eq!(peer.state().unfinished, 0, "unfinished uploads");
    }
    world.lastgood(BACKUP).ok().await?;
    Ok(())
}

/// C12.
pub(super) async fn full_disk(world: &World) -> RowResult {
    let disk = SmallDisk::mount(&world.folder().join("location"), DISK_MIB)?;
    world.init().await?;
    records(world, "records", &[("bulk.json", USERS)])?;
    world.lastgood(BACKUP).ok().await?;
    let (before, kept) = (world.place().picture().await?, keys(world).await?);
    bulk(world)?;
    let output = world.lastgood(BACKUP).fails(1).await?;
    let needed = output.stderr.split("no space left to write ").nth(1).and_then(|rest| rest.split(' ').next());
    let size: f64 = needed.and_then(|size| size.parse().ok()).unwrap_or_default();
    let says_how_much = size > 0.0;
    ensure!(says_how_much, "it should say how many bytes were needed:\n{}", output.stderr);
    ensure_eq!(world.place().unfinished().await?, 0, "temporary files");
    ensure_eq!(world.place().picture().await?, before, "the location");
    ensure_eq!(keys(world).await?, kept, "backups");
    world.lastgood(["app", "verify"]).ok().await?;
    drop(disk);
    Ok(())
}
