//! Requests what a backup needs from cold storage, after saying what it costs.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::Path;

use backup_core::failure::Failure as _;
use backup_core::key::Key;
use backup_core::run::Run;
use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::catalogue::KnownFile;
use crate::class::Tier;
use crate::cold::{ColdStore, Requested};
use crate::error::{GlacierError, GlacierResult};
use crate::find::Backup;
use crate::key::BackupKey;
use crate::lifecycle::{Event, Phase, Retrieval, SETTLING, Status};
use crate::pattern::Only;
use crate::plan::{self, Limits, RetrievalPlan, Wanted};
use crate::poll::{self, Polled};
use crate::price::PriceBook;
use crate::standing::{self, FileStanding, Known};
use crate::state::State;

/// Requests on their way at once.
const IN_FLIGHT: usize = 16;

/// What is to be retrieved.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// From which backup.
    pub backup: &'a Backup,
    /// Which of its files.
    pub only: &'a Only,
    /// The folder whose files need not be retrieved.
    pub folder: Option<&'a Path>,
    /// What is allowed.
    pub limits: Limits,
    /// What it costs.
    pub prices: &'a PriceBook,
}

/// What was requested of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Retrieved {
    /// Of which backup.
    pub key: BackupKey,
    /// What was requested.
    #[serde(flatten)]
    pub asked: Asked,
}

impl Deref for Retrieved {
    type Target = Asked;

    fn deref(&self) -> &Asked {
        &self.asked
    }
}

/// What was requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// The plan.
    pub plan: RetrievalPlan,
    /// Archives that were requested now.
    pub requested: u64,
    /// Archives that wait for the next hour's budget.
    pub waiting: u64,
    /// When all that was requested is expected to be ready.
    pub expected: Option<Timestamp>,
    /// Archives that could not be requested, and why.
    pub failed: Vec<FailedArchive>,
}

/// An archive that could not be requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailedArchive {
    /// Which.
    pub key: Key,
    /// Why.
    pub what: String,
}

/// What [`retrieve`] would request. Asks what is readable already, and requests and keeps nothing.
///
/// # Errors
/// What the store says; as of the catalogue.
pub async fn plan_retrieval(
    cold: &dyn ColdStore,
    state: &State,
    request: &Request<'_>,
    run: &Run,
) -> GlacierResult<RetrievalPlan> {
    let polled = poll::ask(cold, state, &request.backup.key.name, run).await?;
    let wanted = wanted(state, request, &polled, run)?;
    Ok(plan::plan(&wanted, &request.limits, request.prices))
}

/// Requests every archive that is needed and not asked for yet, by the tier that the plan chooses. The intent is kept
/// before each request. Needs the lock.
///
/// # Errors
/// [`GlacierError::NoSuchTier`], [`GlacierError::OverLimit`]: then nothing was requested. What the store says to the first
/// request, if no other succeeded.
pub async fn retrieve(
    cold: &dyn ColdStore,
    state: &State,
    request: &Request<'_>,
    run: &Run,
) -> GlacierResult<Retrieved> {
    run.step("glacier.ask", &request.backup.key.to_string());
    let polled = settled(cold, state, &request.backup.key.name, run).await?;
    polled.keep(state)?;
    let wanted = wanted(state, request, &polled, run)?;
    let asked = Box::pin(ask_for(cold, state, wanted, &polled, &request.limits, request.prices, run)).await?;
    Ok(Retrieved { key: request.backup.key.clone(), asked })
}

/// Requests these archives, as many of them as the limits allow now. Needs the lock.
///
/// # Errors
/// As [`retrieve`].
pub async fn ask_for(
    cold: &dyn ColdStore,
    state: &State,
    wanted: Vec<Wanted>,
    polled: &Polled,
    limits: &Limits,
    prices: &PriceBook,
    run: &Run,
) -> GlacierResult<Asked> {
    let plan = plan::plan(&wanted, limits, prices);
    let mut asked = Asked { plan, requested: 0, waiting: 0, expected: None, failed: Vec::new() };
    if wanted.is_empty() {
        return Ok(asked);
    }
    let tier = asked.plan.chosen.ok_or_else(|| refusal(&asked.plan, limits, &wanted))?;
    let now = run.clock.now();
    let started = started_within_the_hour(&polled.after, &wanted_bytes(state)?, now);
    let count = plan::within_budget(&wanted, limits.bytes_per_hour, started);
    asked.waiting = (wanted.len() - count) as u64;
    let days = asked.plan.days;
    let requests = wanted.into_iter().take(count).map(|wanted| {
        let known = polled.after.get(&wanted.key).cloned().unwrap_or_default();
        let minutes = prices.tier(wanted.class, tier).map_or(0, |row| row.minutes);
        let expected = now + SignedDuration::from_mins(i64::from(minutes));
        async move { (wanted.key.clone(), one(cold, state, &wanted.key, known, (tier, days, expected), run).await) }
    });
    let mut outcomes = stream::iter(requests).buffer_unordered(IN_FLIGHT);
    let mut first = None;
    while let Some((key, outcome)) = outcomes.next().await {
        match outcome {
            Ok(expected) => {
                asked.requested += 1;
                asked.expected = asked.expected.max(expected);
            }
            Err(error) => {
                asked.failed.push(FailedArchive { key, what: error.to_string() });
                first.get_or_insert(error);
            }
        }
    }
    asked.failed.sort_by(|one, other| one.key.cmp(&other.key));
    match first {
        Some(error) if asked.requested == 0 => Err(error),
        _ => Ok(asked),
    }
}

/// What the service has of retrievals. Where the same request twice is two, one that may still be on its way from a run that
/// died is waited for, and the service is asked again.
///
/// # Errors
/// What the service says; as of the catalogue; [`GlacierError::Interrupted`].
pub async fn settled(cold: &dyn ColdStore, state: &State, name: &str, run: &Run) -> GlacierResult<Polled> {
    let polled = poll::ask(cold, state, name, run).await?;
    if cold.is_repeatable() {
        return Ok(polled);
    }
    let sent = polled.after.values().filter(|known| known.phase == Phase::Requested).map(|known| known.since).max();
    let left = sent.map(|sent| SETTLING - run.clock.now().duration_since(sent));
    let Some(left) = left.filter(|left| left.is_positive()) else { return Ok(polled) };
    polled.keep(state)?;
    run.step("glacier.settle", name);
    run.or_cancelled(async {
        tokio::time::sleep(left.unsigned_abs()).await;
        Ok::<_, GlacierError>(())
    })
    .await?;
    poll::ask(cold, state, name, run).await
}

/// Requests one archive: the intent first, then the request, then what became of it.
async fn one(
    cold: &dyn ColdStore,
    state: &State,
    key: &Key,
    known: Retrieval,
    (tier, days, expected): (Tier, u32, Timestamp),
    run: &Run,
) -> GlacierResult<Option<Timestamp>> {
    run.stop_if_cancelled()?;
    let now = || run.clock.now();
    let known = match known.phase {
        // It was read once, what was read is gone, and so is the copy.
        Phase::Local => {
            let lost = poll::observe(state, key, &known, &Event::Lost, now())?;
            poll::observe(state, key, &lost, &Event::Absent, now())?
        }
        _ => known,
    };
    let intended = poll::observe(state, key, &known, &Event::Intended { tier, expected }, now())?;
    run.step("glacier.intended", key.as_str());
    // One of an earlier run whose request may or may not have arrived is repeated: twice the same is one retrieval.
    let event = match cold.request(key, tier, days).await {
        Ok(Requested::Taken { job }) => Event::Accepted { job },
        Ok(Requested::Running) => Event::Running { job: None },
        Ok(Requested::Readable) => poll::event(&cold.look(key).await?, &intended),
        Err(error) => {
            // After anything that may pass the request may have arrived: the next poll tells.
            if error.is_permanent() && !is_uncertain(&error) {
                let reason = error.to_string();
                poll::observe(state, key, &intended, &Event::Refused { reason }, now())?;
            }
            return Err(error);
        }
    };
    run.step("glacier.requested", key.as_str());
    let after = poll::observe(state, key, &intended, &event, now())?;
    Ok(after.expected)
}

/// Whether the request may have been taken all the same.
fn is_uncertain(error: &GlacierError) -> bool {
    matches!(error, GlacierError::Core(backup_core::CoreError::Store(error)) if error.is_ambiguous())
}

/// The archives that must be requested for what is meant, by key.
fn wanted(state: &State, request: &Request<'_>, polled: &Polled, run: &Run) -> GlacierResult<Vec<Wanted>> {
    let files: BTreeMap<String, KnownFile> =
        state.catalogue().files()?.into_iter().map(|file| (file.entry.name.clone(), file)).collect();
    let now = run.clock.now();
    let known = Known { state, files: &files, retrievals: &polled.after, folder: request.folder, now };
    let standings = standing::files(request.backup, request.only, &known);
    Ok(needed(request.backup, &standings, polled))
}

/// The archives of files that are available, or asked for by a request that may not have arrived.
fn needed(backup: &Backup, files: &[FileStanding], polled: &Polled) -> Vec<Wanted> {
    let is_needed = |file: &&FileStanding| {
        let phase = file.archive.as_ref().and_then(|key| polled.after.get(key)).map(|known| known.phase);
        file.status == Status::Available || (file.status == Status::Pending && phase == Some(Phase::Requested))
    };
    let sizes: BTreeMap<&Key, u64> = backup.manifest.parts.iter().map(|part| (&part.key, part.stored_bytes)).collect();
    let mut archives: BTreeMap<Key, Wanted> = BTreeMap::new();
    for file in files.iter().filter(is_needed) {
        let Some(key) = &file.archive else { continue };
        // What has no class is never cold, and a class that is read at once needs no retrieval.
        let cold = polled.class(key, file.class).filter(|class| !class.tiers().is_empty());
        let Some(class) = cold else { continue };
        let bytes = sizes.get(key).copied().unwrap_or_default();
        archives.entry(key.clone()).or_insert_with(|| Wanted { key: key.clone(), bytes, class });
    }
    archives.into_values().collect()
}

fn wanted_bytes(state: &State) -> GlacierResult<BTreeMap<Key, u64>> {
    Ok(state.catalogue().archives()?.into_iter().map(|archive| (archive.key, archive.bytes)).collect())
}

/// Bytes of archives that were requested less than an hour ago.
fn started_within_the_hour(retrievals: &BTreeMap<Key, Retrieval>, sizes: &BTreeMap<Key, u64>, now: Timestamp) -> u64 {
    let is_recent = |requested: Timestamp| now.duration_since(requested) < SignedDuration::from_hours(1);
    let recent = retrievals.iter().filter(|(_, known)| known.requested.is_some_and(is_recent));
    recent.filter_map(|(key, _)| sizes.get(key)).sum()
}

/// Why no tier will do.
fn refusal(plan: &RetrievalPlan, limits: &Limits, wanted: &[Wanted]) -> GlacierError {
    let lacks = |tier: &Tier| wanted.iter().find(|wanted| !wanted.class.tiers().contains(tier));
    if let Some((tier, Wanted { class, .. })) = limits.tier.and_then(|tier| Some((tier, lacks(&tier)?))) {
        return GlacierError::NoSuchTier { what: format!("archives in {class} cannot be retrieved by {tier}") };
    }
    let told = plan.offers.iter().filter_map(|offer| {
        let hours = offer.minutes?.div_ceil(60);
        Some(format!("{} takes up to {hours} h and costs {}", offer.tier, offer.total()))
    });
    let what = format!("no tier keeps the limits: {}", told.collect::<Vec<_>>().join(", "));
    GlacierError::OverLimit { what }
}
