//! Finds the backup that a key or `latest` means.

use std::collections::BTreeSet;

use backup_core::catalogue::{self, Entry as Catalogued};
use backup_core::manifest::Kind;
use backup_core::source::{self, Choice, Chosen, Identity, Known, Wish};
use backup_core::store::StoreRead;
use futures::TryStreamExt;

use super::{Entry, State, published, size, unvouched};
use crate::backup_key::{self, BackupKey, DEFAULT_NAME};
use crate::error::{ObjectError, ObjectResult};

/// What means the newest complete backup.
pub const LATEST: &str = "latest";

/// A backup as somebody asks for it.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'a> {
    /// A key, or [`LATEST`].
    pub text: &'a str,
    /// With [`LATEST`]: what it is called; [`DEFAULT_NAME`] if nothing else is said.
    pub name: Option<&'a str>,
    /// With [`LATEST`]: which source it is of: its id, its host or path, or [`source::UNKNOWN`].
    pub source: Option<&'a str>,
    /// With [`LATEST`]: the source whose own backups come first, such as the database that is restored into.
    pub here: Option<&'a Identity>,
}

impl<'a> Sought<'a> {
    /// The newest complete one called `name`.
    #[must_use]
    pub fn latest(name: &'a str) -> Self {
        Self { name: Some(name), ..Self::from(LATEST) }
    }

    /// Most restores are into a copy, which has no backups of its own: then it is as if nothing was known of it.
    fn wish(&self, known: &[Known]) -> Wish<'a> {
        let is_there =
            |here: &&Identity| known.iter().any(|of| of.identity.as_ref().is_some_and(|of| of.id == here.id));
        match (self.source, self.here.filter(is_there)) {
            (Some(text), _) => Wish::Named(text),
            (None, Some(here)) => Wish::Here(here),
            (None, None) => Wish::Any,
        }
    }
}

impl<'a> From<&'a str> for Sought<'a> {
    fn from(text: &'a str) -> Self {
        Self { text, name: None, source: None, here: None }
    }
}

/// The backup that was meant.
#[derive(Clone, Debug)]
pub struct Found {
    /// It.
    pub entry: Entry,
    /// Newer ones that were passed over, since something is left out of them or they are damaged; the newest first.
    pub passed_over: Vec<BackupKey>,
}

/// The backup that is `sought`: that of a key as [`super::list`] shows it, whatever it lacks; or the newest complete one of
/// the name and the source that are meant (see [`backup_core::source`]).
///
/// # Errors
/// [`ObjectError::NoBackup`]; [`ObjectError::NotComplete`] if there are only others; [`ObjectError::Usage`] if several
/// sources have backups of the name and none is chosen; [`ObjectError::Damaged`] if tarball or manifest is gone or changed.
pub async fn find(store: &dyn StoreRead, sought: impl Into<Sought<'_>>) -> ObjectResult<Found> {
    let sought = sought.into();
    let missing = || ObjectError::NoBackup { which: sought.text.to_owned(), location: store.describe() };
    if sought.text == LATEST {
        let name = sought.name.unwrap_or(DEFAULT_NAME);
        let (key, passed_over) = OfName::read(store, name).await?.latest(store, name, &sought)?;
        return Ok(Found { entry: by_key(store, key, missing).await?, passed_over });
    }
    let key = BackupKey::parse(sought.text).ok_or_else(missing)?;
    Ok(Found { entry: by_key(store, key, missing).await?, passed_over: Vec::new() })
}

/// Read by its name, so that a listing that lags cannot hide it.
async fn by_key(
    store: &dyn StoreRead,
    key: BackupKey,
    missing: impl Fn() -> ObjectError + Copy,
) -> ObjectResult<Entry> {
    let bytes = size(store, &key).await?;
    if key.name.is_none() {
        return Ok(unvouched(key, State::Foreign, bytes.ok_or_else(missing)?));
    }
    let at = key.manifest()?;
    let manifest = match catalogue::read(store, &at).await {
        Ok(manifest) => manifest,
        Err(backup_core::CoreError::Store(error)) if error.is_not_found() => return Err(missing()),
        Err(error) => return Err(error.into()),
    };
    let entry = published(key, &at, Ok(manifest), bytes);
    match &entry.state {
        State::Damaged(what) => Err(ObjectError::damaged(&entry.key.to_string(), what.clone())),
        _ => Ok(entry),
    }
}

/// All backups of one name.
struct OfName {
    keys: Vec<BackupKey>,
    known: Vec<Known>,
    /// Those whose manifest cannot be used.
    unusable: Vec<BackupKey>,
}

impl OfName {
    async fn read(store: &dyn StoreRead, name: &str) -> ObjectResult<Self> {
        let (folder, pointer) = (backup_key::folder(name)?, backup_key::pointer(name)?);
        let mut all = Self { keys: Vec::new(), known: Vec::new(), unusable: Vec::new() };
        // By the pointer as well: a listing that lags must not hide the newest.
        let pointed = catalogue::pointed(store, &pointer).await?;
        let pointed_key = pointed.as_ref().map(|(key, _)| key.clone());
        if let Some((key, manifest)) = pointed {
            all.add(Catalogued { key, manifest: Ok(manifest) });
        }
        let mut listed = Box::pin(catalogue::stream(store, &folder));
        while let Some(entry) = listed.try_next().await? {
            if Some(&entry.key) != pointed_key.as_ref() {
                all.add(entry);
            }
        }
        Ok(all)
    }

    fn add(&mut self, entry: Catalogued) {
        let Some(key) = BackupKey::of_manifest(&entry.key) else { return };
        match entry.manifest {
            Ok(manifest) if manifest.kind == Kind::App => {
                self.known.push(Known::of(&manifest));
                self.keys.push(key);
            }
            _ => self.unusable.push(key),
        }
    }

    /// The newest complete one of the source that is meant, and what is newer.
    fn latest(
        &self,
        store: &dyn StoreRead,
        name: &str,
        sought: &Sought<'_>,
    ) -> ObjectResult<(BackupKey, Vec<BackupKey>)> {
        let choice = Choice { wish: sought.wish(&self.known), config: None, back: 0 };
        let (at, passed_over) = match source::choose(&self.known, &choice) {
            Chosen::One { at, passed_over } => (at, passed_over),
            Chosen::NotEnough { others, .. } => return Err(self.none_complete(store, name, others)),
            Chosen::Nothing if self.unusable.is_empty() => {
                return Err(ObjectError::NoBackup { which: format!("{name}/{LATEST}"), location: store.describe() });
            }
            Chosen::Nothing => return Err(self.none_complete(store, name, 0)),
            refused => return Err(self.refusal(name, sought, &refused)),
        };
        let key = &self.keys[at];
        // A damaged one has no sequence to go by.
        let damaged = self.unusable.iter().filter(|other| other.time() > key.time());
        let mut newer: Vec<&BackupKey> = passed_over.iter().map(|&at| &self.keys[at]).chain(damaged).collect();
        newer.sort();
        Ok((key.clone(), newer.into_iter().rev().cloned().collect()))
    }

    fn none_complete(&self, store: &dyn StoreRead, name: &str, others: usize) -> ObjectError {
        let others = others + self.unusable.len();
        ObjectError::NotComplete { name: name.to_owned(), location: store.describe(), others }
    }

    fn refusal(&self, name: &str, sought: &Sought<'_>, chosen: &Chosen) -> ObjectError {
        if let Chosen::Ambiguous(newest) = chosen {
            let each: Vec<String> =
                newest.iter().map(|&at| format!("{} (newest `{}`)", self.source(at), self.keys[at])).collect();
            return ObjectError::usage(
                format!("backups named `{name}` come from {} sources: {}", each.len(), each.join(", ")),
                "nothing was changed. Choose one with --source HOST|ID, or give the key of a backup",
            );
        }
        let there: BTreeSet<String> = (0..self.known.len()).map(|at| self.source(at)).collect();
        let there: Vec<String> = there.into_iter().collect();
        ObjectError::usage(
            format!("no backup named `{name}` comes from the source `{}`", sought.source.unwrap_or_default()),
            format!("nothing was changed. There are backups of {}", there.join(", ")),
        )
    }

    fn source(&self, at: usize) -> String {
        self.known[at].identity.as_ref().map_or_else(|| source::UNKNOWN.to_owned(), ToString::to_string)
    }
}
