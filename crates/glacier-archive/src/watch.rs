//! Asks what became of retrievals, once or until all that a backup needs is ready.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use backup_core::run::Run;
use jiff::Timestamp;
use serde::Serialize;

use crate::catalogue::KnownFile;
use crate::cold::ColdStore;
use crate::error::GlacierResult;
use crate::find::Backup;
use crate::key::BackupKey;
use crate::lifecycle::Status;
use crate::pattern::Only;
use crate::poll;
use crate::standing::{self, FileStanding, Known};
use crate::state::State;

/// Between the first two polls: an expedited retrieval takes a minute at least.
pub const PAUSE_FIRST: Duration = Duration::from_secs(60);

/// The longest pause: of hours of waiting, a quarter of an hour is not noticed.
pub const PAUSE_MAX: Duration = Duration::from_secs(15 * 60);

/// Where a backup is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackupStanding {
    /// Which.
    pub key: BackupKey,
    /// The lowest status of its files.
    pub status: Status,
    /// How many files have each status.
    pub counts: BTreeMap<Status, u64>,
    /// When the last of what was requested is expected to be ready.
    pub expected: Option<Timestamp>,
    /// When the first of what is ready expires.
    pub until: Option<Timestamp>,
    /// Each file.
    pub files: Vec<FileStanding>,
}

impl BackupStanding {
    /// Whether everything can be fetched, or was, or need not be.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.status >= Status::Ready
    }
}

/// Where each file of `backup` that is meant is, after asking the store. With `keep`, which needs the lock, what was heard
/// is kept.
///
/// # Errors
/// What the store says; as of the catalogue.
pub async fn watch_once(
    cold: &dyn ColdStore,
    state: &State,
    backup: &Backup,
    only: &Only,
    folder: Option<&Path>,
    keep: bool,
    run: &Run,
) -> GlacierResult<BackupStanding> {
    let polled = poll::ask(cold, state, &backup.key.name, run).await?;
    if keep {
        polled.keep(state)?;
    }
    let files: BTreeMap<String, KnownFile> =
        state.catalogue().files()?.into_iter().map(|file| (file.entry.name.clone(), file)).collect();
    let now = run.clock.now();
    let known = Known { state, files: &files, retrievals: &polled.after, folder, now };
    let files = standing::files(backup, only, &known);
    let pending = files.iter().filter(|file| file.status == Status::Pending);
    let ready = files.iter().filter(|file| file.status == Status::Ready);
    Ok(BackupStanding {
        key: backup.key.clone(),
        status: standing::lowest(&files),
        counts: standing::counts(&files),
        expected: pending.filter_map(|file| file.expected).max(),
        until: ready.filter_map(|file| file.until).min(),
        files,
    })
}

/// What happens between two polls.
#[async_trait]
pub trait Pause: fmt::Debug + Send + Sync {
    /// Waits for `longest`, or until there may be news.
    ///
    /// # Errors
    /// [`GlacierError::Interrupted`](crate::GlacierError::Interrupted); what is asked meanwhile.
    async fn pause(&self, state: &State, longest: Duration, run: &Run) -> GlacierResult<()>;
}

/// Nothing happens between two polls.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sleep;

#[async_trait]
impl Pause for Sleep {
    async fn pause(&self, _state: &State, longest: Duration, run: &Run) -> GlacierResult<()> {
        run.or_cancelled(async {
            tokio::time::sleep(longest).await;
            Ok(())
        })
        .await
    }
}

/// The pause, up to a quarter shorter by chance: what was requested together need not be asked for together.
fn jittered(pause: Duration) -> Duration {
    let chance = u32::try_from(RandomState::new().build_hasher().finish() % 1000).unwrap_or_default();
    pause - pause / 4 * chance / 1000
}

/// Polls until nothing that was requested is outstanding, with pauses that grow from [`PAUSE_FIRST`] to [`PAUSE_MAX`].
/// Something that is only available ends it, too: nobody asked for it, and waiting would not bring it.
///
/// # Errors
/// As [`watch_once`]; [`GlacierError::Interrupted`](crate::GlacierError::Interrupted).
pub async fn watch_until_ready(
    cold: &dyn ColdStore,
    state: &State,
    backup: &Backup,
    only: &Only,
    folder: Option<&Path>,
    between: &dyn Pause,
    run: &Run,
) -> GlacierResult<BackupStanding> {
    let mut pause = PAUSE_FIRST;
    loop {
        let standing = watch_once(cold, state, backup, only, folder, true, run).await?;
        if !standing.counts.contains_key(&Status::Pending) {
            return Ok(standing);
        }
        run.step("glacier.wait", &standing.key.to_string());
        between.pause(state, jittered(pause), run).await?;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_differ_and_are_never_longer() {
        let pauses: Vec<Duration> = (0..50).map(|_| jittered(PAUSE_MAX)).collect();
        assert!(pauses.iter().all(|pause| (PAUSE_MAX * 3 / 4..=PAUSE_MAX).contains(pause)));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
