//! Pages, filters, and what is not shown yet.

use super::*;
use crate::ec2_fake::seed::SnapshotSeed;

fn many(count: usize) -> World {
    let mut seed = Seed::small();
    let snapshots = (0..count).map(|n| SnapshotSeed {
        id: format!("snap-{n:017x}"),
        volume: if n % 2 == 0 { ROOT } else { "vol-00000000000000001" }.to_owned(),
        tags: [("n".to_owned(), n.to_string())].into(),
        ..SnapshotSeed::default()
    });
    seed.regions.entry("us-east-1".to_owned()).or_default().snapshots.extend(snapshots);
    World::of(seed)
}

/// EC2 API Reference, "DescribeSnapshots": `MaxResults` is between 5 and 1,000, and cannot stand beside ids.
#[test]
fn the_size_of_a_page_has_bounds() {
    let world = many(3);
    for odd in ["4", "1001", "0"] {
        assert_eq!(world.code(&format!("Action=DescribeSnapshots&MaxResults={odd}")), "InvalidParameterValue");
    }
    let both = "Action=DescribeSnapshots&MaxResults=5&SnapshotId.1=snap-00000000000000001";
    assert_eq!(world.code(both), "InvalidParameterCombination");
}

/// EC2 API Reference, "Query requests", "Pagination": every entry once; the token is for the same query, and for a while.
#[test]
fn pages_follow_each_other_until_their_token_expires() {
    let world = many(12);
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = world.ec2(&format!("Action=DescribeSnapshots&MaxResults=5&NextToken={token}")).unwrap();
        seen.extend(values(&page, "snapshotId"));
        match values(&page, "nextToken").first() {
            Some(next) => token = next.replace('+', "%2B"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 12);
    let page = world.ec2("Action=DescribeSnapshots&MaxResults=5").unwrap();
    let token = value(&page, "nextToken").replace('+', "%2B");
    assert_eq!(
        world.code(&format!("Action=DescribeSnapshots&MaxResults=6&NextToken={token}")),
        "InvalidPaginationToken"
    );
    world.pass(3600);
    assert_eq!(
        world.code(&format!("Action=DescribeSnapshots&MaxResults=5&NextToken={token}")),
        "InvalidPaginationToken"
    );
}

/// Some answers have an empty token at their end instead of none.
#[test]
fn the_last_token_can_be_empty() {
    let world = many(1).with(|settings| settings.empty_next_token = true);
    let page = world.ec2("Action=DescribeSnapshots&MaxResults=5").unwrap();
    assert_eq!(values(&page, "nextToken"), [""]);
}

/// EC2 API Reference, "DescribeSnapshots", "Filters".
#[test]
fn filters_choose() {
    let world = many(4);
    let found = |filter: &str| {
        let found = world.ec2(&format!("Action=DescribeSnapshots&{filter}")).unwrap();
        values(&found, "snapshotId").len()
    };
    assert_eq!(found("Filter.1.Name=tag:n&Filter.1.Value.1=1&Filter.1.Value.2=3"), 2);
    assert_eq!(found("Filter.1.Name=tag-key&Filter.1.Value.1=n"), 4);
    assert_eq!(found("Filter.1.Name=tag-key&Filter.1.Value.1=m"), 0);
    assert_eq!(found(&format!("Filter.1.Name=volume-id&Filter.1.Value.1={ROOT}")), 2);
    assert_eq!(found("Filter.1.Name=status&Filter.1.Value.1=completed"), 4);
    assert_eq!(found("Filter.1.Name=snapshot-id&Filter.1.Value.1=*2"), 1);
    assert_eq!(found("OwnerId.1=222222222222"), 0);
    assert_eq!(found("OwnerId.1=self&Filter.1.Name=start-time&Filter.1.Value.1=2026-11-21*"), 4);
}

/// EC2 Developer Guide, "Eventual consistency": what was just made may not be found yet.
#[test]
fn e6_a_new_snapshot_is_not_found_yet() {
    let world = World::new().with(|settings| settings.not_yet_ms = 5000);
    let id = value(&world.ec2(&format!("Action=CreateSnapshot&VolumeId={ROOT}")).unwrap(), "snapshotId");
    let one = format!("Action=DescribeSnapshots&SnapshotId.1={id}");
    assert_eq!(world.code(&one), "InvalidSnapshot.NotFound");
    assert!(values(&world.ec2("Action=DescribeSnapshots").unwrap(), "snapshotId").is_empty());
    world.pass(5);
    assert_eq!(value(&world.ec2(&one).unwrap(), "snapshotId"), id);
    let scripted = world.ec2_with("Action=DescribeSnapshots", Some(Action::HideNewerThan { ms: 10_000 })).unwrap();
    assert!(values(&scripted, "snapshotId").is_empty());
}

/// EC2 API Reference, "Error codes": `UnknownParameter`, `InvalidAction`; "DryRun": `DryRunOperation` with status 412.
#[test]
fn what_is_not_known_is_refused_and_a_dry_run_does_nothing() {
    let world = World::new();
    assert_eq!(world.code("Action=DescribeSnapshots&SnapshotIds.1=x"), "UnknownParameter");
    assert_eq!(world.code("Action=DescribeSnaps"), "InvalidAction");
    let dry = world.ec2(&format!("Action=CreateSnapshot&VolumeId={ROOT}&DryRun=true")).unwrap_err();
    assert_eq!((dry.code.as_str(), dry.status), ("DryRunOperation", 412));
    assert!(values(&world.ec2("Action=DescribeSnapshots").unwrap(), "snapshotId").is_empty());
    assert_eq!(world.code("Action=DescribeSnapshots&SnapshotId.1=vol-1"), "InvalidParameterValue");
}
