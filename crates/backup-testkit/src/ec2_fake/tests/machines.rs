//! Instances and volumes for a while: tokens, images by parameter, the console, key pairs by tag, and what stands behind.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::ec2_fake::content::{Block, Content};
use crate::ec2_fake::hardware::{Disk, Hardware};

const RUN: &str = "Action=RunInstances&ImageId=ami-00000000000000001&MinCount=1&MaxCount=1";

/// EC2 Developer Guide, "Ensuring idempotency in Amazon EC2 API requests".
#[test]
fn the_same_token_makes_the_same_thing_and_no_other() {
    let world = World::new();
    let volume = "Action=CreateVolume&AvailabilityZone=us-east-1a&ClientToken=t";
    for (form, id) in [(format!("{RUN}&ClientToken=t"), "instanceId"), (format!("{volume}&Size=1"), "volumeId")] {
        let first = value(&world.ec2(&form).unwrap(), id);
        assert_eq!(value(&world.ec2(&form).unwrap(), id), first);
    }
    assert_eq!(world.code(&format!("{volume}&Size=2")), "IdempotentParameterMismatch");
    assert_eq!(world.code(&format!("{RUN}&ClientToken=t&KeyName=k")), "IdempotentParameterMismatch");
    let count = world.services.with(|state| state.regions["us-east-1"].instances.len());
    assert_eq!(count, 3);
}

/// EC2 User Guide, "Reference AMIs using Systems Manager parameters"; "Create Amazon EBS volume": a key needs `Encrypted`.
#[test]
fn an_image_can_be_named_by_a_parameter_and_a_key_needs_encryption() {
    let world = World::new();
    let run = |parameter: &str| format!("Action=RunInstances&ImageId=resolve:ssm:{parameter}&MinCount=1&MaxCount=1");
    let latest = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";
    assert_eq!(value(&world.ec2(&run(latest)).unwrap(), "imageId"), "ami-00000000000000001");
    assert_eq!(world.code(&run("/none")), "InvalidParameterValue");
    let volume = "Action=CreateVolume&AvailabilityZone=us-east-1a&Size=1&KmsKeyId=k";
    assert_eq!(world.code(volume), "InvalidParameterDependency");
    world.ec2(&format!("{volume}&Encrypted=true")).unwrap();
}

/// EC2 API Reference, "DescribeKeyPairs", "Filters".
#[test]
fn key_pairs_are_found_by_tag() {
    let world = World::new();
    let tagged =
        "&TagSpecification.1.ResourceType=key-pair&TagSpecification.1.Tag.1.Key=run&TagSpecification.1.Tag.1.Value=a";
    world.ec2(&format!("Action=CreateKeyPair&KeyName=one{tagged}")).unwrap();
    world.ec2("Action=CreateKeyPair&KeyName=other").unwrap();
    let found = world.ec2("Action=DescribeKeyPairs&Filter.1.Name=tag-key&Filter.1.Value.1=run").unwrap();
    assert_eq!(values(&found, "keyName"), ["one"]);
    assert_eq!(world.code("Action=DescribeKeyPairs&Filter.1.Name=color&Filter.1.Value.1=x"), "InvalidParameterValue");
}

/// A machine that is only noted, with a disk that is mounted or not.
#[derive(Debug, Default)]
struct Noted {
    busy: Mutex<bool>,
    log: Mutex<Vec<String>>,
}

impl Noted {
    fn note(&self, text: String) {
        self.log.lock().unwrap().push(text);
    }
}

impl Hardware for Noted {
    fn boot(&self, _: &str, public_key: Option<&str>) -> Result<String, String> {
        self.note(format!("boot {}", public_key.is_some()));
        Ok("192.0.2.9".to_owned())
    }

    fn console(&self, _: &str) -> Option<String> {
        Some("booted".to_owned())
    }

    fn halt(&self, _: &str) {
        self.note("halt".to_owned());
    }

    fn attach(&self, volume: &Disk<'_>, _: &str, device: &str) -> Result<(), String> {
        self.note(format!("attach {device} of {} GiB", volume.size));
        Ok(())
    }

    fn detach(&self, _: &str) -> bool {
        !*self.busy.lock().unwrap()
    }

    fn content(&self, _: &str) -> Option<Content> {
        let mut content = Content::default();
        content.put(0, Block::text(b"written on the machine"));
        Some(content)
    }

    fn forget(&self, _: &str) {
        self.note("forget".to_owned());
    }
}

/// EC2 API Reference, "GetConsoleOutput" and "DetachVolume": output in Base64; a volume that is mounted stays attached.
#[test]
fn what_stands_behind_an_instance_is_started_seen_and_ended() {
    let (world, noted) = (World::new(), Arc::new(Noted::default()));
    world.services.with(|state| state.hardware = Some(noted.clone()));
    world.ec2("Action=CreateKeyPair&KeyName=k").unwrap();
    let instance = value(&world.ec2(&format!("{RUN}&KeyName=k")).unwrap(), "instanceId");
    let described = world.ec2(&format!("Action=DescribeInstances&InstanceId.1={instance}")).unwrap();
    assert_eq!(value(&described, "ipAddress"), "192.0.2.9");
    let console = world.ec2(&format!("Action=GetConsoleOutput&InstanceId={instance}&Latest=true")).unwrap();
    assert_eq!(STANDARD.decode(value(&console, "output")).unwrap(), b"booted");
    assert_eq!(world.code("Action=GetConsoleOutput&InstanceId=i-0"), "InvalidInstanceID.NotFound");
    let made = world.ec2("Action=CreateVolume&AvailabilityZone=us-east-1a&Size=2").unwrap();
    let volume = value(&made, "volumeId");
    world.ec2(&format!("Action=AttachVolume&VolumeId={volume}&InstanceId={instance}&Device=/dev/sdf")).unwrap();
    *noted.busy.lock().unwrap() = true;
    let detach = format!("Action=DetachVolume&VolumeId={volume}");
    world.ec2(&detach).unwrap();
    assert_eq!(world.code(&format!("Action=DeleteVolume&VolumeId={volume}")), "VolumeInUse");
    *noted.busy.lock().unwrap() = false;
    world.ec2(&detach).unwrap();
    let snapshot = world.snapshot(&volume);
    let blocks = world.services.with(|state| state.regions["us-east-1"].snapshots[&snapshot].content.len());
    assert_eq!(blocks, 1);
    world.ec2(&format!("Action=DeleteVolume&VolumeId={volume}")).unwrap();
    world.ec2(&format!("Action=TerminateInstances&InstanceId.1={instance}")).unwrap();
    assert_eq!(*noted.log.lock().unwrap(), ["boot true", "attach /dev/sdf of 2 GiB", "forget", "halt"]);
}
