//! CopySnapshot.

use super::*;

fn copying(world: &mut World, id: &str, more: &str) -> Result<String, ApiError> {
    world.region = "eu-west-1";
    let made = world.ec2(&format!("Action=CopySnapshot&SourceRegion=us-east-1&SourceSnapshotId={id}{more}"));
    world.region = "us-east-1";
    made.map(|xml| value(&xml, "snapshotId"))
}

/// EC2 API Reference, "CopySnapshot": "an arbitrary volume ID"; the copy has a start time of its own, and neither the tags
/// nor the description of its source.
#[test]
fn a_copy_is_another_snapshot() {
    let mut world = World::new();
    let tag =
        "TagSpecification.1.ResourceType=snapshot&TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v";
    let made = world.ec2(&format!("Action=CreateSnapshot&VolumeId={ROOT}&Description=d&{tag}")).unwrap();
    let source = value(&made, "snapshotId");
    world.pass(60);
    let copy = copying(&mut world, &source, "").unwrap();
    assert_ne!(copy, source);
    world.region = "eu-west-1";
    let found = world.ec2(&format!("Action=DescribeSnapshots&SnapshotId.1={copy}")).unwrap();
    assert_eq!(value(&found, "volumeId"), "vol-ffffffff");
    assert_eq!(value(&found, "startTime"), "2026-11-21T03:01:00.000Z");
    assert_eq!((value(&found, "description"), values(&found, "key")), (String::new(), vec![]));
}

/// EC2 API Reference, "CopySnapshot": only a `completed` one can be copied.
#[test]
fn e7_the_source_must_be_complete() {
    let mut world = World::new().with(|settings| settings.snapshot_ms = 60_000);
    let id = value(&world.ec2(&format!("Action=CreateSnapshot&VolumeId={ROOT}")).unwrap(), "snapshotId");
    assert_eq!(copying(&mut world, &id, "").unwrap_err().code, "IncorrectState");
    world.pass(60);
    assert!(copying(&mut world, &id, "").is_ok());
    assert_eq!(copying(&mut world, "snap-00000001", "").unwrap_err().code, "InvalidSnapshot.NotFound");
}

/// EBS User Guide, "Copy an Amazon EBS snapshot": "20 concurrent snapshot copies for each destination Region", and others
/// may hold some of them.
#[test]
fn e7_slots_are_few_and_shared() {
    let mut world = World::new().with(|settings| {
        settings.copy_ms = 60_000;
        settings.copy_slots_taken = 17;
    });
    let id = world.snapshot(ROOT);
    for _ in 0..3 {
        copying(&mut world, &id, "").unwrap();
    }
    assert_eq!(copying(&mut world, &id, "").unwrap_err().code, "ResourceLimitExceeded");
    world.pass(60);
    assert!(copying(&mut world, &id, "").is_ok());
}

/// EBS User Guide, "Time-based copies": 15 minutes to 48 hours in steps of 15 minutes.
#[test]
fn the_duration_of_a_time_based_copy_has_steps() {
    let mut world = World::new().with(|settings| settings.copy_ms = 86_400_000);
    let id = world.snapshot(ROOT);
    for odd in ["0", "10", "20", "2895", "x"] {
        let more = format!("&CompletionDurationMinutes={odd}");
        assert_eq!(copying(&mut world, &id, &more).unwrap_err().code, "InvalidParameterValue", "{odd}");
    }
    let copy = copying(&mut world, &id, "&CompletionDurationMinutes=30").unwrap();
    world.region = "eu-west-1";
    world.pass(1799);
    assert_eq!(
        value(&world.ec2(&format!("Action=DescribeSnapshots&SnapshotId.1={copy}")).unwrap(), "status"),
        "pending"
    );
    world.pass(1);
    assert_eq!(
        value(&world.ec2(&format!("Action=DescribeSnapshots&SnapshotId.1={copy}")).unwrap(), "status"),
        "completed"
    );
}

/// EC2 API Reference, "CopySnapshot": a key needs `Encrypted`; copies of encrypted snapshots are encrypted, asked or not.
#[test]
fn encryption_of_copies() {
    let mut world = World::new();
    let plain = world.snapshot(ROOT);
    assert_eq!(copying(&mut world, &plain, "&KmsKeyId=k").unwrap_err().code, "InvalidParameterDependency");
    copying(&mut world, &plain, "&KmsKeyId=k&Encrypted=true").unwrap();
    world.region = "eu-west-1";
    assert_eq!(value(&world.ec2("Action=DescribeSnapshots").unwrap(), "kmsKeyId"), "k");
    let secret = world.snapshot(MAIL_VOLUME);
    world.region = "us-east-1";
    world.ec2(&format!("Action=CopySnapshot&SourceRegion=eu-west-1&SourceSnapshotId={secret}")).unwrap();
    let found = world.ec2("Action=DescribeSnapshots&Filter.1.Name=encrypted&Filter.1.Value.1=true").unwrap();
    assert_eq!(values(&found, "snapshotId").len(), 1);
}

/// EBS User Guide, "Copy an Amazon EBS snapshot": without rights on the key a copy fails silently, later, in the state
/// `error`.
#[test]
fn a_copy_can_fail_hours_later() {
    let mut world = World::new();
    let id = world.snapshot(ROOT);
    let message = "Given key ID is not accessible".to_owned();
    world.endings(vec![Ending { region: None, copies: Some(true), skip: 0, times: 1, after_ms: 7_200_000, message }]);
    copying(&mut world, &id, "").unwrap();
    world.region = "eu-west-1";
    world.pass(7199);
    assert_eq!(value(&world.ec2("Action=DescribeSnapshots").unwrap(), "status"), "pending");
    world.pass(1);
    assert_eq!(value(&world.ec2("Action=DescribeSnapshots").unwrap(), "status"), "error");
}
