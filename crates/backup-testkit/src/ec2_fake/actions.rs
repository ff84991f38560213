//! The EC2 query API: which actions there are, what they take, and what every one of them checks.

mod attributes;
mod call;
mod copy;
mod create;
mod delete;
mod describe;
mod groups;
mod images;
mod instances;
mod keys;
mod locks;
mod once;
mod regions;
mod tagging;
mod volumes;

use self::call::Call;
use super::form::Form;
use super::rules::refused;
use super::state::State;
use super::xml::Xml;
use crate::aws_fake::{ApiError, Received, Reply, Route};

type Run = fn(&mut Call<'_>) -> Result<Xml, ApiError>;

/// An action: its name, whether it changes something, the parameters that it takes beside those of all, and what it does.
struct Action(&'static str, bool, &'static [&'static str], Run);

/// Parameters that every action takes.
const COMMON: [&str; 3] = ["Action", "Version", "DryRun"];

/// Parameters that name something: what is in the log's `key`.
const IDS: [&str; 14] = [
    "InstanceId",
    "InstanceSpecification",
    "VolumeId",
    "SnapshotId",
    "SourceSnapshotId",
    "SourceRegion",
    "ImageId",
    "ResourceId",
    "KeyName",
    "GroupId",
    "GroupName",
    "Name",
    "RegionName",
    "Filter",
];

const READ: bool = false;
const WRITE: bool = true;

#[rustfmt::skip]
const ACTIONS: &[Action] = &[
    Action("DescribeRegions", READ, &["RegionName", "Filter", "AllRegions"], regions::describe),
    Action("GetEbsEncryptionByDefault", READ, &[], regions::encryption_by_default),
    Action("DescribeInstances", READ, &["InstanceId", "Filter", "MaxResults", "NextToken"], instances::describe),
    Action("RunInstances", WRITE, &["ImageId", "MinCount", "MaxCount", "InstanceType", "KeyName", "SecurityGroupId", "SubnetId",
        "BlockDeviceMapping", "TagSpecification", "ClientToken", "Placement", "UserData", "InstanceInitiatedShutdownBehavior"],
        instances::run),
    Action("GetConsoleOutput", READ, &["InstanceId", "Latest"], instances::console),
    Action("TerminateInstances", WRITE, &["InstanceId"], instances::terminate),
    Action("DescribeVolumes", READ, &["VolumeId", "Filter", "MaxResults", "NextToken"], volumes::describe),
    Action("CreateVolume", WRITE, &["AvailabilityZone", "Size", "SnapshotId", "VolumeType", "Encrypted", "KmsKeyId",
        "TagSpecification", "ClientToken"], volumes::create),
    Action("AttachVolume", WRITE, &["VolumeId", "InstanceId", "Device"], volumes::attach),
    Action("DetachVolume", WRITE, &["VolumeId", "InstanceId", "Device", "Force"], volumes::detach),
    Action("DeleteVolume", WRITE, &["VolumeId"], volumes::delete),
    Action("DescribeSnapshots", READ, &["SnapshotId", "OwnerId", "Owner", "RestorableBy", "Filter", "MaxResults", "NextToken"],
        describe::describe),
    Action("DescribeSnapshotTierStatus", READ, &["Filter", "MaxResults", "NextToken"], describe::tiers),
    Action("CreateSnapshot", WRITE, &["VolumeId", "Description", "TagSpecification"], create::one),
    Action("CreateSnapshots", WRITE, &["InstanceSpecification", "Description", "TagSpecification", "CopyTagsFromSource"],
        create::set),
    Action("CopySnapshot", WRITE, &["SourceRegion", "SourceSnapshotId", "Description", "DestinationRegion", "PresignedUrl",
        "Encrypted", "KmsKeyId", "TagSpecification", "CompletionDurationMinutes"], copy::copy),
    Action("DeleteSnapshot", WRITE, &["SnapshotId"], delete::delete),
    Action("ListSnapshotsInRecycleBin", READ, &["SnapshotId", "MaxResults", "NextToken"], delete::bin),
    Action("RestoreSnapshotFromRecycleBin", WRITE, &["SnapshotId"], delete::restore),
    Action("DescribeSnapshotAttribute", READ, &["SnapshotId", "Attribute"], attributes::describe),
    Action("ModifySnapshotAttribute", WRITE, &["SnapshotId", "Attribute", "OperationType", "UserId", "UserGroup",
        "CreateVolumePermission"], attributes::modify),
    Action("LockSnapshot", WRITE, &["SnapshotId", "LockMode", "LockDuration", "ExpirationDate", "CoolOffPeriod"], locks::lock),
    Action("UnlockSnapshot", WRITE, &["SnapshotId"], locks::unlock),
    Action("DescribeLockedSnapshots", READ, &["SnapshotId", "Filter", "MaxResults", "NextToken"], locks::describe),
    Action("CreateTags", WRITE, &["ResourceId", "Tag"], tagging::create),
    Action("DeleteTags", WRITE, &["ResourceId", "Tag"], tagging::delete),
    Action("RegisterImage", WRITE, &["Name", "Description", "Architecture", "RootDeviceName", "VirtualizationType", "EnaSupport",
        "BlockDeviceMapping", "TagSpecification", "BootMode"], images::register),
    Action(
        "DescribeImages",
        READ,
        &["ImageId", "Owner", "Filter", "MaxResults", "NextToken", "IncludeDeprecated", "IncludeDisabled"],
        images::describe,
    ),
    Action("DeregisterImage", WRITE, &["ImageId"], images::deregister),
    Action("CreateKeyPair", WRITE, &["KeyName", "KeyType", "KeyFormat", "TagSpecification"], keys::create),
    Action("ImportKeyPair", WRITE, &["KeyName", "PublicKeyMaterial", "TagSpecification"], keys::import),
    Action("DeleteKeyPair", WRITE, &["KeyName", "KeyPairId"], keys::delete),
    Action("DescribeKeyPairs", READ, &["KeyName", "Filter"], keys::describe),
    Action("CreateSecurityGroup", WRITE, &["GroupName", "GroupDescription", "VpcId", "TagSpecification"], groups::create),
    Action("AuthorizeSecurityGroupIngress", WRITE, &["GroupId", "IpPermissions", "TagSpecification"], groups::authorize),
    Action("DeleteSecurityGroup", WRITE, &["GroupId"], groups::delete),
    Action("DescribeSecurityGroups", READ, &["GroupId", "GroupName", "Filter", "MaxResults", "NextToken"], groups::describe),
];

fn action(name: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|action| action.0 == name)
}

/// Which action the form asks for, and what it is about.
pub(super) fn route(received: &Received) -> Route {
    let form = Form::read(&received.body);
    let op = form.get("Action").unwrap_or("none").to_owned();
    let ids: Vec<&str> = form
        .fields()
        .filter(|(name, _)| IDS.contains(&name.split('.').next().unwrap_or(name)))
        .map(|(_, value)| value)
        .collect();
    Route {
        mutating: action(&op).is_some_and(|action| action.1),
        dry_run: form.get("DryRun") == Some("true"),
        key: ids.join(" "),
        op,
    }
}

/// Whether the request tags what it makes.
pub(super) fn has_tags(received: &Received) -> bool {
    let form = Form::read(&received.body);
    form.roots().any(|root| root == "TagSpecification") || form.get("CopyTagsFromSource").is_some()
}

/// Whether the image is named by a parameter of Systems Manager, which the caller must be allowed to read (EC2 User Guide,
/// "Reference AMIs using Systems Manager parameters").
pub(super) fn names_a_parameter(received: &Received) -> bool {
    Form::read(&received.body).get("ImageId").is_some_and(|image| image.starts_with(instances::PARAMETER))
}

/// Does it. What a request may contain is checked before anything is changed.
pub(super) fn handle(state: &mut State, received: &Received) -> Result<Reply, ApiError> {
    let form = Form::read(&received.body);
    let name = form.get("Action").unwrap_or_default();
    let Some(Action(name, _, parameters, run)) = action(name) else {
        return Err(refused("InvalidAction", format!("The action {name} is not valid for this web service.")));
    };
    if let Some(unknown) = form.roots().find(|root| !COMMON.contains(root) && !parameters.contains(root)) {
        let text = format!("The parameter {unknown} is not recognized");
        return Err(refused("UnknownParameter", text));
    }
    state.region(&received.caller.region)?;
    if form.flag("DryRun")? {
        let text = "Request would have succeeded, but DryRun flag is set.";
        return Err(ApiError::new(412, "DryRunOperation", text));
    }
    let mut call = Call { state, form: &form, received, now: received.now };
    run(&mut call).map(|xml| xml.answer(name))
}
