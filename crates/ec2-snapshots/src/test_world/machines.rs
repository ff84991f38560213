//! Things for a while in memory: what is removed, in the order that EC2 allows it.

use async_trait::async_trait;

use super::cloud::{MemoryRegion, page, tagged};
use crate::model::{InstanceId, InstanceState, Region, Tags, VolumeId, VolumeState};
use crate::ports::{CallResult, CreateVolume, Fault, Filter, Group, KeyPair, Machines, Page, Query, RunInstance};

#[async_trait]
impl Machines for MemoryRegion {
    fn region(&self) -> &Region {
        &self.name
    }

    async fn run_instance(&self, _: &RunInstance) -> CallResult<InstanceId> {
        unreachable!("nothing is started in memory")
    }

    async fn terminate(&self, instance: &InstanceId) -> CallResult<()> {
        let (mut world, _) = self.call("ec2:TerminateInstances", instance.as_str())?;
        match world.instances.iter_mut().find(|own| own.id == *instance) {
            Some(own) => own.state = InstanceState::Terminated,
            None => return Err(self.error("ec2:TerminateInstances", Fault::Missing, "InvalidInstanceID.NotFound")),
        }
        for volume in &mut world.volumes {
            volume.attachments.retain(|own| own.instance != *instance);
        }
        Ok(())
    }

    async fn console(&self, _: &InstanceId) -> CallResult<String> {
        unreachable!("nothing is started in memory")
    }

    async fn create_volume(&self, _: &CreateVolume) -> CallResult<VolumeId> {
        unreachable!("no volumes are made in memory")
    }

    async fn attach(&self, _: &VolumeId, _: &InstanceId, _: &str) -> CallResult<()> {
        unreachable!("nothing is attached in memory")
    }

    async fn detach(&self, volume: &VolumeId, force: bool) -> CallResult<()> {
        let (mut world, _) = self.call("ec2:DetachVolume", volume.as_str())?;
        // One that is mounted stays until it is taken away by force.
        if let Some(own) = world.volumes.iter_mut().find(|own| own.id == *volume && force) {
            own.attachments.clear();
        }
        Ok(())
    }

    async fn delete_volume(&self, volume: &VolumeId) -> CallResult<()> {
        let (mut world, _) = self.call("ec2:DeleteVolume", volume.as_str())?;
        match world.volumes.iter_mut().find(|own| own.id == *volume) {
            Some(own) if own.attachments.is_empty() => own.state = VolumeState::Deleted,
            Some(_) => return Err(self.error("ec2:DeleteVolume", Fault::Refused, "VolumeInUse")),
            None => return Err(self.error("ec2:DeleteVolume", Fault::Missing, "InvalidVolume.NotFound")),
        }
        Ok(())
    }

    async fn import_key(&self, _: &str, _: &str, _: &Tags) -> CallResult<()> {
        unreachable!("no keys are made in memory")
    }

    async fn delete_key(&self, name: &str) -> CallResult<()> {
        let (mut world, _) = self.call("ec2:DeleteKeyPair", name)?;
        world.keys.retain(|own| own.name != name);
        Ok(())
    }

    async fn keys(&self, filters: &[Filter]) -> CallResult<Vec<KeyPair>> {
        let (world, _) = self.call("ec2:DescribeKeyPairs", "")?;
        Ok(world.keys.iter().filter(|own| tagged(filters, &own.tags)).cloned().collect())
    }

    async fn create_group(&self, _: &str, _: &Tags) -> CallResult<String> {
        unreachable!("no groups are made in memory")
    }

    async fn allow_ssh(&self, _: &str, _: &str) -> CallResult<()> {
        unreachable!("no groups are made in memory")
    }

    async fn delete_group(&self, group: &str) -> CallResult<()> {
        let (mut world, _) = self.call("ec2:DeleteSecurityGroup", group)?;
        if world.instances.iter().any(|own| own.state != InstanceState::Terminated) {
            return Err(self.error("ec2:DeleteSecurityGroup", Fault::Refused, "DependencyViolation"));
        }
        world.groups.retain(|own| own.id != group);
        Ok(())
    }

    async fn groups(&self, query: &Query) -> CallResult<Page<Group>> {
        let (world, _) = self.call("ec2:DescribeSecurityGroups", "")?;
        Ok(page(world.groups.iter().filter(|own| tagged(&query.filters, &own.tags)).cloned().collect()))
    }

    async fn tag_all(&self, resources: &[String], tags: &Tags) -> CallResult<()> {
        let (mut world, _) = self.call("ec2:CreateTags", &resources.join(" "))?;
        for volume in world.volumes.iter_mut().filter(|own| resources.iter().any(|id| id == own.id.as_str())) {
            volume.tags.extend(tags.iter());
        }
        Ok(())
    }
}
