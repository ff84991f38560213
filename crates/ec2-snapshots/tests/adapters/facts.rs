//! The same calls to any server that speaks EC2's language, and what a client understands of the answers.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{
    BlockDeviceMapping, CreateVolumePermission, CreateVolumePermissionModifications, EbsBlockDevice, Filter,
    InstanceType, IpPermission, IpRange, ResourceType, SnapshotAttributeName, Tag, TagSpecification,
};
use backup_core::aws::Settings;

/// What was understood, one line each.
#[derive(Debug, Default)]
struct Facts(Vec<String>);

impl Facts {
    fn note(&mut self, what: &str, value: impl std::fmt::Debug) {
        self.0.push(format!("{what}: {value:?}"));
    }
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

fn tags(kind: ResourceType, name: &str, value: &str) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).tags(Tag::builder().key(name).value(value).build()).build()
}

fn shown(tags: &[Tag]) -> Vec<String> {
    let mut tags: Vec<String> =
        tags.iter().map(|tag| format!("{}={}", tag.key().unwrap_or("?"), tag.value().unwrap_or("?"))).collect();
    tags.sort();
    tags
}

fn code<T, E: ProvideErrorMetadata, R>(result: Result<T, SdkError<E, R>>) -> String {
    match result {
        Ok(_) => "no error".to_owned(),
        Err(error) => error.code().unwrap_or("no code").to_owned(),
    }
}

fn prefix(id: Option<&str>) -> String {
    id.and_then(|id| id.split_once('-')).map_or("?", |(prefix, _)| prefix).to_owned()
}

/// Everything that is understood of a server in which the image `image` can be started.
pub(crate) async fn facts(settings: &Settings, image: &str) -> Vec<String> {
    let here = Client::new(settings.sdk());
    let there = Client::new(settings.in_region("eu-west-1").sdk());
    let mut facts = Facts::default();
    let (instance, volume) = instances(&here, &mut facts, image).await;
    let snapshot = snapshots(&here, &mut facts, &volume).await;
    filters(&here, &mut facts, &snapshot, &volume).await;
    tagging(&here, &mut facts, &snapshot).await;
    copies(&there, &mut facts, &snapshot).await;
    volumes(&here, &mut facts, &snapshot, &instance).await;
    access(&here, &mut facts).await;
    sharing(&here, &mut facts, &snapshot).await;
    images(&here, &mut facts, &snapshot).await;
    errors(&here, &mut facts, &snapshot, &volume).await;
    facts.0
}

async fn instances(client: &Client, facts: &mut Facts, image: &str) -> (String, String) {
    let run = client
        .run_instances()
        .image_id(image)
        .min_count(1)
        .max_count(1)
        .instance_type(InstanceType::T3Micro)
        .tag_specifications(tags(ResourceType::Instance, "Earmarking", "facts"))
        .send()
        .await
        .unwrap();
    let id = run.instances()[0].instance_id().unwrap().to_owned();
    facts.note("an instance has an id", prefix(Some(&id)));
    let found = client.describe_instances().filters(filter("tag:Earmarking", "facts")).send().await.unwrap();
    let all: Vec<_> = found.reservations().iter().flat_map(|reservation| reservation.instances()).collect();
    facts.note("instances by tag", all.iter().map(|own| shown(own.tags())).collect::<Vec<_>>());
    let own = all[0];
    facts.note("state", own.state().and_then(|state| state.name()).map(|name| name.as_str().to_owned()));
    facts.note("zone", own.placement().and_then(|placement| placement.availability_zone()).is_some());
    facts.note("launched", own.launch_time().is_some());
    let root = own.root_device_name().unwrap().to_owned();
    let device = own.block_device_mappings().iter().find(|device| device.device_name() == Some(&root)).unwrap();
    let ebs = device.ebs().unwrap();
    facts.note("root device", (ebs.status().map(|status| status.as_str().to_owned()), ebs.delete_on_termination()));
    let volume = ebs.volume_id().unwrap().to_owned();
    let attached = client.describe_volumes().filters(filter("attachment.instance-id", &id)).send().await.unwrap();
    let attached = attached.volumes();
    facts.note("volumes of the instance", attached.len());
    let state = attached[0].state().map(|state| state.as_str().to_owned());
    let attachment = attached[0].attachments()[0].state().map(|state| state.as_str().to_owned());
    facts.note("their state", (state, attachment, attached[0].create_time().is_some(), attached[0].encrypted()));
    (id, volume)
}

async fn snapshots(client: &Client, facts: &mut Facts, volume: &str) -> String {
    let made = client
        .create_snapshot()
        .volume_id(volume)
        .description("a <description> & more")
        .tag_specifications(tags(ResourceType::Snapshot, "k", "v ü"))
        .send()
        .await
        .unwrap();
    facts.note("a snapshot has an id", prefix(made.snapshot_id()));
    facts.note("its tags", shown(made.tags()));
    facts.note("its description", made.description());
    facts.note("its owner is an account", made.owner_id().is_some_and(|id| id.len() == 12));
    facts.note("its volume", made.volume_id() == Some(volume));
    facts.note("its size and start", (made.volume_size().is_some(), made.start_time().is_some()));
    let id = made.snapshot_id().unwrap().to_owned();
    let found = client.describe_snapshots().snapshot_ids(&id).send().await.unwrap();
    let own = &found.snapshots()[0];
    facts.note("described", (own.state().map(|state| state.as_str().to_owned()), own.progress(), own.encrypted()));
    facts.note("with", (own.description(), shown(own.tags())));
    id
}

async fn filters(client: &Client, facts: &mut Facts, snapshot: &str, volume: &str) {
    for (name, value) in [
        ("tag:k", "v ü"),
        ("tag:k", "v*"),
        ("tag:k", "w"),
        ("tag-key", "k"),
        ("status", "completed"),
        ("status", "error"),
        ("volume-id", volume),
        ("snapshot-id", snapshot),
        ("description", "a*more"),
    ] {
        let found = client.describe_snapshots().owner_ids("self").filters(filter(name, value)).send().await.unwrap();
        let value = if [volume, snapshot].contains(&value) { "its own" } else { value };
        facts.note(&format!("snapshots by {name} {value}"), found.snapshots().len());
    }
}

async fn tagging(client: &Client, facts: &mut Facts, snapshot: &str) {
    let tag = |name: &str, value: &str| Tag::builder().key(name).value(value).build();
    client.create_tags().resources(snapshot).tags(tag("a", "1")).tags(tag("b", "2")).send().await.unwrap();
    client.delete_tags().resources(snapshot).tags(tag("a", "1")).send().await.unwrap();
    let found = client.describe_snapshots().snapshot_ids(snapshot).send().await.unwrap();
    facts.note("tags after changes", shown(found.snapshots()[0].tags()));
}

async fn copies(client: &Client, facts: &mut Facts, snapshot: &str) {
    let copy = client
        .copy_snapshot()
        .source_region("us-east-1")
        .source_snapshot_id(snapshot)
        .description("copy")
        .tag_specifications(tags(ResourceType::Snapshot, "src", "x"))
        .send()
        .await
        .unwrap();
    let id = copy.snapshot_id().unwrap();
    facts.note("a copy is another snapshot", (prefix(Some(id)), id != snapshot));
    let found = client.describe_snapshots().snapshot_ids(id).send().await.unwrap();
    facts.note("the copy", (found.snapshots()[0].description(), shown(found.snapshots()[0].tags())));
    client.delete_snapshot().snapshot_id(id).send().await.unwrap();
    facts.note("after deletion", code(client.describe_snapshots().snapshot_ids(id).send().await));
}

async fn volumes(client: &Client, facts: &mut Facts, snapshot: &str, instance: &str) {
    let made = client.create_volume().availability_zone("us-east-1a").snapshot_id(snapshot).send().await.unwrap();
    let id = made.volume_id().unwrap();
    facts.note(
        "a volume of a snapshot",
        (prefix(Some(id)), made.snapshot_id() == Some(snapshot), made.size().is_some()),
    );
    let attached = client.attach_volume().volume_id(id).instance_id(instance).device("/dev/sdf").send().await.unwrap();
    facts.note("attached", (attached.device(), attached.instance_id() == Some(instance)));
    facts.note("deleting it in use", code(client.delete_volume().volume_id(id).send().await));
    // moto fails without the latter two.
    let detached = client.detach_volume().volume_id(id).instance_id(instance).device("/dev/sdf").send().await.unwrap();
    facts.note("detached", detached.volume_id() == Some(id));
    client.delete_volume().volume_id(id).send().await.unwrap();
    facts.note("a volume that is gone", code(client.describe_volumes().volume_ids(id).send().await));
}

async fn access(client: &Client, facts: &mut Facts) {
    let key = client.create_key_pair().key_name("facts").send().await.unwrap();
    facts.note("a key", (key.key_name(), key.key_material().is_some_and(|text| text.contains("PRIVATE KEY"))));
    facts.note("the same again", code(client.create_key_pair().key_name("facts").send().await));
    client.delete_key_pair().key_name("facts").send().await.unwrap();
    let group = client.create_security_group().group_name("facts").description("d").send().await.unwrap();
    let id = group.group_id().unwrap();
    facts.note("a group", prefix(Some(id)));
    let range = IpRange::builder().cidr_ip("192.0.2.1/32").build();
    let rule = IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22).ip_ranges(range).build();
    client.authorize_security_group_ingress().group_id(id).ip_permissions(rule.clone()).send().await.unwrap();
    let again = client.authorize_security_group_ingress().group_id(id).ip_permissions(rule).send().await;
    facts.note("the same rule again", code(again));
    let found = client.describe_security_groups().group_ids(id).send().await.unwrap();
    let rule = &found.security_groups()[0].ip_permissions()[0];
    let range = rule.ip_ranges()[0].cidr_ip();
    facts.note("its rule", (rule.ip_protocol(), rule.from_port(), rule.to_port(), range));
    client.delete_security_group().group_id(id).send().await.unwrap();
    facts.note("a group that is gone", code(client.describe_security_groups().group_ids(id).send().await));
}

async fn sharing(client: &Client, facts: &mut Facts, snapshot: &str) {
    let permission = CreateVolumePermission::builder().user_id("222222222222").build();
    client
        .modify_snapshot_attribute()
        .snapshot_id(snapshot)
        .attribute(SnapshotAttributeName::CreateVolumePermission)
        .create_volume_permission(CreateVolumePermissionModifications::builder().add(permission).build())
        .send()
        .await
        .unwrap();
    let shown = client
        .describe_snapshot_attribute()
        .snapshot_id(snapshot)
        .attribute(SnapshotAttributeName::CreateVolumePermission)
        .send()
        .await
        .unwrap();
    let users: Vec<_> = shown.create_volume_permissions().iter().map(|own| own.user_id()).collect();
    facts.note("shared with", users);
}

async fn images(client: &Client, facts: &mut Facts, snapshot: &str) {
    let device = BlockDeviceMapping::builder()
        .device_name("/dev/sda1")
        .ebs(EbsBlockDevice::builder().snapshot_id(snapshot).build())
        .build();
    let made = client
        .register_image()
        .name("facts")
        .description("d")
        .root_device_name("/dev/sda1")
        .virtualization_type("hvm")
        .block_device_mappings(device)
        .send()
        .await
        .unwrap();
    let id = made.image_id().unwrap();
    facts.note("an image", prefix(Some(id)));
    let found = client.describe_images().image_ids(id).send().await.unwrap();
    let own = &found.images()[0];
    facts.note("described", (own.name(), own.state().map(|state| state.as_str().to_owned()), own.root_device_name()));
    client.deregister_image().image_id(id).send().await.unwrap();
}

async fn errors(client: &Client, facts: &mut Facts, snapshot: &str, volume: &str) {
    let missing = client.describe_instances().instance_ids("i-00000000000000001").send().await;
    facts.note("a missing instance", code(missing));
    let dry = client.create_snapshot().volume_id(volume).dry_run(true).send().await;
    facts.note("a dry run", code(dry));
    let default = client.get_ebs_encryption_by_default().send().await.unwrap();
    facts.note("encryption by default", default.ebs_encryption_by_default());
    let regions = client.describe_regions().send().await.unwrap();
    let has = |name: &str| regions.regions().iter().any(|region| region.region_name() == Some(name));
    facts.note("regions", ["us-east-1", "eu-west-1", "ap-southeast-1"].map(has));
    client.delete_snapshot().snapshot_id(snapshot).send().await.unwrap();
    facts.note("deleted twice", code(client.delete_snapshot().snapshot_id(snapshot).send().await));
}
