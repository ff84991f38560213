//! Retrievals from a vault: jobs, each found again by its archive or its description.

use std::collections::BTreeMap;

use async_trait::async_trait;
use backup_core::key::Key;
use jiff::Timestamp;

use super::super::VaultArchive;
use super::super::jobs::{JobState, VaultJob};
use super::{VaultStore, is_of};
use crate::class::Tier;
use crate::cold::{ColdStore, Requested, Told};
use crate::copy_state::CopyState;
use crate::error::GlacierResult;
use crate::vaulted::job_description;

#[async_trait]
impl ColdStore for VaultStore {
    async fn request(&self, key: &Key, tier: Tier, days: u32) -> GlacierResult<Requested> {
        let inner = &self.0;
        let Some(archive) = inner.archive(key) else { return inner.beside.request(key, tier, days).await };
        // What was listed when the caller asked: a job costs money each time.
        let jobs = inner.jobs().await?;
        match told(&jobs, key, &archive, inner.vault.run.clock.now()).copy {
            CopyState::Running => return Ok(Requested::Running),
            CopyState::Readable { .. } => return Ok(Requested::Readable),
            CopyState::Cold => {}
        }
        let description = job_description(key);
        let id = inner.vault.request(&archive, None, tier, &description).await?;
        let job = VaultJob {
            id: id.clone(),
            description: Some(description),
            archive: Some(archive.id.clone()),
            range: Some(0..archive.bytes),
            created: Some(inner.vault.run.clock.now()),
            inventory_bytes: None,
            state: JobState::Running,
        };
        inner.cached().get_or_insert_default().push(job);
        Ok(Requested::Taken { job: Some(id) })
    }

    async fn list(&self, prefix: &str) -> GlacierResult<BTreeMap<Key, Told>> {
        let inner = &self.0;
        let mut all = inner.beside.list(prefix).await?;
        let archives: Vec<(Key, VaultArchive)> = {
            let known = inner.known();
            let below = known.iter().filter(|(key, _)| key.as_str().starts_with(prefix));
            below.filter_map(|(key, vaulted)| Some((key.clone(), vaulted.archive.clone()?))).collect()
        };
        if archives.is_empty() {
            return Ok(all);
        }
        let jobs = by_archive(inner.list_jobs().await?);
        let now = inner.vault.run.clock.now();
        for (key, archive) in archives {
            let of = jobs.get(&archive.id).map(Vec::as_slice).unwrap_or_default();
            all.insert(key.clone(), told(of, &key, &archive, now));
        }
        Ok(all)
    }

    async fn look(&self, key: &Key) -> GlacierResult<Told> {
        let inner = &self.0;
        let Some(archive) = inner.archive(key) else { return inner.beside.look(key).await };
        Ok(told(&inner.jobs().await?, key, &archive, inner.vault.run.clock.now()))
    }

    fn is_repeatable(&self) -> bool {
        false
    }
}

/// Jobs by what they retrieve: a vault may list as many as it has archives.
fn by_archive(jobs: Vec<VaultJob>) -> BTreeMap<String, Vec<VaultJob>> {
    let mut all: BTreeMap<String, Vec<VaultJob>> = BTreeMap::new();
    for job in jobs {
        if let Some(id) = job.archive.clone() {
            all.entry(id).or_default().push(job);
        }
    }
    all
}

/// What the jobs of an archive come to: output that can be read, a job that runs, or why the last one failed.
fn told(jobs: &[VaultJob], key: &Key, archive: &VaultArchive, now: Timestamp) -> Told {
    let is_whole = |job: &&VaultJob| job.range.as_ref().is_none_or(|range| *range == (0..archive.bytes));
    let ours = || jobs.iter().filter(|job| is_of(job, key, archive)).filter(is_whole);
    let readable = ours().filter_map(|job| match job.state {
        JobState::Succeeded { until } if until.is_none_or(|until| until > now) => Some((until, job)),
        _ => None,
    });
    if let Some((until, job)) = readable.max_by_key(|(until, _)| *until) {
        return Told { job: Some(job.id.clone()), ..CopyState::Readable { until }.into() };
    }
    if let Some(job) = ours().find(|job| job.state == JobState::Running) {
        return Told { job: Some(job.id.clone()), ..CopyState::Running.into() };
    }
    let failed = ours().filter_map(|job| match &job.state {
        JobState::Failed { reason } => Some((job.created, job, reason)),
        _ => None,
    });
    match failed.max_by_key(|(created, ..)| *created) {
        Some((_, job, reason)) => {
            Told { job: Some(job.id.clone()), failed: Some(reason.clone()), ..CopyState::Cold.into() }
        }
        None => CopyState::Cold.into(),
    }
}

#[cfg(test)]
mod tests {
    use backup_core::digest::Sha256Digest;

    use super::*;

    fn job(id: &str, created: i64, state: JobState) -> VaultJob {
        VaultJob {
            id: id.to_owned(),
            description: None,
            archive: Some("-a".to_owned()),
            range: Some(0..7),
            created: Timestamp::from_second(created).ok(),
            inventory_bytes: None,
            state,
        }
    }

    #[test]
    fn what_can_be_read_counts_before_what_runs_and_that_before_what_failed() {
        let key = Key::new("glacier/x/bundles/1").unwrap();
        let archive = VaultArchive { id: "-a".to_owned(), bytes: 7, tree_hash: Sha256Digest::of(b"") };
        let now = Timestamp::from_second(1000).unwrap();
        let ready = |until| JobState::Succeeded { until: Timestamp::from_second(until).ok() };
        let failed = |reason: &str| JobState::Failed { reason: reason.to_owned() };
        let all = [
            job("failed", 1, failed("first")),
            job("failed later", 2, failed("last")),
            job("expired", 3, ready(999)),
            job("running", 4, JobState::Running),
            job("ready", 5, ready(2000)),
        ];
        let of = |jobs: &[VaultJob]| told(jobs, &key, &archive, now);
        assert_eq!(of(&all).job.as_deref(), Some("ready"));
        assert_eq!(of(&all[..4]).copy, CopyState::Running, "what has expired hides nothing");
        assert_eq!(of(&all[..3]).failed.as_deref(), Some("last"));
        assert_eq!(of(&[]), CopyState::Cold.into());
        let part = VaultJob { range: Some(0..3), ..job("part", 6, ready(2000)) };
        assert_eq!(of(&[part]).copy, CopyState::Cold, "a range is not the archive");
        let other = VaultJob { archive: Some("b".to_owned()), ..job("other", 6, ready(2000)) };
        assert_eq!(of(&[other]).copy, CopyState::Cold);
    }
}
