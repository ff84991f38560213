//! Instances, volumes, images, tags, keys, groups and regions.

use super::*;

/// EC2 API Reference, "DescribeInstances", "Filters", and "DescribeRegions".
#[test]
fn instances_are_found_by_tag_with_their_volumes() {
    let mut world = World::new();
    let form = "Action=DescribeInstances&Filter.1.Name=tag:Earmarking&Filter.1.Value.1=production";
    let found = world.ec2(form).unwrap();
    assert_eq!(values(&found, "instanceId"), [SHOP]);
    assert_eq!(values(&found, "volumeId"), [ROOT, DATA]);
    assert_eq!(world.code("Action=DescribeInstances&InstanceId.1=i-0"), "InvalidInstanceID.NotFound");
    let regions = world.ec2("Action=DescribeRegions").unwrap();
    assert_eq!(values(&regions, "regionName"), ["ap-southeast-1", "eu-west-1", "us-east-1"]);
    world.region = "mars-1";
    assert_eq!(world.code("Action=DescribeInstances"), "InvalidRegion");
    world.region = "eu-west-1";
    assert_eq!(values(&world.ec2(form).unwrap(), "instanceId"), ["i-0bbbbbbbbbbbbbbb1"]);
    world.account = "222222222222";
    assert!(values(&world.ec2(form).unwrap(), "instanceId").is_empty());
}

/// EC2 API Reference, "AttachVolume", "DetachVolume" and "DeleteVolume".
#[test]
fn a_volume_lives_from_a_snapshot_to_its_deletion() {
    let world = World::new();
    let id = world.snapshot(DATA);
    assert_eq!(world.code("Action=CreateVolume&AvailabilityZone=eu-west-1a&Size=1"), "InvalidZone.NotFound");
    let made = world.ec2(&format!("Action=CreateVolume&AvailabilityZone=us-east-1a&SnapshotId={id}")).unwrap();
    let volume = value(&made, "volumeId");
    assert_eq!(value(&made, "size"), "1");
    let attach = |device: &str| format!("Action=AttachVolume&VolumeId={volume}&InstanceId={SHOP}&Device={device}");
    assert_eq!(world.code(&attach("/dev/sdf")), "InvalidParameterValue");
    world.ec2(&attach("/dev/sdg")).unwrap();
    assert_eq!(world.code(&attach("/dev/sdh")), "VolumeInUse");
    assert_eq!(world.code(&format!("Action=DeleteVolume&VolumeId={volume}")), "VolumeInUse");
    world.ec2(&format!("Action=DetachVolume&VolumeId={volume}")).unwrap();
    world.ec2(&format!("Action=DeleteVolume&VolumeId={volume}")).unwrap();
    assert_eq!(world.code(&format!("Action=DescribeVolumes&VolumeId.1={volume}")), "InvalidVolume.NotFound");
}

/// EC2 API Reference, "RunInstances" and "TerminateInstances": pending, running, shutting-down, terminated, and gone.
#[test]
fn an_instance_comes_and_goes_by_the_clock() {
    let world = World::new().with(|settings| settings.instance_ms = 30_000);
    world.ec2("Action=CreateKeyPair&KeyName=k").unwrap();
    let group = value(&world.ec2("Action=CreateSecurityGroup&GroupName=g&GroupDescription=d").unwrap(), "groupId");
    let run = "Action=RunInstances&ImageId=ami-00000000000000001&MinCount=1&MaxCount=1";
    assert_eq!(world.code(&format!("{run}&KeyName=other")), "InvalidKeyPair.NotFound");
    let made = world.ec2(&format!("{run}&KeyName=k&SecurityGroupId.1={group}")).unwrap();
    let id = value(&made, "instanceId");
    let state = || {
        let found = world.ec2(&format!("Action=DescribeInstances&InstanceId.1={id}")).unwrap();
        (value(&found, "name"), values(&found, "ipAddress").len())
    };
    assert_eq!(state(), ("pending".to_owned(), 0));
    world.pass(30);
    assert_eq!(state(), ("running".to_owned(), 1));
    assert_eq!(world.code(&format!("Action=DeleteSecurityGroup&GroupId={group}")), "DependencyViolation");
    world.ec2(&format!("Action=TerminateInstances&InstanceId.1={id}")).unwrap();
    assert_eq!(state().0, "shutting-down");
    world.pass(30);
    assert_eq!(state().0, "terminated");
    world.ec2(&format!("Action=DeleteSecurityGroup&GroupId={group}")).unwrap();
    world.pass(3600);
    assert_eq!(world.code(&format!("Action=DescribeInstances&InstanceId.1={id}")), "InvalidInstanceID.NotFound");
}

/// EC2 API Reference, "CreateKeyPair": the private key is a real one, and only its maker ever sees it.
#[test]
fn keys_are_real() {
    let world = World::new();
    let made = world.ec2("Action=CreateKeyPair&KeyName=k").unwrap();
    assert!(value(&made, "keyMaterial").starts_with("-----BEGIN OPENSSH PRIVATE KEY-----"));
    assert_eq!(world.code("Action=CreateKeyPair&KeyName=k"), "InvalidKeyPair.Duplicate");
    assert!(!world.ec2("Action=DescribeKeyPairs").unwrap().contains("keyMaterial"));
    world.ec2("Action=DeleteKeyPair&KeyName=k").unwrap();
    world.ec2("Action=DeleteKeyPair&KeyName=k").unwrap();
    assert!(values(&world.ec2("Action=DescribeKeyPairs").unwrap(), "keyName").is_empty());
}

/// EC2 API Reference, "CreateTags" and "DeleteTags".
#[test]
fn tags_are_added_replaced_and_removed() {
    let world = World::new();
    let tag = |key: &str, value: &str| format!("ResourceId.1={ROOT}&Tag.1.Key={key}&Tag.1.Value={value}");
    world.ec2(&format!("Action=CreateTags&{}", tag("Name", "new"))).unwrap();
    assert_eq!(world.code(&format!("Action=CreateTags&{}", tag("aws:x", "y"))), "InvalidParameterValue");
    assert_eq!(world.code("Action=CreateTags&ResourceId.1=snap-1&Tag.1.Key=k"), "InvalidSnapshot.NotFound");
    let shown = || values(&world.ec2(&format!("Action=DescribeVolumes&VolumeId.1={ROOT}")).unwrap(), "value");
    assert_eq!(shown(), ["new"]);
    world.ec2(&format!("Action=DeleteTags&{}", tag("Name", "old"))).unwrap();
    assert_eq!(shown(), ["new"]);
    world.ec2(&format!("Action=DeleteTags&{}", tag("Name", "new"))).unwrap();
    assert!(shown().is_empty());
}

/// EC2 API Reference, "RegisterImage" and "AuthorizeSecurityGroupIngress".
#[test]
fn names_of_images_are_one_of_a_kind_and_rules_too() {
    let world = World::new();
    let id = world.snapshot(ROOT);
    let form = |name: &str| {
        format!(
            "Action=RegisterImage&Name={name}&RootDeviceName=/dev/sda1&BlockDeviceMapping.1.DeviceName=/dev/sda1\
             &BlockDeviceMapping.1.Ebs.SnapshotId={id}"
        )
    };
    assert_eq!(world.code(&form("xy")), "InvalidAMIName.Malformed");
    world.ec2(&form("shop 1")).unwrap();
    assert_eq!(world.code(&form("shop 1")), "InvalidAMIName.Duplicate");
    let mine = world.ec2("Action=DescribeImages&Owner.1=self&Filter.1.Name=name&Filter.1.Value.1=shop*").unwrap();
    assert_eq!(values(&mine, "snapshotId"), [id.as_str()]);
    let made = world.ec2("Action=CreateSecurityGroup&GroupName=g&GroupDescription=d").unwrap();
    let allow = format!(
        "Action=AuthorizeSecurityGroupIngress&GroupId={}&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=22\
         &IpPermissions.1.ToPort=22&IpPermissions.1.IpRanges.1.CidrIp=192.0.2.1/32",
        value(&made, "groupId")
    );
    world.ec2(&allow).unwrap();
    assert_eq!(world.code(&allow), "InvalidPermission.Duplicate");
}

/// EBS User Guide, "Encryption by default".
#[test]
fn encryption_by_default_is_told() {
    let world = World::new();
    let told = || value(&world.ec2("Action=GetEbsEncryptionByDefault").unwrap(), "ebsEncryptionByDefault");
    assert_eq!(told(), "false");
    world.services.with(|state| state.regions.get_mut("us-east-1").unwrap().encryption_by_default = true);
    assert_eq!(told(), "true");
}
