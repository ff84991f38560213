//! Reads a sample of archives back and checks it: whether what is paid for is still what was archived.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use backup_core::digest::{Sha256Digest, Sha256Hasher};
use backup_core::key::Key;
use backup_core::pipeline::verified;
use backup_core::run::Run;
use backup_core::store::SharedStore;
use backup_core::{CoreError, StoreError};
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::catalogue::Archive;
use crate::cold::ColdStore;
use crate::error::{GlacierError, GlacierResult};
use crate::fetch::FailedFetch;
use crate::lifecycle::Phase;
use crate::plan::{self, Limits, RetrievalPlan, Wanted};
use crate::poll::{self, Polled};
use crate::price::PriceBook;
use crate::retrieve::{self, Asked};
use crate::state::State;

/// A share in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u32);

/// All of it.
const WHOLE: u32 = 1_000_000;

/// A text that is no share.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no share such as `1%` or `0.5%`, up to `100%`")]
pub struct NoShare(pub String);

impl FromStr for Share {
    type Err = NoShare;

    fn from_str(text: &str) -> Result<Self, NoShare> {
        let wrong = || NoShare(text.to_owned());
        let number = text.strip_suffix('%').ok_or_else(wrong)?;
        let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
        let is_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(rest) || whole.len() > 3 || rest.len() > 4 {
            return Err(wrong());
        }
        let rest: u32 = format!("{rest:0<4}").parse().map_err(|_| wrong())?;
        let share = whole.parse::<u32>().map_err(|_| wrong())? * (WHOLE / 100) + rest;
        if (1..=WHOLE).contains(&share) { Ok(Self(share)) } else { Err(wrong()) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / (WHOLE / 100), self.0 % (WHOLE / 100));
        if rest == 0 {
            return write!(f, "{whole}%");
        }
        write!(f, "{whole}.{}%", format!("{rest:04}").trim_end_matches('0'))
    }
}

/// The sample of an audit that takes several runs: retrievals take hours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sample {
    began: Timestamp,
    archives: Vec<Key>,
    verified: Vec<Key>,
}

/// What an audit has found so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Archives that are known.
    pub archives: u64,
    /// Archives in the sample.
    pub sample: u64,
    /// When the sample was taken.
    pub began: Timestamp,
    /// Archives that were read and are what was archived.
    pub verified: u64,
    /// Bytes that were read by this run.
    pub bytes: u64,
    /// Archives that are not what was archived, or could not be read.
    pub failed: Vec<FailedFetch>,
    /// What was requested by this run.
    pub asked: Option<Asked>,
    /// Archives of the sample that cannot be read yet.
    pub waiting: u64,
    /// When the last of them is expected.
    pub expected: Option<Timestamp>,
}

impl Audit {
    /// Whether all of the sample was read. What could not be read for another reason than damage is read by the next run.
    fn is_over(&self) -> bool {
        self.waiting == 0 && self.failed.iter().all(|failed| failed.damaged)
    }
}

/// What an audit would retrieve. Takes a sample if none is being audited; requests and keeps nothing.
///
/// # Errors
/// As [`audit`].
pub async fn plan_audit(
    cold: &dyn ColdStore,
    state: &State,
    name: &str,
    share: Share,
    limits: &Limits,
    prices: &PriceBook,
    run: &Run,
) -> GlacierResult<RetrievalPlan> {
    let polled = poll::ask(cold, state, name, run).await?;
    let archives = stored(state, &polled)?;
    let sample = match read(&path(state))? {
        Some(sample) => sample,
        None => taken(&archives, share, limits, prices, run.clock.now()),
    };
    let needed = wanted(&archives, &sample, &polled.after);
    Ok(plan::plan(&needed, limits, prices))
}

/// Takes a sample of `share` of the archives called `name`, as much of it as the limits allow, requests what cannot be read, and
/// reads what can. The sample stays the same until all of it was read. Needs the lock.
///
/// # Errors
/// [`GlacierError::OverLimit`] if not even one archive keeps the limits; what the store says when it is asked what is ready;
/// as of the catalogue.
pub async fn audit(
    (store, cold): (&SharedStore, &dyn ColdStore),
    state: &State,
    name: &str,
    share: Share,
    limits: &Limits,
    prices: &PriceBook,
    run: &Run,
) -> GlacierResult<Audit> {
    let polled = retrieve::settled(cold, state, name, run).await?;
    polled.keep(state)?;
    let (archives, path) = (stored(state, &polled)?, path(state));
    let mut sample = match read(&path)? {
        Some(sample) => sample,
        None => taken(&archives, share, limits, prices, run.clock.now()),
    };
    write(&path, &sample)?;
    run.step("glacier.audit", name);
    let needed = wanted(&archives, &sample, &polled.after);
    let asked = match needed.is_empty() {
        true => None,
        false => {
            let asked = Box::pin(retrieve::ask_for(cold, state, needed, &polled, limits, prices, run)).await;
            if let Err(GlacierError::OverLimit { .. } | GlacierError::NoSuchTier { .. }) = &asked {
                // Nothing was requested, and other limits allow another sample.
                remove(&path)?;
            }
            Some(asked?)
        }
    };
    let retrievals = state.catalogue().retrievals()?;
    let mut found = Audit {
        archives: archives.len() as u64,
        sample: sample.archives.len() as u64,
        began: sample.began,
        verified: 0,
        bytes: 0,
        failed: Vec::new(),
        asked,
        waiting: 0,
        expected: None,
    };
    let left: Vec<Key> = sample.archives.iter().filter(|key| !sample.verified.contains(key)).cloned().collect();
    for key in left {
        run.stop_if_cancelled()?;
        let Some(archive) = archives.get(&key) else { continue };
        let known = retrievals.get(&key).cloned().unwrap_or_default();
        let is_cold = archive.class.is_some_and(|class| !class.tiers().is_empty());
        if is_cold && matches!(known.phase, Phase::Available | Phase::Requested | Phase::Pending) {
            found.waiting += 1;
            found.expected = found.expected.max(known.expected);
            continue;
        }
        match run.or_cancelled(check(store, archive)).await {
            Ok(()) => {
                found.bytes += archive.bytes;
                sample.verified.push(key);
                write(&path, &sample)?;
            }
            Err(GlacierError::Interrupted) => return Err(GlacierError::Interrupted),
            Err(GlacierError::Core(CoreError::Store(StoreError::Archived { .. }))) => found.waiting += 1,
            Err(error) => found.failed.push(FailedFetch::of(key, &error)),
        }
    }
    found.verified = sample.verified.len() as u64;
    if found.is_over() {
        remove(&path)?;
    }
    Ok(found)
}

fn remove(path: &Path) -> GlacierResult<()> {
    std::fs::remove_file(path).map_err(|error| GlacierError::folder("remove", path, error))
}

/// Reads the whole archive.
async fn check(store: &SharedStore, archive: &Archive) -> GlacierResult<()> {
    let body = store.get(&archive.key, None).await?;
    let mut body = verified(body, &archive.key, archive.sha256, archive.bytes);
    while body.try_next().await?.is_some() {}
    Ok(())
}

/// The archives that were stored, in the classes that they are kept in now.
fn stored(state: &State, polled: &Polled) -> GlacierResult<BTreeMap<Key, Archive>> {
    let all = state.catalogue().archives()?.into_iter().filter(|archive| archive.stored.is_some());
    let now = |archive: Archive| Archive { class: polled.class(&archive.key, archive.class), ..archive };
    Ok(all.map(|archive| (archive.key.clone(), now(archive))).collect())
}

/// A sample that nobody can foresee, no larger than the limits allow.
fn taken(
    archives: &BTreeMap<Key, Archive>,
    share: Share,
    limits: &Limits,
    prices: &PriceBook,
    began: Timestamp,
) -> Sample {
    let mut order: Vec<(Sha256Digest, &Archive)> =
        archives.values().map(|archive| (drawn(archive, began), archive)).collect();
    order.sort_unstable_by_key(|(draw, _)| *draw);
    let count = (archives.len() as u64 * u64::from(share.0)).div_ceil(u64::from(WHOLE));
    let mut keys: Vec<Key> = Vec::new();
    let mut all: Vec<Wanted> = Vec::new();
    for (_, archive) in order.into_iter().take(usize::try_from(count).unwrap_or(usize::MAX)) {
        let cold = archive.class.filter(|class| !class.tiers().is_empty());
        all.extend(cold.map(|class| Wanted { key: archive.key.clone(), bytes: archive.bytes, class }));
        if !all.is_empty() && !keys.is_empty() && plan::plan(&all, limits, prices).chosen.is_none() {
            break;
        }
        keys.push(archive.key.clone());
    }
    keys.sort();
    Sample { began, archives: keys, verified: Vec::new() }
}

/// The place of an archive in the order of this moment.
fn drawn(archive: &Archive, moment: Timestamp) -> Sha256Digest {
    let mut hasher = Sha256Hasher::default();
    hasher.update(moment.as_nanosecond().to_string().as_bytes());
    hasher.update(archive.key.as_str().as_bytes());
    hasher.finish()
}

/// What of the sample must be requested.
fn wanted(
    archives: &BTreeMap<Key, Archive>,
    sample: &Sample,
    retrievals: &BTreeMap<Key, crate::lifecycle::Retrieval>,
) -> Vec<Wanted> {
    let left = sample.archives.iter().filter(|key| !sample.verified.contains(key));
    let cold = left.filter_map(|key| {
        let archive = archives.get(key)?;
        let class = archive.class.filter(|class| !class.tiers().is_empty())?;
        let phase = retrievals.get(key).map(|known| known.phase).unwrap_or_default();
        let is_open = matches!(phase, Phase::Available | Phase::Requested);
        is_open.then(|| Wanted { key: key.clone(), bytes: archive.bytes, class })
    });
    cold.collect()
}

fn path(state: &State) -> std::path::PathBuf {
    state.folder().join("audit.json")
}

fn read(path: &Path) -> GlacierResult<Option<Sample>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(GlacierError::folder("read", path, error)),
    }
}

fn write(path: &Path, sample: &Sample) -> GlacierResult<()> {
    let failed = |error: std::io::Error| GlacierError::folder("write", path, error);
    let folder = path.parent().unwrap_or(path);
    let mut file = tempfile::NamedTempFile::with_prefix_in(".audit-", folder).map_err(failed)?;
    serde_json::to_writer(&mut file, sample).map_err(GlacierError::internal)?;
    file.persist(path).map(drop).map_err(|error| failed(error.error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::Class;

    #[test]
    fn shares_are_read_as_they_are_shown() {
        for text in ["1%", "0.5%", "100%", "0.0001%", "12.25%"] {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), text);
        }
        for text in ["", "1", "%", "0%", "101%", "1.%", ".5%", "-1%", "0.00001%"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }

    fn archives(count: u64) -> BTreeMap<Key, Archive> {
        let each = (0..count).map(|at| {
            let key = Key::new(format!("glacier/x/bundles/{at}")).unwrap();
            let (role, sha256) = ("bundle".to_owned(), Sha256Digest::of(b""));
            let class = Some(Class::Glacier);
            (key.clone(), Archive { key, role, bytes: 1 << 30, sha256, class, stored: Some(Timestamp::UNIX_EPOCH) })
        });
        each.collect()
    }

    #[test]
    fn a_sample_has_its_share_within_the_limits_and_is_another_each_time() {
        let (all, book) = (archives(1000), PriceBook::builtin().unwrap());
        let now = |second| Timestamp::from_second(second).unwrap();
        let of = |share: &str, limits: &Limits, second| {
            taken(&all, share.parse().unwrap(), limits, &book, now(second)).archives
        };
        let free = Limits::default();
        assert_eq!(of("1%", &free, 1).len(), 10);
        assert_eq!(of("0.01%", &free, 1).len(), 1, "never none");
        assert_eq!(of("1%", &free, 1), of("1%", &free, 1));
        assert_ne!(of("1%", &free, 1), of("1%", &free, 2));
        let cap = Limits { cost_max: "0.02".parse().ok(), ..Limits::default() };
        let capped = of("100%", &cap, 1).len();
        assert!((1..20).contains(&capped), "{capped} archives of 1 GiB for two cents");
    }
}
