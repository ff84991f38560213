//! CopySnapshot (EC2 API Reference, "CopySnapshot"; EBS User Guide, "Copy an Amazon EBS snapshot").

use super::call::Call;
use super::create;
use crate::aws_fake::ApiError;
use crate::ec2_fake::model::{Fate, Snapshot};
use crate::ec2_fake::rules::refused;
use crate::ec2_fake::state::ARBITRARY_VOLUME;
use crate::ec2_fake::tags;
use crate::ec2_fake::xml::Xml;

/// "from 15 minutes to 48 hours, in increments of 15 minutes" (EBS User Guide, "Time-based copies").
const DURATION_STEP: u64 = 15;
const DURATION_MAX: u64 = 2880;

pub(super) fn copy(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    tags::only_for(call.form, &["snapshot"])?;
    let (region, account) = (call.region().to_owned(), call.account().to_owned());
    let from = call.form.required("SourceRegion")?;
    let source_id = call.form.required("SourceSnapshotId")?;
    if call.form.get("DestinationRegion").is_some_and(|destination| destination != region) {
        let text = "The destination Region must be the Region that the request is sent to.";
        return Err(refused("InvalidParameterValue", text));
    }
    let minutes = duration(call)?;
    let tags = tags::specified(call.form, "snapshot")?;
    let description = create::description(call)?;
    let now = call.now;
    let source = call.state.snapshot(from, &account, source_id)?.clone();
    if !source.is_complete(now) {
        let text = format!("Snapshot '{source_id}' is not in state 'completed'; it is '{}'.", source.state(now));
        return Err(refused("IncorrectState", text));
    }
    if source.archived {
        let text = format!("Snapshot '{source_id}' is archived and must be restored before it can be copied.");
        return Err(refused("IncorrectState", text));
    }
    let key = key(call, &region, &source)?;
    let busy = pending_copies(call, &region, &account) + call.state.settings.copy_slots_taken;
    if busy >= call.state.settings.copy_slots {
        let text = format!(
            "Too many snapshot copies in progress. The limit is {} for this destination region.",
            call.state.settings.copy_slots
        );
        return Err(refused("ResourceLimitExceeded", text));
    }
    let settings = &call.state.settings;
    let usual = settings.copy_ms.saturating_add(settings.copy_ms_per_gib.saturating_mul(source.size));
    // A time-based copy takes as long as was asked for, at most.
    let pending_ms = minutes.map_or(usual, |minutes| usual.min(minutes * 60_000));
    let id = call.state.id("snap");
    let snapshot = Snapshot {
        id: id.clone(),
        owner: account,
        tags: tags.clone(),
        description,
        volume: ARBITRARY_VOLUME.to_owned(),
        start: now,
        fate: call.state.fate(&region, true, now, pending_ms),
        key,
        // A lineage of its own: ListChangedBlocks does not compare a copy with its source.
        lineage: id.clone(),
        copy: true,
        shared: std::collections::BTreeSet::new(),
        public: false,
        archived: false,
        lock: None,
        binned: None,
        direct: None,
        damaged: std::collections::BTreeSet::new(),
        ..source
    };
    call.state.region(&region)?.snapshots.insert(id.clone(), snapshot);
    let mut xml = Xml::default();
    xml.text("snapshotId", &id);
    tags::write(&mut xml, &tags);
    Ok(xml)
}

fn duration(call: &Call<'_>) -> Result<Option<u64>, ApiError> {
    let minutes = call.form.number("CompletionDurationMinutes")?;
    match minutes {
        Some(minutes) if minutes == 0 || minutes > DURATION_MAX || minutes % DURATION_STEP != 0 => {
            let text = format!(
                "Value ({minutes}) for parameter CompletionDurationMinutes is invalid. Specify a value between \
                 {DURATION_STEP} and {DURATION_MAX} in increments of {DURATION_STEP}."
            );
            Err(refused("InvalidParameterValue", text))
        }
        other => Ok(other),
    }
}

/// "Encrypted snapshots are encrypted, even if you omit this parameter"; "If you specify KmsKeyId, the encrypted state must
/// be true".
fn key(call: &mut Call<'_>, region: &str, source: &Snapshot) -> Result<Option<String>, ApiError> {
    let (asked, key) = (call.form.flag("Encrypted")?, call.form.get("KmsKeyId").map(str::to_owned));
    if key.is_some() && !asked {
        let text = "The parameter KmsKeyId requires the parameter Encrypted to be set.";
        return Err(refused("InvalidParameterDependency", text));
    }
    let encrypted = asked || source.key.is_some() || call.state.region(region)?.encryption_by_default;
    let default = || format!("arn:aws:kms:{region}:{}:alias/aws/ebs", call.account());
    Ok(encrypted.then(|| key.unwrap_or_else(default)))
}

fn pending_copies(call: &Call<'_>, region: &str, account: &str) -> usize {
    let busy = |snapshot: &&Snapshot| {
        snapshot.copy && snapshot.owner == account && snapshot.state(call.now) == "pending"
            || matches!(&snapshot.fate, Fate::Error(at, _) if snapshot.copy && snapshot.owner == account && call.now < *at)
    };
    call.state.regions.get(region).map_or(0, |region| region.snapshots.values().filter(busy).count())
}
