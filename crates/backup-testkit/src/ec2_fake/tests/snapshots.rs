//! CreateSnapshot, CreateSnapshots, their states, and DeleteSnapshot.

use super::*;

/// EC2 API Reference, "SnapshotInfo" and "Snapshot": a snapshot is `pending` first, with a progress, then `completed`.
#[test]
fn snapshots_are_pending_until_the_clock_says_otherwise() {
    let world = World::new().with(|settings| settings.snapshot_ms = 100_000);
    let made = world.ec2(&format!("Action=CreateSnapshot&VolumeId={ROOT}&Description=x")).unwrap();
    assert_eq!((value(&made, "status"), value(&made, "progress")), ("pending".to_owned(), "0%".to_owned()));
    world.pass(50);
    let half = world.ec2("Action=DescribeSnapshots&OwnerId.1=self").unwrap();
    assert_eq!((value(&half, "status"), value(&half, "progress")), ("pending".to_owned(), "50%".to_owned()));
    assert!(!half.contains("completionTime"));
    world.pass(50);
    let done = world.ec2("Action=DescribeSnapshots&OwnerId.1=self").unwrap();
    assert_eq!((value(&done, "status"), value(&done, "progress")), ("completed".to_owned(), "100%".to_owned()));
    assert_eq!(value(&done, "startTime"), "2026-11-21T03:00:00.000Z");
}

/// Even one that takes no time is answered as `pending` by the call that makes it.
#[test]
fn no_snapshot_is_complete_when_its_call_returns() {
    let world = World::new();
    let made = world.ec2(&format!("Action=CreateSnapshot&VolumeId={ROOT}")).unwrap();
    assert_eq!(value(&made, "status"), "pending");
    let set = world.ec2("Action=CreateSnapshots&InstanceSpecification.InstanceId=i-0aaaaaaaaaaaaaaa2");
    assert_eq!(value(&set.unwrap(), "state"), "pending");
}

/// EC2 API Reference, "Snapshot": `statusMessage` says why one is in the state `error`.
#[test]
fn e5_the_second_of_a_set_can_fail() {
    let world = World::new();
    let message = "Given key ID is not accessible".to_owned();
    world.endings(vec![Ending { region: None, copies: None, skip: 1, times: 1, after_ms: 5000, message }]);
    let form = format!("Action=CreateSnapshots&InstanceSpecification.InstanceId={SHOP}");
    assert_eq!(values(&world.ec2(&form).unwrap(), "state"), ["pending", "pending"]);
    world.pass(10);
    let found = world.ec2("Action=DescribeSnapshots").unwrap();
    let mut states = values(&found, "status");
    states.sort();
    assert_eq!(states, ["completed", "error"]);
    assert_eq!(value(&found, "statusMessage"), "Given key ID is not accessible");
}

/// EC2 API Reference, "CreateSnapshots" and "InstanceSpecification".
#[test]
fn a_set_is_all_volumes_but_those_excluded() {
    let volumes = |more: &str| {
        let form = format!("Action=CreateSnapshots&InstanceSpecification.InstanceId={SHOP}{more}");
        World::new().ec2(&form).map(|xml| values(&xml, "volumeId"))
    };
    assert_eq!(volumes("").unwrap(), [ROOT, DATA]);
    assert_eq!(volumes("&InstanceSpecification.ExcludeBootVolume=true").unwrap(), [DATA]);
    assert_eq!(volumes(&format!("&InstanceSpecification.ExcludeDataVolumeId.1={DATA}")).unwrap(), [ROOT]);
    assert!(volumes(&format!("&InstanceSpecification.ExcludeDataVolumeId.1={ROOT}")).is_err());
    let all =
        format!("&InstanceSpecification.ExcludeBootVolume=true&InstanceSpecification.ExcludeDataVolumeId.1={DATA}");
    assert_eq!(volumes(&all).unwrap_err().code, "InvalidParameterValue");
}

/// EC2 API Reference, "CreateSnapshots": `CopyTagsFromSource` takes `volume` only, and adds the volume's tags.
#[test]
fn tags_come_from_the_request_and_if_asked_from_the_volume() {
    let world = World::new();
    let tag =
        "TagSpecification.1.ResourceType=snapshot&TagSpecification.1.Tag.1.Key=set&TagSpecification.1.Tag.1.Value=7";
    let form = format!("Action=CreateSnapshots&InstanceSpecification.InstanceId={SHOP}&{tag}");
    let set = world.ec2(&format!("{form}&CopyTagsFromSource=volume")).unwrap();
    assert_eq!(values(&set, "key"), ["Name", "set", "Name", "Role", "set"]);
    let world = World::new();
    assert_eq!(values(&world.ec2(&form).unwrap(), "key"), ["set", "set"]);
    assert_eq!(world.code(&format!("{form}&CopyTagsFromSource=instance")), "InvalidParameterValue");
    let odd = form.replace("ResourceType=snapshot", "ResourceType=volume");
    assert_eq!(world.code(&odd), "InvalidParameterValue");
}

/// EC2 API Reference, "Error codes", `SnapshotCreationPerVolumeRateExceeded`: "Wait at least 15 seconds between concurrent
/// volume snapshots"; `ConcurrentSnapshotLimitExceeded`: five at once.
#[test]
fn a_volume_is_not_snapshotted_too_often() {
    let world = World::new().with(|settings| settings.snapshot_ms = 3_600_000);
    let form = format!("Action=CreateSnapshot&VolumeId={ROOT}");
    world.ec2(&form).unwrap();
    assert_eq!(world.code(&form), "SnapshotCreationPerVolumeRateExceeded");
    for _ in 0..4 {
        world.pass(15);
        world.ec2(&form).unwrap();
    }
    world.pass(15);
    assert_eq!(world.code(&form), "ConcurrentSnapshotLimitExceeded");
}

/// EC2 API Reference, "CreateSnapshot": the description has at most 255 characters.
#[test]
fn descriptions_have_255_characters() {
    let form = |n: usize| format!("Action=CreateSnapshot&VolumeId={ROOT}&Description={}", "x".repeat(n));
    assert_eq!(World::new().code(&form(256)), "InvalidParameterValue");
    assert!(World::new().ec2(&form(255)).is_ok());
}

/// EC2 API Reference, "DeleteSnapshot": not while an AMI uses it; "LockSnapshot": not while it is locked.
#[test]
fn e8_snapshots_in_use_or_locked_cannot_be_deleted() {
    let world = World::new();
    let id = world.snapshot(ROOT);
    let image = world.ec2(&format!(
        "Action=RegisterImage&Name=shop&RootDeviceName=/dev/sda1&BlockDeviceMapping.1.DeviceName=/dev/sda1\
         &BlockDeviceMapping.1.Ebs.SnapshotId={id}"
    ));
    let image = value(&image.unwrap(), "imageId");
    let delete = format!("Action=DeleteSnapshot&SnapshotId={id}");
    let error = world.ec2(&delete).unwrap_err();
    assert_eq!(error.code, "InvalidSnapshot.InUse");
    assert!(error.message.contains(&image), "{error}");
    world.ec2(&format!("Action=DeregisterImage&ImageId={image}")).unwrap();
    world.ec2(&format!("Action=LockSnapshot&SnapshotId={id}&LockMode=governance&LockDuration=1")).unwrap();
    assert_eq!(world.code(&delete), "SnapshotLocked");
    let locked = world.ec2("Action=DescribeLockedSnapshots").unwrap();
    assert_eq!((value(&locked, "snapshotId"), value(&locked, "lockState")), (id.clone(), "governance".to_owned()));
    world.pass(86_400);
    world.ec2(&delete).unwrap();
    assert_eq!(world.code(&delete), "InvalidSnapshot.NotFound");
}

/// EBS User Guide, "Recycle Bin": what is deleted under a retention rule is listed there, and can be restored.
#[test]
fn the_recycle_bin_keeps_what_was_deleted() {
    let world = World::new().with(|settings| settings.recycle_bin_days = Some(7));
    let id = world.snapshot(ROOT);
    world.ec2(&format!("Action=DeleteSnapshot&SnapshotId={id}")).unwrap();
    assert!(values(&world.ec2("Action=DescribeSnapshots").unwrap(), "snapshotId").is_empty());
    assert_eq!(values(&world.ec2("Action=ListSnapshotsInRecycleBin").unwrap(), "snapshotId"), [id.as_str()]);
    world.ec2(&format!("Action=RestoreSnapshotFromRecycleBin&SnapshotId={id}")).unwrap();
    assert_eq!(values(&world.ec2("Action=DescribeSnapshots").unwrap(), "snapshotId"), [id.as_str()]);
    world.ec2(&format!("Action=DeleteSnapshot&SnapshotId={id}")).unwrap();
    world.pass(7 * 86_400);
    assert!(values(&world.ec2("Action=ListSnapshotsInRecycleBin").unwrap(), "snapshotId").is_empty());
}

/// EC2 API Reference, "ModifySnapshotAttribute": a shared snapshot is seen by the other account, and not deleted by it.
#[test]
fn a_shared_snapshot_is_seen_and_stays_its_owners() {
    let mut world = World::new();
    let id = world.snapshot(ROOT);
    let describe = format!("Action=DescribeSnapshots&SnapshotId.1={id}");
    world.account = "222222222222";
    assert_eq!(world.code(&describe), "InvalidSnapshot.NotFound");
    world.account = ACCOUNT;
    world
        .ec2(&format!(
            "Action=ModifySnapshotAttribute&SnapshotId={id}&CreateVolumePermission.Add.1.UserId=222222222222"
        ))
        .unwrap();
    let shown =
        world.ec2(&format!("Action=DescribeSnapshotAttribute&SnapshotId={id}&Attribute=createVolumePermission"));
    assert_eq!(value(&shown.unwrap(), "userId"), "222222222222");
    world.account = "222222222222";
    assert_eq!(value(&world.ec2(&describe).unwrap(), "ownerId"), ACCOUNT);
    assert!(values(&world.ec2("Action=DescribeSnapshots&OwnerId.1=self").unwrap(), "snapshotId").is_empty());
    assert_eq!(world.code(&format!("Action=DeleteSnapshot&SnapshotId={id}")), "AuthFailure");
}
