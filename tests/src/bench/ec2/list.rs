//! A region with many snapshots, listed.

use std::path::Path;
use std::process::Command;

use backup_testkit::aws_fake::FakeOptions;
use backup_testkit::ec2_fake::Ec2Fake;
use backup_testkit::ec2_fake::seed::{ACCOUNT, RegionSeed, Seed, SnapshotSeed};
use backup_testkit::faults::{Action, Rule};
use jiff::{SignedDuration, Timestamp};

use super::{Args, NOW};
use crate::Outcome;
use crate::bench::measure;
use crate::bench::report::{Row, show};

/// The page of a listing.
const PAGE: u64 = 1_000;

/// Listed from a fake that throttles three times.
pub(super) fn row(args: &Args, work: &Path) -> Outcome<Row> {
    let now: Timestamp = NOW.parse()?;
    let snapshots = (0..args.listed).map(|number| SnapshotSeed {
        id: format!("snap-{number:017}"),
        volume: format!("vol-{:017}", number % 1_000),
        start: Some(now - SignedDuration::from_mins(i64::from(number))),
        ..SnapshotSeed::default()
    });
    let region = RegionSeed { snapshots: snapshots.collect(), ..RegionSeed::default() };
    let seed = Seed { regions: [("us-east-1".to_owned(), region)].into(), ..Seed::default() };
    let fake = Ec2Fake::start(&FakeOptions::default(), seed)?;
    let busy = Action::Status { status: 503, code: "RequestLimitExceeded".to_owned() };
    fake.faults([Rule { op: Some("DescribeSnapshots".to_owned()), skip: 2, times: 3, ..Rule::new(busy) }]);
    let mut command = Command::new(crate::lastgood_binary()?);
    command.args(["ec2", "ls", "--any", "--region", "us-east-1", "--quiet"]).current_dir(work);
    command.envs(fake.environment(ACCOUNT, "us-east-1"));
    let run = measure::run(vec![command], None, None)?;
    show(0, "ls", &run);
    let answered = fake.log().iter().filter(|call| call.op == "DescribeSnapshots" && call.status == 200).count() as u64;
    let least = u64::from(args.listed).div_ceil(PAGE);
    Ok(Row {
        job: format!("ls of {} snapshots, throttled 3 times", args.listed),
        against: "pages of 1000".to_owned(),
        ours: format!("{answered} calls, {:.3} s", run.wall_s),
        peer: format!("{least} calls"),
        outcome: format!("{} more", answered.saturating_sub(least)),
        target: "≤ 1 more".to_owned(),
        met: answered <= least + 1,
    })
}
