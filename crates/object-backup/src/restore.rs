//! Restores a backup: reads and verifies all of it, reads it again into the target, and then makes it visible.

use std::collections::BTreeSet;
use std::sync::Arc;

use backup_core::source::Identity;
use backup_core::store::SharedStore;
use jiff::Timestamp;
use serde::Serialize;
use tracing::{Instrument as _, info_span};

use crate::apart::Apart;
use crate::error::{ObjectError, ObjectResult};
use crate::ids::Ids;
use crate::key::BackupKey;
use crate::list::{Entry, Found, State};
use crate::options::RestoreOptions;
use crate::plan::{self, Wanted};
use crate::read::read_into;
use crate::run::Run;
use crate::source::Available;
use crate::tar::read::{Sink, Summary};
use crate::target::{Load, Loaded, OnConflict, Restoring, Target};
use crate::type_key::TypeKey;

/// What a restore will do, or did.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RestorePlan {
    /// The backup.
    pub key: BackupKey,
    /// When the records were like this.
    pub time: Option<Timestamp>,
    /// What the backup counts for.
    #[serde(flatten)]
    pub state: State,
    /// Which database, file or folder it is of; absent where it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Identity>,
    /// Whether that is the one restored into; absent where one of the two is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_source: Option<bool>,
    /// What is not in it, a line each, for people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Newer ones that were passed over, since something is left out of them or they are damaged; the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<BackupKey>,
    /// Newer ones that cannot be read now, the newest first, a line each with why: only where an older one was allowed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
    /// The target.
    pub target: String,
    /// What becomes of records that are there already.
    pub on_conflict: OnConflict,
    /// The types.
    pub types: Vec<Restoring>,
}

/// What a restore did.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Restored {
    /// What was planned.
    #[serde(flatten)]
    pub plan: RestorePlan,
    /// What became of the records, by type.
    pub loaded: Vec<LoadedType>,
}

/// What became of the records of one type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LoadedType {
    /// Which.
    #[serde(flatten)]
    pub key: TypeKey,
    /// How many.
    #[serde(flatten)]
    pub loaded: Loaded,
}

/// A restore that is planned and not yet run. It owns what it was planned with, so that what runs is what [`Restore::plan`]
/// shows.
#[derive(Debug)]
pub struct Restore {
    store: SharedStore,
    entry: Entry,
    target: Arc<dyn Target>,
    run: Run,
    plan: RestorePlan,
}

impl Restore {
    /// Reads and checks all of what was `found`, and says what would be restored. The target is looked at and not changed.
    ///
    /// # Errors
    /// [`ObjectError::Damaged`] and [`ObjectError::Refused`]; [`ObjectError::Usage`] for a type that is not there; what the
    /// store says, and [`Target::check`].
    pub async fn prepare(
        store: &SharedStore,
        found: &Found,
        target: Arc<dyn Target>,
        options: RestoreOptions,
        run: &Run,
    ) -> ObjectResult<Self> {
        Box::pin(Self::prepared(store, found, target, options, run)).await
    }

    async fn prepared(
        store: &SharedStore,
        found: &Found,
        target: Arc<dyn Target>,
        options: RestoreOptions,
        run: &Run,
    ) -> ObjectResult<Self> {
        let Found { entry, passed_over, unreadable } = found;
        let RestoreOptions { types, on_conflict, here } = options;
        run.step("app.check", &entry.key.to_string());
        let compares = on_conflict == OnConflict::Fail && target.tells_ids_apart();
        let seen = Seen { ids: compares.then(Ids::default), twice: Vec::new() };
        let (summary, seen) = read_into(store, entry, seen, &run.cancel).await?;
        let plan = RestorePlan {
            key: entry.key.clone(),
            time: entry.time,
            state: entry.state.clone(),
            source: entry.source.clone(),
            same_source: entry.source.as_ref().zip(here.as_ref()).map(|(of, here)| of.id == here.id),
            missing: entry.manifest.as_ref().map(|manifest| manifest.detail.missing()).unwrap_or_default(),
            passed_over: passed_over.clone(),
            unreadable: unreadable.clone(),
            target: target.describe(),
            on_conflict,
            types: restoring(entry, &summary, &types)?,
        };
        let mut twice = seen.twice.iter();
        if let Some(found) = twice.find(|found| plan.types.iter().any(|restoring| restoring.key == found.0)) {
            return Err(had_twice(store, entry, found, run).await?);
        }
        let (types, looked_at) = (plan.types.clone(), Arc::clone(&target));
        let checked = tokio::task::spawn_blocking(move || looked_at.check(&types, on_conflict));
        checked.await.map_err(|error| ObjectError::panicked(&error))??;
        Ok(Self { store: Arc::clone(store), entry: entry.clone(), target, run: run.clone(), plan })
    }

    /// What would be restored.
    #[must_use]
    pub fn plan(&self) -> &RestorePlan {
        &self.plan
    }

    /// Restores it: everything or nothing.
    ///
    /// # Errors
    /// As [`Restore::prepare`]; [`ObjectError::Conflict`]; why the target cannot be written. Then nothing was restored.
    pub async fn run(self) -> ObjectResult<Restored> {
        let sink = Box::pin(self.fill().instrument(info_span!("app.restore"))).await?;
        self.run.step("app.commit", &self.plan.target);
        let loaded = sink.loaded;
        let committed = tokio::task::spawn_blocking(move || sink.load.commit());
        committed.await.map_err(|error| ObjectError::panicked(&error))??;
        Ok(Restored { plan: self.plan, loaded })
    }

    /// Does all that [`Restore::run`] does but the last step, and undoes it: what cannot be restored is found out. Nobody
    /// sees anything of it; in a database it is a transaction that is rolled back.
    ///
    /// # Errors
    /// As [`Restore::run`].
    pub async fn rehearse(self) -> ObjectResult<()> {
        let sink = Box::pin(self.fill().instrument(info_span!("app.restore"))).await?;
        // Where it is undone may block.
        let undone = tokio::task::spawn_blocking(move || drop(sink));
        undone.await.map_err(|error| ObjectError::panicked(&error))
    }

    /// Everything but the commit.
    async fn fill(&self) -> ObjectResult<Loading> {
        let Self { store, entry, target, run, plan } = self;
        run.step("app.load", &plan.target);
        let (types, on_conflict, target) = (plan.types.clone(), plan.on_conflict, Arc::clone(target));
        let begun = tokio::task::spawn_blocking(move || target.begin(&types, on_conflict));
        let load = begun.await.map_err(|error| ObjectError::panicked(&error))??;
        let chosen = plan.types.iter().map(|restoring| restoring.key.clone()).collect();
        let sink = Loading { load, chosen, loaded: Vec::new() };
        let (_, sink) = read_into(store, entry, Apart::new(sink)?, &run.cancel).await?;
        let taken = tokio::task::spawn_blocking(move || sink.into_inner());
        taken.await.map_err(|error| ObjectError::panicked(&error)).flatten()
    }
}

/// Notes which types have two records of one id: earlier versions and gludb wrote such.
#[derive(Debug)]
struct Seen {
    /// Set if somebody wants to know.
    ids: Option<Ids>,
    /// Type, and the numbers of two of its records.
    twice: Vec<(TypeKey, u64, u64)>,
}

fn uncompared(error: std::io::Error) -> ObjectError {
    ObjectError::target("compare the ids of records in", std::env::temp_dir().display(), error)
}

impl Sink for Seen {
    fn begin(&mut self, _key: &TypeKey) -> ObjectResult<()> {
        Ok(())
    }

    fn record(&mut self, _key: &TypeKey, id: &str, _text: &[u8]) -> ObjectResult<()> {
        self.ids.as_mut().map_or(Ok(()), |ids| ids.add(id)).map_err(uncompared)
    }

    fn end(&mut self, key: &TypeKey) -> ObjectResult<()> {
        let Some(ids) = &mut self.ids else { return Ok(()) };
        if let Some((first, second)) = std::mem::take(ids).twice().map_err(uncompared)? {
            self.twice.push((key.clone(), first, second));
        }
        Ok(())
    }
}

/// Finds the id of one record.
struct IdOf {
    of: (TypeKey, u64),
    number: u64,
    id: String,
}

impl Sink for IdOf {
    fn begin(&mut self, _key: &TypeKey) -> ObjectResult<()> {
        self.number = 0;
        Ok(())
    }

    fn record(&mut self, key: &TypeKey, id: &str, _text: &[u8]) -> ObjectResult<()> {
        self.number += 1;
        if (key, self.number) == (&self.of.0, self.of.1) {
            id.clone_into(&mut self.id);
        }
        Ok(())
    }

    fn end(&mut self, _key: &TypeKey) -> ObjectResult<()> {
        Ok(())
    }
}

/// Says which id the backup has twice.
async fn had_twice(
    store: &SharedStore,
    entry: &Entry,
    (key, first, second): &(TypeKey, u64, u64),
    run: &Run,
) -> ObjectResult<ObjectError> {
    let sought = IdOf { of: (key.clone(), *second), number: 0, id: String::new() };
    let (_, IdOf { id, .. }) = read_into(store, entry, sought, &run.cancel).await?;
    let what = format!("the backup itself has the id `{id}` twice in `{key}`, in its records {first} and {second}");
    Ok(ObjectError::Conflict { what })
}

pub(crate) fn restoring(entry: &Entry, summary: &Summary, wanted: &[Wanted]) -> ObjectResult<Vec<Restoring>> {
    let available: Vec<Available> = summary
        .types
        .iter()
        .map(|found| Available { type_name: Some(found.key.type_name.clone()), table: found.key.table.clone() })
        .collect();
    let of = match entry.state {
        State::Partial => format!("`{}`, which is partial,", entry.key),
        _ => format!("`{}`", entry.key),
    };
    let chosen: BTreeSet<TypeKey> = plan::select(&of, Some(&available), wanted)?.into_iter().collect();
    // Columns are only in the manifest.
    let described = entry.manifest.as_ref().map_or(&summary.types, |manifest| &manifest.detail.types);
    let chosen = described.iter().filter(|found| chosen.contains(&found.key));
    Ok(chosen
        .map(|found| Restoring { key: found.key.clone(), records: found.records, columns: found.columns.clone() })
        .collect())
}

/// Passes the chosen types on.
struct Loading {
    load: Box<dyn Load>,
    chosen: BTreeSet<TypeKey>,
    loaded: Vec<LoadedType>,
}

impl Sink for Loading {
    fn begin(&mut self, _key: &TypeKey) -> ObjectResult<()> {
        Ok(())
    }

    fn record(&mut self, key: &TypeKey, id: &str, text: &[u8]) -> ObjectResult<()> {
        if self.chosen.contains(key) { self.load.record(key, id, text) } else { Ok(()) }
    }

    fn end(&mut self, key: &TypeKey) -> ObjectResult<()> {
        if self.chosen.contains(key) {
            let loaded = self.load.end(key)?;
            self.loaded.push(LoadedType { key: key.clone(), loaded });
        }
        Ok(())
    }
}
