//! EBS snapshots: the built binary on a strict fake of EC2.

mod blocks;
mod copies;
mod create;
mod delete;
mod frozen;
mod look;
mod offline;
mod replicas;

use backup_testkit::aws_fake::Call;
use backup_testkit::ec2_fake::Ec2Fake;
use backup_testkit::ec2_fake::seed::{ACCOUNT, RegionSeed, Seed, SnapshotSeed};
use backup_testkit::iam::Policy;
use jiff::{SignedDuration, Timestamp};

use crate::harness::{Area, Lastgood, Locations, Row, RowResult, World};

/// A policy for each command.
const POLICIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/ec2-snapshots/examples/iam");

/// The rows.
#[must_use]
pub fn rows() -> Vec<Row> {
    use Locations::Folder;
    let mut rows = vec![
        Row::new("E-set", "one set an instance, in all regions, with its lineage", Area::Ec2, Folder, |world| {
            Box::pin(create::sets(world))
        }),
        Row::new(
            "E-once",
            "the answer to CreateSnapshots is lost: found by tag, one set",
            Area::Ec2,
            Folder,
            |world| Box::pin(create::once(world)),
        ),
        Row::new(
            "E-late",
            "CreateSnapshots carried out after all: the second set is deleted",
            Area::Ec2,
            Folder,
            |world| Box::pin(create::late(world)),
        ),
        Row::new("E-partly", "a region that refuses does not stop the others", Area::Ec2, Folder, |world| {
            Box::pin(create::partly(world))
        }),
        Row::new("E5", "a snapshot that fails: said, never counted, cleaned", Area::Ec2, Folder, |world| {
            Box::pin(create::failing(world))
        }),
        Row::new("E-denied", "a right that is missing: the action is named within 2 s", Area::Ec2, Folder, |world| {
            Box::pin(look::denied(world))
        }),
        Row::new("E-regions", "regions by their beginnings, ls, show", Area::Ec2, Folder, |world| {
            Box::pin(look::regions(world))
        }),
        Row::new("E-rpo", "the report ends with 20 for a volume without a new snapshot", Area::Ec2, Folder, |world| {
            Box::pin(look::rpo(world))
        }),
        Row::new("E-trim", "a trim deletes what its plan shows; -n changes nothing", Area::Ec2, Folder, |world| {
            Box::pin(delete::trimmed(world))
        }),
        Row::new("E8", "snapshots that an image, a share or a tag protects stay", Area::Ec2, Folder, |world| {
            Box::pin(delete::protected(world))
        }),
        Row::new("E-apply", "a plan is applied, and refused once the world has changed", Area::Ec2, Folder, |world| {
            Box::pin(delete::applied(world))
        }),
        Row::new("E-image", "an image of a set", Area::Ec2, Folder, |world| Box::pin(create::image(world))),
    ];
    rows.extend(plans());
    rows.extend(blocks::rows());
    rows.extend(copies::rows());
    rows.extend(frozen::rows());
    rows.extend(replicas::rows());
    rows
}

/// Rows about plans for files, and about what is printed.
fn plans() -> Vec<Row> {
    use Locations::Folder;
    vec![
        Row::new(
            "E-fabfile",
            "what django-fabfile kept, by --policy fabfile --from-json",
            Area::Ec2,
            Folder,
            |world| Box::pin(offline::fabfile(world)),
        ),
        Row::new(
            "E-json",
            "the same plan for every form of time and of the end of a listing",
            Area::Ec2,
            Folder,
            |world| Box::pin(offline::forms(world)),
        ),
        Row::new(
            "E-simulate",
            "what a policy keeps over two years, as text, JSON and SVG",
            Area::Ec2,
            Folder,
            |world| Box::pin(offline::simulated(world)),
        ),
        Row::new("E-documents", "the documents that `--json` prints are as documented", Area::Ec2, Folder, |world| {
            Box::pin(look::documents(world))
        }),
    ]
}

/// `lastgood ec2` with these arguments on `fake`.
fn ec2<'w, I, A>(world: &'w World, fake: &Ec2Fake, args: I) -> Lastgood<'w>
where
    I: IntoIterator<Item = A>,
    A: Into<String>,
{
    let mut lastgood = world.lastgood(["ec2"]).args(args);
    for (name, value) in fake.environment(ACCOUNT, "us-east-1") {
        lastgood = lastgood.env(name, value);
    }
    lastgood
}

/// Calls that changed something, or would have.
fn changes(fake: &Ec2Fake) -> Vec<Call> {
    fake.log().into_iter().filter(|call| call.mutating).collect()
}

/// From now on the fake allows what the policy of `command` allows.
fn under(fake: &Ec2Fake, command: &str) -> RowResult {
    let policy = std::fs::read(format!("{POLICIES}/{command}.json"))?;
    fake.policy(Some(serde_json::from_slice::<Policy>(&policy)?));
    Ok(())
}

/// How often `op` was called.
fn calls(fake: &Ec2Fake, op: &str) -> usize {
    fake.log().iter().filter(|call| call.op == op).count()
}

/// A world with snapshots of one volume in `us-east-1`, one for each of these ages in hours, made by us.
fn aged(hours: &[i64]) -> RowResult<Seed> {
    let now = Timestamp::now();
    let snapshot = |(at, hours): (usize, &i64)| SnapshotSeed {
        id: format!("snap-{at:017}"),
        volume: "vol-0aaaaaaaaaaaaaa11".to_owned(),
        start: Some(now - SignedDuration::from_hours(*hours)),
        tags: [("lastgood:set", format!("set-{at}")), ("lastgood:set-size", "1".to_owned())]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        ..SnapshotSeed::default()
    };
    let mut seed = Seed::default();
    let snapshots = hours.iter().enumerate().map(snapshot).collect();
    seed.regions.insert("us-east-1".to_owned(), RegionSeed { snapshots, ..RegionSeed::default() });
    seed.regions.insert("eu-west-1".to_owned(), RegionSeed::default());
    Ok(seed)
}
