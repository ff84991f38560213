//! Snapshots block by block, each command under its own policy of `examples/iam`.

use std::path::Path;

use backup_testkit::ec2_fake::Ec2Fake;
use backup_testkit::ec2_fake::content::{Block, Content};
use backup_testkit::faults::{Action, Rule};

use super::{calls, changes, ec2, under};
use crate::harness::{Area, Locations, Row, RowResult, World};
use crate::{ensure, ensure_eq};

const HERE: &str = "us-east-1";
const VOLUME: &str = "vol-0aaaaaaaaaaaaaa12";

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    use Locations::Folder;
    vec![
        Row::new("E-verify", "a replica compared with its source, under its policy", Area::Ec2, Folder, |world| {
            Box::pin(compared(world))
        }),
        Row::new(
            "E-export",
            "credentials expire amid an export, which is gone on with; then what changed",
            Area::Ec2,
            Folder,
            |world| Box::pin(exported(world)),
        ),
        Row::new("E-import", "an export comes back in another region, and onto itself", Area::Ec2, Folder, |world| {
            Box::pin(imported(world))
        }),
    ]
}

/// A fake without the pause between two snapshots of a volume.
fn fake() -> RowResult<Ec2Fake> {
    let fake = Ec2Fake::small()?;
    fake.settings(|settings| settings.per_volume_interval_ms = 0);
    Ok(fake)
}

fn write(fake: &Ec2Fake, change: impl FnOnce(&mut Content)) {
    fake.world(|state| {
        let region = state.regions.get_mut(HERE);
        if let Some(volume) = region.and_then(|region| region.volumes.get_mut(VOLUME)) {
            change(&mut volume.content);
        }
    });
}

/// A snapshot of the volume with the data, made by the program itself.
async fn snapshot(world: &World, fake: &Ec2Fake) -> RowResult<String> {
    fake.policy(None);
    let made = ["snapshot", "i-0aaaaaaaaaaaaaaa1", "--region", HERE, "--exclude-root", "--wait", "--json"];
    ec2(world, fake, made).ok().await?;
    fake.clock().advance(std::time::Duration::from_secs(1));
    let newest = fake.world(|state| {
        let of_volume = state.regions[HERE].snapshots.values().filter(|own| own.volume == VOLUME);
        of_volume.max_by_key(|own| own.start).map(|own| own.id.clone())
    });
    newest.ok_or_else(|| crate::harness::Failure::new("no snapshot was made"))
}

/// The volume as a snapshot of the fake has it.
fn volume(fake: &Ec2Fake, region: &str, id: &str) -> Vec<u8> {
    fake.world(|state| {
        let snapshot = &state.regions[region].snapshots[id];
        let mut bytes = vec![0; usize::try_from(snapshot.size << 30).unwrap_or(0)];
        for index in snapshot.content.indexes(0) {
            let block = snapshot.content.get(index).map(Block::bytes).unwrap_or_default();
            bytes[index as usize * block.len()..][..block.len()].copy_from_slice(&block);
        }
        bytes
    })
}

fn same(path: &Path, bytes: &[u8]) -> RowResult<bool> {
    Ok(std::fs::read(path)? == bytes)
}

/// E-verify.
async fn compared(world: &World) -> RowResult {
    let fake = fake()?;
    let id = snapshot(world, &fake).await?;
    let copy = fake.world(|state| {
        let mut copy = state.regions[HERE].snapshots[&id].clone();
        copy.id = "snap-0000000c".to_owned();
        copy.lineage.clone_from(&copy.id);
        state.regions.get_mut("eu-west-1").map(|region| region.snapshots.insert(copy.id.clone(), copy))
    });
    ensure!(copy.is_some(), "there is no other region");
    under(&fake, "verify")?;
    fake.clear_log();
    let verify = ["verify", &id, "--region", "us-e", "--against", "snap-0000000c", "--replica-region", "eu-w"];
    let told = ec2(world, &fake, verify).args(["--sample", "all"]).ok().await?;
    told.says("are equal in 34 of 34 blocks")?.says("Every block was compared")?;
    ensure!(changes(&fake).is_empty(), "comparing changed something");
    fake.world(|state| {
        let region = state.regions.get_mut("eu-west-1");
        if let Some(copy) = region.and_then(|region| region.snapshots.get_mut("snap-0000000c")) {
            copy.content.put(20, Block::text(b"not what it was"));
        }
    });
    ec2(world, &fake, verify).args(["--sample", "all"]).fails(13).await?.says("1 different blocks (first: 20)")?;
    ec2(world, &fake, ["verify", &id, "--region", "us-e", "--against", &id, "--sample", "2"]).fails(2).await?;
    Ok(())
}

/// E-export.
async fn exported(world: &World) -> RowResult {
    let fake = fake()?;
    let first = snapshot(world, &fake).await?;
    under(&fake, "export")?;
    let export = |id: &str| ["export".to_owned(), id.to_owned(), "--region".to_owned(), HERE.to_owned()];
    ec2(world, &fake, export(&first)).args(["-n"]).ok().await?.says("Would read 34 blocks")?;
    ensure_eq!(calls(&fake, "GetSnapshotBlock"), 0, "blocks read by a dry run");

    // The credentials expire in the middle, and the next run goes on.
    let expired = Action::Status { status: 403, code: "ExpiredTokenException".to_owned() };
    fake.faults([Rule::new(expired).on("GetSnapshotBlock").skip(20)]);
    ec2(world, &fake, export(&first)).fails(12).await?;
    fake.clear_faults();
    let image = world.folder().join("shop.img");
    let shown = image.display().to_string();
    let done = ec2(world, &fake, export(&first)).args(["--image", &shown, "--json"]).ok().await?.json()?;
    ensure_eq!(done["report"]["resumed"].as_u64(), Some(20), "blocks that were kept");
    ensure_eq!(done["report"]["read"].as_u64(), Some(14), "blocks that were read");
    ensure!(same(&image, &volume(&fake, HERE, &first))?, "the image is not the volume");
    let there = ec2(world, &fake, export(&first)).args(["--image", &shown, "-n"]).fails(1).await?;
    there.says("there is a file of that name")?;

    write(&fake, |content| content.put(3, Block::text(b"new")));
    let second = snapshot(world, &fake).await?;
    under(&fake, "export")?;
    let done = ec2(world, &fake, export(&second)).args(["--json"]).ok().await?.json()?;
    ensure_eq!(done["report"]["read"].as_u64(), Some(1), "blocks that changed");
    ec2(world, &fake, export(&second)).ok().await?.says("already")?;
    Ok(())
}

/// E-import.
async fn imported(world: &World) -> RowResult {
    let fake = fake()?;
    let first = snapshot(world, &fake).await?;
    ec2(world, &fake, ["export", &first, "--region", HERE]).ok().await?;
    under(&fake, "import")?;
    let import = ["import", &first, "--region", "eu-west-1"];
    ec2(world, &fake, import).args(["-n"]).ok().await?.says("Would write 34 blocks")?;
    ensure_eq!(calls(&fake, "StartSnapshot"), 0, "snapshots begun by a dry run");
    ec2(world, &fake, import).args(["--parent", "snap-0000000c", "--encrypted"]).fails(1).await?;
    let done = ec2(world, &fake, import).args(["--json"]).ok().await?.json()?;
    let id = done["snapshot"].as_str().unwrap_or_default().to_owned();
    ensure!(volume(&fake, "eu-west-1", &id) == volume(&fake, HERE, &first), "another volume came back");
    ec2(world, &fake, import).args(["--parent", &id, "--encrypted"]).fails(2).await?.says("encrypted as its parent")?;
    let same = ec2(world, &fake, import).args(["--parent", &id, "--json"]).ok().await?.json()?;
    ensure_eq!(same["written"].as_u64(), Some(0), "blocks that differ from the parent");
    Ok(())
}
