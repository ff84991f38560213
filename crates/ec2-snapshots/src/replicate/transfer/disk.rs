//! Volumes for a while: made, attached, detached.

use std::time::Duration;

use super::host::Host;
use super::session::Session;
use super::wait;
use crate::ask;
use crate::error::{Ec2Error, Ec2Result};
use crate::listing;
use crate::model::{Region, Volume, VolumeId, VolumeState};
use crate::ports::{CreateVolume, Filter};
use crate::temporary::Thing;

/// How long a volume may take to be made of a snapshot, and to be attached. Both take seconds.
const READY_WITHIN: Duration = Duration::from_secs(600);

/// How long it may take to be detached, as in django-fabfile: `MINUTES_FOR_DETACH`.
const DETACHED_WITHIN: Duration = Duration::from_secs(900);

/// The last letters of device names that are recommended for volumes (EC2 User Guide, "Device names for volumes").
const LETTERS: std::ops::RangeInclusive<char> = 'f'..='p';

/// Makes a volume in the zone of `host`.
pub(super) async fn create(session: &Session<'_>, host: &Host, request: CreateVolume) -> Ec2Result<VolumeId> {
    let machines = session.cloud.machines(&host.region);
    let id = ask::again(session.run, "a volume", || machines.create_volume(&request)).await?;
    session.note(&host.region, Thing::Volume(id.clone()));
    Ok(id)
}

async fn described(session: &Session<'_>, region: &Region, id: &VolumeId) -> Ec2Result<Option<Volume>> {
    let filter = Filter::new("volume-id", [id.as_str()]);
    let found = listing::volumes(&*session.cloud.region(region), vec![filter], session.run).await?;
    Ok(found.into_iter().next())
}

async fn in_state(
    session: &Session<'_>,
    region: &Region,
    id: &VolumeId,
    wanted: VolumeState,
    limit: Duration,
) -> Ec2Result<()> {
    let what = || format!("volume {id} was not {wanted:?}").to_lowercase();
    wait::until(limit, what, session.run, || async {
        match described(session, region, id).await? {
            Some(volume) if volume.state == wanted => Ok(Some(())),
            Some(volume) if volume.state == VolumeState::Error => {
                Err(Ec2Error::Machine { what: format!("volume {id} turned out as an error in EC2") })
            }
            _ => Ok(None),
        }
    })
    .await
}

/// Waits until it can be attached.
pub(super) async fn available(session: &Session<'_>, region: &Region, id: &VolumeId) -> Ec2Result<()> {
    in_state(session, region, id, VolumeState::Available, READY_WITHIN).await
}

/// Attaches it, and says as what.
pub(super) async fn attach(session: &Session<'_>, host: &Host, id: &VolumeId) -> Ec2Result<String> {
    available(session, &host.region, id).await?;
    let machines = session.cloud.machines(&host.region);
    let instance = host.described(session).await?;
    let is_taken = |letter: char| {
        instance
            .devices
            .iter()
            .any(|device| device.name.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with(letter))
    };
    for letter in LETTERS.filter(|letter| !is_taken(*letter)) {
        let device = format!("/dev/sd{letter}");
        match ask::again(session.run, id.as_str(), || machines.attach(id, &host.instance, &device)).await {
            Ok(()) => {}
            // Another run has taken the name since.
            Err(Ec2Error::Refused { source })
                if source.is("InvalidParameterValue") && source.message.contains("in use") =>
            {
                continue;
            }
            // Ours, whose answer was lost: nobody else knows this volume.
            Err(Ec2Error::Refused { source }) if source.is("VolumeInUse") => {}
            Err(error) => return Err(error),
        }
        in_state(session, &host.region, id, VolumeState::InUse, READY_WITHIN).await?;
        let volume = described(session, &host.region, id).await?;
        let attached = volume.and_then(|volume| volume.attachments.into_iter().next());
        return Ok(attached.map_or(device, |attachment| attachment.device));
    }
    Err(Ec2Error::Machine { what: format!("instance {} has no free device name for {id}", host.instance) })
}

/// Detaches it, once it is unmounted.
pub(super) async fn detach(session: &Session<'_>, host: &Host, id: &VolumeId) -> Ec2Result<()> {
    let machines = session.cloud.machines(&host.region);
    match ask::again(session.run, id.as_str(), || machines.detach(id, false)).await {
        // After a lost answer.
        Err(Ec2Error::Refused { source }) if source.is("IncorrectState") => {}
        result => result?,
    }
    in_state(session, &host.region, id, VolumeState::Available, DETACHED_WITHIN).await
}
