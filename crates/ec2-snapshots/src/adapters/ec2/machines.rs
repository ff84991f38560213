//! Volumes and instances for a while: every request.

use async_trait::async_trait;
use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::{
    InstanceType, IpPermission, IpRange, ResourceType, SecurityGroup, ShutdownBehavior, VolumeType,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::failure::failed;
use super::read;
use super::region::{AwsRegion, filters, ids, page_size, sdk_tags, specification};
use crate::model::{InstanceId, Region, Tags, VolumeId};
use crate::ports::{CallResult, CreateVolume, Filter, Group, KeyPair, Machines, Page, Query, RunInstance};

/// What the console shows of a security group.
const GROUP_DESCRIPTION: &str = "Temporary, of lastgood ec2 replicate";

const SSH_PORT: i32 = 22;

#[async_trait]
impl Machines for AwsRegion {
    fn region(&self) -> &Region {
        &self.name
    }

    async fn run_instance(&self, request: &RunInstance) -> CallResult<InstanceId> {
        const ACTION: &str = "ec2:RunInstances";
        let tags = [ResourceType::Instance, ResourceType::Volume].map(|kind| specification(kind, &request.tags));
        let answer = self
            .client
            .run_instances()
            .image_id(&request.image)
            .instance_type(InstanceType::from(request.instance_type.as_str()))
            .min_count(1)
            .max_count(1)
            .key_name(&request.key)
            .security_group_ids(&request.group)
            .user_data(STANDARD.encode(&request.user_data))
            .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
            .set_tag_specifications(Some(tags.into_iter().flatten().flatten().collect()))
            .client_token(&request.client_token)
            .send()
            .await
            .map_err(|error| failed(ACTION, &self.name, &error))?;
        let id = answer.instances().first().and_then(|instance| instance.instance_id());
        id.map(InstanceId::new).ok_or_else(|| self.unreadable(ACTION))
    }

    async fn terminate(&self, instance: &InstanceId) -> CallResult<()> {
        let ended = self.client.terminate_instances().instance_ids(instance.as_str()).send().await;
        ended.map(|_| ()).map_err(|error| failed("ec2:TerminateInstances", &self.name, &error))
    }

    async fn console(&self, instance: &InstanceId) -> CallResult<String> {
        let answer = self.client.get_console_output().instance_id(instance.as_str()).latest(true).send().await;
        let answer = answer.map_err(|error| failed("ec2:GetConsoleOutput", &self.name, &error))?;
        let bytes = answer.output().and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn create_volume(&self, request: &CreateVolume) -> CallResult<VolumeId> {
        const ACTION: &str = "ec2:CreateVolume";
        let answer = self
            .client
            .create_volume()
            .availability_zone(&request.zone)
            .set_size(i32::try_from(request.size_gib).ok())
            .set_snapshot_id(request.snapshot.as_ref().map(ToString::to_string))
            .volume_type(VolumeType::Gp3)
            .set_encrypted(request.encrypted.then_some(true))
            .set_kms_key_id(request.kms_key.clone())
            .set_tag_specifications(specification(ResourceType::Volume, &request.tags))
            .client_token(&request.client_token)
            .send()
            .await
            .map_err(|error| failed(ACTION, &self.name, &error))?;
        answer.volume_id().map(VolumeId::new).ok_or_else(|| self.unreadable(ACTION))
    }

    async fn attach(&self, volume: &VolumeId, instance: &InstanceId, device: &str) -> CallResult<()> {
        let request = self.client.attach_volume().volume_id(volume.as_str()).instance_id(instance.as_str());
        let attached = request.device(device).send().await;
        attached.map(|_| ()).map_err(|error| failed("ec2:AttachVolume", &self.name, &error))
    }

    async fn detach(&self, volume: &VolumeId, force: bool) -> CallResult<()> {
        let request = self.client.detach_volume().volume_id(volume.as_str()).set_force(force.then_some(true));
        request.send().await.map(|_| ()).map_err(|error| failed("ec2:DetachVolume", &self.name, &error))
    }

    async fn delete_volume(&self, volume: &VolumeId) -> CallResult<()> {
        let deleted = self.client.delete_volume().volume_id(volume.as_str()).send().await;
        deleted.map(|_| ()).map_err(|error| failed("ec2:DeleteVolume", &self.name, &error))
    }

    async fn import_key(&self, name: &str, public_key: &str, tags: &Tags) -> CallResult<()> {
        let request = self.client.import_key_pair().key_name(name).public_key_material(Blob::new(public_key));
        let imported = request.set_tag_specifications(specification(ResourceType::KeyPair, tags)).send().await;
        imported.map(|_| ()).map_err(|error| failed("ec2:ImportKeyPair", &self.name, &error))
    }

    async fn delete_key(&self, name: &str) -> CallResult<()> {
        let deleted = self.client.delete_key_pair().key_name(name).send().await;
        deleted.map(|_| ()).map_err(|error| failed("ec2:DeleteKeyPair", &self.name, &error))
    }

    async fn keys(&self, asked: &[Filter]) -> CallResult<Vec<KeyPair>> {
        let query = Query::filtered(asked.to_vec());
        let answer = self.client.describe_key_pairs().set_filters(filters(&query)).send().await;
        let answer = answer.map_err(|error| failed("ec2:DescribeKeyPairs", &self.name, &error))?;
        let pairs = answer.key_pairs().iter();
        let pairs =
            pairs.filter_map(|pair| Some(KeyPair { name: pair.key_name()?.to_owned(), tags: read::tags(pair.tags()) }));
        Ok(pairs.collect())
    }

    async fn create_group(&self, name: &str, tags: &Tags) -> CallResult<String> {
        const ACTION: &str = "ec2:CreateSecurityGroup";
        let request = self.client.create_security_group().group_name(name).description(GROUP_DESCRIPTION);
        let made = request.set_tag_specifications(specification(ResourceType::SecurityGroup, tags)).send().await;
        let made = made.map_err(|error| failed(ACTION, &self.name, &error))?;
        made.group_id().map(str::to_owned).ok_or_else(|| self.unreadable(ACTION))
    }

    async fn allow_ssh(&self, group: &str, network: &str) -> CallResult<()> {
        let range = IpRange::builder().cidr_ip(network).build();
        let permission = IpPermission::builder().ip_protocol("tcp").from_port(SSH_PORT).to_port(SSH_PORT);
        let request = self.client.authorize_security_group_ingress().group_id(group);
        let allowed = request.ip_permissions(permission.ip_ranges(range).build()).send().await;
        allowed.map(|_| ()).map_err(|error| failed("ec2:AuthorizeSecurityGroupIngress", &self.name, &error))
    }

    async fn delete_group(&self, group: &str) -> CallResult<()> {
        let deleted = self.client.delete_security_group().group_id(group).send().await;
        deleted.map(|_| ()).map_err(|error| failed("ec2:DeleteSecurityGroup", &self.name, &error))
    }

    async fn groups(&self, query: &Query) -> CallResult<Page<Group>> {
        let answer = self
            .client
            .describe_security_groups()
            .set_max_results(page_size(query))
            .set_group_ids(ids(query))
            .set_filters(filters(query))
            .set_next_token(query.token.clone())
            .send()
            .await
            .map_err(|error| failed("ec2:DescribeSecurityGroups", &self.name, &error))?;
        let group =
            |group: &SecurityGroup| Some(Group { id: group.group_id()?.to_owned(), tags: read::tags(group.tags()) });
        Ok(Page::new(answer.security_groups().iter().filter_map(group).collect(), answer.next_token))
    }

    async fn tag_all(&self, resources: &[String], tags: &Tags) -> CallResult<()> {
        let request = self.client.create_tags().set_resources(Some(resources.to_vec()));
        let set = request.set_tags(Some(sdk_tags(tags))).send().await;
        set.map(|_| ()).map_err(|error| failed("ec2:CreateTags", &self.name, &error))
    }
}
