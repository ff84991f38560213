//! Archives in a vault of the Glacier service, beside the location.

use std::time::Duration;

use backup_testkit::aws_fake::FakeOptions;
use backup_testkit::faults::{Action, Rule};
use backup_testkit::glacier_fake::GlacierFake;
use backup_testkit::s3_server::REGION;

use super::shared::{ARCHIVES, BULK, check, fill, glacier, lose, store};
use crate::harness::command::Lastgood;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// The vault of the rows.
pub(super) const VAULT: &str = "attachments";

/// The account of keys that do not say theirs, such as those of the S3 peer.
pub(super) const ACCOUNT: &str = "111111111111";

/// An hour more than an inventory takes.
const INVENTORY: Duration = Duration::from_secs(6 * 3600);

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The service beside a row's location.
pub(super) struct Service(GlacierFake);

impl Service {
    pub(super) fn start() -> RowResult<Self> {
        Self::at(&FakeOptions::default())
    }

    pub(super) fn at(options: &FakeOptions) -> RowResult<Self> {
        let fake = GlacierFake::start(options)?;
        fake.make_vault(ACCOUNT, REGION, VAULT);
        Ok(Self(fake))
    }

    pub(super) fn fake(&self) -> &GlacierFake {
        &self.0
    }

    /// `lastgood glacier` with these words, where it finds the service.
    pub(super) fn glacier<'w>(&self, world: &'w World, verb: &[&str]) -> Lastgood<'w> {
        self.with(glacier(world, verb), world)
    }

    /// The same command, where it finds the service.
    pub(super) fn with<'w>(&self, mut command: Lastgood<'w>, world: &'w World) -> Lastgood<'w> {
        for (name, value) in self.0.environment(ACCOUNT, REGION) {
            // A bucket needs its own credentials, which are of the same account.
            if world.place().peer().is_none() || name.starts_with("AWS_ENDPOINT_URL") {
                command = command.env(name, value);
            }
        }
        command
    }

    pub(super) async fn killed_at(&self, world: &World, verb: &[&str], steps: &[&str]) -> RowResult {
        for step in steps {
            let step = format!("glacier.{step}");
            self.glacier(world, verb).env("LASTGOOD_CRASH_AT", step).run().await?.expect_killed()?;
        }
        self.glacier(world, verb).limit(Duration::from_secs(150)).ok().await?;
        Ok(())
    }

    pub(super) fn calls(&self, op: &str) -> usize {
        self.0.log().iter().filter(|call| call.op == op).count()
    }
}

pub(super) const BACKUP: [&str; 7] = ["backup", "--files", "store", "--name", "uploads", "--vault", VAULT];

/// The same to a vault that nobody made.
const NOWHERE: [&str; 7] = ["backup", "--files", "store", "--name", "uploads", "--vault", "nowhere"];

/// GL3.
pub(super) async fn there_and_back(world: &World) -> RowResult {
    let (files, service) = (fill(world)?, Service::start()?);
    let run = |verb: &'static [&'static str]| service.glacier(world, verb);
    run(&NOWHERE).fails(1).await?.says("takes no new customers for vaults")?.says("GLACIER or DEEP_ARCHIVE")?;
    run(&BACKUP).arg("-n").ok().await?.says("Would archive 5 files")?.says("in VAULT")?;
    ensure_eq!(service.0.archives(), 0, "archives after a dry run");
    run(&BACKUP).ok().await?.says("wrote 2 archives")?;
    // The vault is remembered by the backups.
    run(&["backup", "--files", "store", "--name", "uploads"]).ok().await?.says("wrote 0 archives")?;
    run(&NOWHERE).fails(2).await?.says("are in the vault `attachments`")?;
    ensure_eq!(service.0.archives(), ARCHIVES, "archives");
    lose(world)?;
    run(&["catalogue", "rebuild", "uploads"]).ok().await?.says("Read 2 backups")?;
    run(&["status", "uploads", "--files", "store"]).ok().await?.says("available")?;
    run(&["fetch", "uploads"]).fails(3).await?.says("4 files must be retrieved first")?;
    run(&["plan", "uploads"]).ok().await?.says("2 archives")?.says("for 1 day")?;
    run(&["retrieve", "uploads", "-n"]).ok().await?.says("Nothing was requested")?;
    ensure_eq!(service.0.jobs(), 0, "jobs that plans started");
    run(&["retrieve", "uploads"]).ok().await?.says("Requested 2 archives by Bulk")?;
    run(&["retrieve", "uploads"]).ok().await?.says("Nothing was requested")?;
    ensure_eq!(service.0.jobs(), ARCHIVES, "jobs");
    run(&["jobs", "uploads"]).ok().await?.says("pending")?.says("expected within 12 h")?;
    run(&["watch", "--once", "uploads"]).fails(3).await?.says("pending")?;
    service.0.clock().advance(BULK);
    run(&["jobs", "uploads"]).ok().await?.says("ready")?;
    run(&["watch", "--once", "uploads"]).ok().await?.says("ready")?;
    run(&["fetch", "uploads"]).ok().await?.says("Fetched 3 contents")?;
    run(&["restore", "uploads", "--files", "store"]).ok().await?.says("Restored 5 files")?;
    check(world, &files)?;
    ensure_eq!(service.calls("UploadArchive"), 0, "uploads that are not idempotent");
    Ok(())
}

/// GL4.
pub(super) async fn killed(world: &World) -> RowResult {
    let (files, service) = (fill(world)?, Service::start()?);
    let steps = ["rebuild", "scan", "bundle", "part", "completed", "archive", "manifest", "published"];
    service.killed_at(world, &BACKUP, &steps).await?;
    ensure_eq!(service.0.archives(), ARCHIVES, "archives");
    lose(world)?;
    service.killed_at(world, &["catalogue", "rebuild", "uploads"], &["rebuild"]).await?;
    // After a kill before or behind the request, the next run waits until the answer of the service counts.
    service.killed_at(world, &["retrieve", "uploads"], &["ask", "intended", "requested"]).await?;
    ensure_eq!(service.0.jobs(), ARCHIVES, "jobs that were paid");
    service.0.clock().advance(BULK);
    service.killed_at(world, &["fetch", "uploads"], &["fetch"]).await?;
    service.killed_at(world, &["restore", "uploads", "--files", "store"], &["place"]).await?;
    check(world, &files)
}

/// GL5.
pub(super) async fn bad_luck(world: &World) -> RowResult {
    let (files, service) = (fill(world)?, Service::start()?);
    let run = |verb: &'static [&'static str]| service.glacier(world, verb);
    service.0.faults([Rule::new(Action::LoseResponse).on("CompleteMultipartUpload").times(1)]);
    run(&BACKUP).ok().await?;
    ensure_eq!(service.0.archives(), ARCHIVES, "archives after a lost answer");
    // What is in the folder that was backed up need not be retrieved.
    run(&["retrieve", "uploads"]).ok().await?.says("Nothing was requested")?;
    std::fs::remove_dir_all(store(world))?;
    std::fs::create_dir(store(world))?;
    service.0.settings(|settings| settings.no_expedited = true);
    run(&["retrieve", "uploads", "--tier", "expedited"])
        .fails(21)
        .await?
        .says("Insufficient capacity")?
        .says("--tier standard")?;
    run(&["status", "uploads"]).ok().await?.says("available")?;
    service.0.settings(|settings| settings.policy_bytes_max = Some(1 << 20));
    run(&["retrieve", "uploads"]).fails(3).await?.says("data retrieval policy")?;
    ensure_eq!(service.0.jobs(), 1, "jobs within the policy");
    service.0.settings(|settings| {
        settings.policy_bytes_max = None;
        settings.jobs_fail = true;
    });
    run(&["retrieve", "uploads"]).ok().await?.says("Requested 1 archive by Bulk")?;
    service.0.settings(|settings| settings.jobs_fail = false);
    service.0.clock().advance(BULK);
    // One is ready and one failed: the rest is fetched.
    run(&["fetch", "uploads"]).fails(3).await?.says("Fetched 2 contents")?.says("1 file must be retrieved first")?;
    run(&["jobs", "uploads"]).ok().await?.says("ended")?.says("Failed")?;
    run(&["retrieve", "uploads"]).ok().await?.says("Requested 1 archive by Bulk")?;
    service.0.clock().advance(BULK);
    service.0.faults([Rule::new(Action::FlipLastByte).on("GetJobOutput").times(1)]);
    run(&["fetch", "uploads"]).ok().await?;
    run(&["restore", "uploads", "--files", "store"]).ok().await?.says("Restored 5 files")?;
    check(world, &files)?;
    service.0.settings(|settings| settings.closed = true);
    run(&["status", "uploads"]).fails(1).await?.says("takes no new customers for vaults")?;
    Ok(())
}

/// The key of the oldest backup.
async fn oldest(world: &World) -> RowResult<String> {
    let listed = world.lastgood(["glacier", "ls", "--json"]).ok().await?.json()?;
    let key = listed[0]["key"].as_str().unwrap_or_default().to_owned();
    ensure!(key.starts_with("uploads/"), "`ls` named no backup");
    Ok(key)
}

/// GL6.
pub(super) async fn upkeep(world: &World) -> RowResult {
    let (_files, service) = (fill(world)?, Service::start()?);
    let run = |verb: &'static [&'static str]| service.glacier(world, verb);
    run(&BACKUP).ok().await?;
    run(&["inventory", "uploads"]).fails(1).await?.says("makes one a day")?;
    service.0.clock().advance(DAY);
    run(&["inventory", "uploads"]).fails(3).await?.says("was requested")?;
    service.0.clock().advance(INVENTORY);
    let crash = "LASTGOOD_CRASH_AT";
    run(&["inventory", "uploads"]).env(crash, "glacier.inventory").run().await?.expect_killed()?;
    run(&["inventory", "uploads"]).ok().await?.says("had 2 archives")?.says("later changes are not in it")?;
    run(&["reconcile", "uploads"]).ok().await?;
    run(&["audit", "uploads", "--sample", "100%", "-n"])
        .ok()
        .await?
        .says("2 archives")?
        .says("Nothing was requested")?;
    run(&["audit", "uploads", "--sample", "100%", "--max-cost", "0"])
        .fails(1)
        .await?
        .says("no tier keeps the limits")?;
    run(&["audit", "uploads", "--sample", "100%"])
        .fails(3)
        .await?
        .says("2 archives of the sample cannot be read yet")?;
    service.0.clock().advance(BULK);
    run(&["audit", "uploads"]).env(crash, "glacier.audit").run().await?.expect_killed()?;
    run(&["audit", "uploads", "--sample", "100%"]).ok().await?.says("Verified 2 of a sample of 2 archives")?;
    ensure_eq!(service.0.jobs(), ARCHIVES + 1, "jobs: an inventory and a sample");
    std::fs::remove_file(store(world).join("large"))?;
    run(&BACKUP).ok().await?;
    let key = oldest(world).await?;
    let delete = ["delete", key.as_str()];
    run(&["delete", "uploads"]).fails(2).await?.says("names no single backup")?;
    service.glacier(world, &delete).arg("-n").ok().await?.says("archives  1 go")?.says("1 stay")?.says("fee")?;
    service.glacier(world, &delete).fails(15).await?.says("not confirmed")?;
    ensure_eq!(service.0.archives(), ARCHIVES, "archives that nobody confirmed to delete");
    for step in ["prune.mark", "prune.look", "prune.manifests", "prune.parts"] {
        service.glacier(world, &delete).arg("--yes").env(crash, step).run().await?.expect_killed()?;
    }
    run(&["prune", "uploads", "--keep-last", "1", "--yes"]).ok().await?;
    ensure_eq!(service.0.archives(), 1, "archives that are left");
    run(&["prune", "uploads", "--keep-last", "1", "-n"]).ok().await?.says("keep")?;
    run(&["prune", "uplaods", "--keep-last", "1", "--yes"])
        .fails(2)
        .await?
        .says("there are backups named `uploads`")?;
    run(&["ls", "uplaods"]).ok().await?.says("there are backups named `uploads`")?;
    Ok(())
}

/// GL7.
pub(super) async fn all_lost(world: &World) -> RowResult {
    let (mut files, service) = (fill(world)?, Service::start()?);
    let rebuild = ["catalogue", "rebuild", "uploads", "--from-archives", "--vault", VAULT];
    service.glacier(world, &BACKUP).ok().await?;
    lose(world)?;
    world.without_location()?;
    world.init().await?;
    service.0.clock().advance(DAY);
    service.glacier(world, &rebuild).fails(3).await?.says("inventory")?;
    service.0.clock().advance(INVENTORY);
    service
        .glacier(world, &rebuild)
        .fails(3)
        .await?
        .says("1 archive must be retrieved before their index can be read")?;
    service.0.clock().advance(BULK);
    service.killed_at(world, &rebuild, &["rebuild", "recover", "manifest"]).await?;
    service.glacier(world, &["retrieve", "uploads"]).ok().await?;
    service.0.clock().advance(BULK);
    service.glacier(world, &["fetch", "uploads"]).ok().await?;
    service.glacier(world, &["restore", "uploads", "--files", "store"]).ok().await?;
    // Of an empty file there is no archive, and nothing else knew of it. A content stored once has one name.
    for lost in ["empty", "twin"] {
        files.remove(lost);
    }
    ensure_eq!(service.0.jobs(), ARCHIVES + 1, "jobs: an inventory and each archive once");
    check(world, &files)
}
