//! Finds the backup that is meant: by its key, the newest, or the newest of a time.

use std::collections::BTreeSet;

use backup_core::FormatError;
use backup_core::catalogue::{self, Backup, Entry as Catalogued};
use backup_core::failure::{Remedy, Setting};
use backup_core::manifest::Kind;
use backup_core::remedy;
use backup_core::source::{self, Choice, Chosen, Identity, Known, LATEST, Selector, Wish};
use backup_core::store::StoreRead;
use futures::TryStreamExt;

use super::{Entry, State, published, size, source_of, unvouched};
use crate::error::{ObjectError, ObjectResult};
use crate::key::{self, BackupKey, DEFAULT_NAME};

/// A backup as somebody asks for it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Sought<'a> {
    /// Which one.
    pub which: Selector,
    /// What it is called; [`DEFAULT_NAME`] if nothing else is said. A key says it itself.
    pub name: Option<&'a str>,
    /// Which source it is of: its id, its host or path, or [`source::UNKNOWN`]. A key says it itself.
    pub source: Option<&'a str>,
    /// The source whose own backups come first, such as the database that is restored into.
    pub here: Option<&'a Identity>,
    /// The newest that can be read although newer ones cannot.
    pub allow_older: bool,
}

impl<'a> Sought<'a> {
    /// The one that `which` means.
    #[must_use]
    pub fn new(which: impl Into<Selector>) -> Self {
        Self { which: which.into(), ..Self::default() }
    }

    /// The newest complete one called `name`.
    #[must_use]
    pub fn latest(name: &'a str) -> Self {
        Self::default().named(name)
    }

    /// What it is called.
    #[must_use]
    pub fn named(mut self, name: impl Into<Option<&'a str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Which source it is of: its id, its host or path, or [`source::UNKNOWN`].
    #[must_use]
    pub fn of_source(mut self, source: impl Into<Option<&'a str>>) -> Self {
        self.source = source.into();
        self
    }

    /// The source whose own backups come first.
    #[must_use]
    pub fn preferring(mut self, here: impl Into<Option<&'a Identity>>) -> Self {
        self.here = here.into();
        self
    }

    /// The newest that can be read although newer ones cannot.
    #[must_use]
    pub fn allow_older(mut self, allow: bool) -> Self {
        self.allow_older = allow;
        self
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

impl From<&str> for Sought<'_> {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<Selector> for Sought<'_> {
    fn from(which: Selector) -> Self {
        Self::new(which)
    }
}

/// The backup that was meant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Found {
    /// It.
    pub entry: Entry,
    /// Newer ones that were passed over, since something is left out of them or they are damaged; the newest first.
    pub passed_over: Vec<BackupKey>,
    /// Newer ones that cannot be read now, the newest first, a line each with why: see [`Sought::allow_older`].
    pub unreadable: Vec<String>,
}

/// The backup that is `sought`: that of a key as [`super::list`] shows it, whatever it lacks; or the newest complete one of
/// the name and the source that are meant (see [`backup_core::source`]).
///
/// # Errors
/// [`ObjectError::NoBackup`]; [`ObjectError::NotComplete`] if there are only others; [`ObjectError::Usage`] if several
/// sources have backups of the name and none is chosen; [`ObjectError::Damaged`] if tarball or manifest is gone or changed.
pub async fn find(store: &dyn StoreRead, sought: impl Into<Sought<'_>>) -> ObjectResult<Found> {
    let sought = sought.into();
    let missing =
        || ObjectError::NoBackup { which: sought.which.to_string(), location: store.describe(), known: Vec::new() };
    if let Selector::Key(text) = &sought.which {
        let key = BackupKey::of_text(text).ok_or_else(|| match BackupKey::at_a_path(text) {
            Some(key) => misplaced(store, text, "it is not the key of a backup", &key),
            None => missing(),
        })?;
        let entry = by_key(store, key, missing).await?;
        return Ok(Found { entry, passed_over: Vec::new(), unreadable: Vec::new() });
    }
    let name = sought.name.unwrap_or(DEFAULT_NAME);
    let all = OfName::read(store, name).await?;
    let (key, passed_over) = match all.newest(store, name, &sought) {
        Err(ObjectError::NoBackup { which, location, .. }) => {
            let mut known = names(store).await?;
            // What a run left that did not end is no backup.
            known.retain(|other| other != name);
            return Err(ObjectError::NoBackup { which, location, known });
        }
        found => found?,
    };
    let unreadable = all.unreadable_after(Some(&key)).map(|(_, fault)| fault.to_string()).collect();
    Ok(Found { entry: by_key(store, key, missing).await?, passed_over, unreadable })
}

/// Most sources whose option is told in full: a line each of what they are called goes before.
const SOURCES_TOLD_MAX: usize = 4;

/// Most names told of those that backups have.
const NAMES_MAX: usize = 10;

/// What backups are named here: one may have been meant.
async fn names(store: &dyn StoreRead) -> ObjectResult<Vec<String>> {
    let children = store.list_children(key::FOLDER).await?;
    Ok(children.iter().filter_map(|child| Some(child.strip_suffix('/')?.to_owned())).take(NAMES_MAX).collect())
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
        Err(backup_core::CoreError::Store(error)) if error.is_not_found() => {
            return Err(match (bytes, BackupKey::at_a_path(&key.to_string())) {
                (Some(_), Some(plain)) => misplaced(
                    store,
                    &at_object(&key)?,
                    "it has no manifest, so an interrupted run may have left it",
                    &plain,
                ),
                _ => missing(),
            });
        }
        Err(error) => return Err(error.into()),
    };
    let entry = published(key, &at, Ok(manifest), bytes);
    match &entry.state {
        State::Damaged(what) => Err(ObjectError::damaged(&entry.key.to_string(), what.clone())),
        _ => Ok(entry),
    }
}

fn at_object(key: &BackupKey) -> ObjectResult<String> {
    Ok(key.object()?.to_string())
}

/// A tarball that lies, or is named by a path, where none of gludb's is looked for. `key` is what it is called where it would be.
fn misplaced(store: &dyn StoreRead, file: &str, what: &str, key: &BackupKey) -> ObjectError {
    let location = store.describe();
    ObjectError::Misplaced {
        file: file.to_owned(),
        what: what.to_owned(),
        help: remedy![
            format!(
                "nothing was changed. A tarball of gludb lies directly in the location and is named by its file name alone: \
                 if gludb wrote it, move it to `{location}/{key}` and give the key `{key}`, or choose the folder or prefix that it is in with "
            ),
            Setting::Location
        ],
    }
}

/// All backups of one name.
struct OfName {
    keys: Vec<BackupKey>,
    known: Vec<Known>,
    /// Those whose manifest cannot be used.
    unusable: Vec<BackupKey>,
    /// Those whose manifest cannot be read now, and why.
    unreadable: Vec<(BackupKey, FormatError)>,
}

impl OfName {
    async fn read(store: &dyn StoreRead, name: &str) -> ObjectResult<Self> {
        let (folder, pointer) = (key::folder(name)?, key::pointer(name)?);
        let mut all = Self { keys: Vec::new(), known: Vec::new(), unusable: Vec::new(), unreadable: Vec::new() };
        // By the pointer as well: a listing that lags must not hide the newest.
        let pointed = catalogue::pointed(store, &pointer).await?;
        let pointed_key = pointed.as_ref().map(|backup| backup.key.clone());
        if let Some(Backup { key, manifest }) = pointed {
            all.add(Catalogued { key, manifest: Ok(manifest) });
        }
        let mut listed = Box::pin(catalogue::stream(store, &folder));
        while let Some(entry) = listed.try_next().await? {
            if Some(&entry.key) != pointed_key.as_ref() {
                all.add(entry);
            }
        }
        all.unreadable.sort_by(|left, right| right.0.cmp(&left.0));
        Ok(all)
    }

    /// Those that cannot be read and may be newer than `key`, or than none; the newest first.
    fn unreadable_after(&self, key: Option<&BackupKey>) -> impl Iterator<Item = &(BackupKey, FormatError)> {
        let since = key.map(BackupKey::time);
        self.unreadable.iter().filter(move |(other, _)| since.is_none_or(|since| other.time() > since))
    }

    /// Why the backup of `key` is not taken without a word: what cannot be read may be what is meant.
    fn unless_older(&self, key: Option<&BackupKey>, sought: &Sought<'_>) -> ObjectResult<()> {
        let until = sought.which.until();
        let is_meant = |other: &BackupKey| until.is_none_or(|until| other.time().is_none_or(|time| time <= until));
        let mut newer = self.unreadable_after(key).filter(|(other, _)| is_meant(other));
        match newer.next().filter(|_| !sought.allow_older) {
            None => Ok(()),
            Some((_, fault)) => {
                let (what, more) = (fault.to_string(), newer.count());
                Err(ObjectError::NewerUnreadable { what, more, older: key.map(ToString::to_string) })
            }
        }
    }

    fn add(&mut self, entry: Catalogued) {
        let Some(key) = BackupKey::of_manifest(&entry.key) else { return };
        match entry.manifest {
            Ok(manifest) if manifest.kind == Kind::App => {
                self.known.push(Known::of(&manifest));
                self.keys.push(key);
            }
            Err(error) if error.is_unreadable() => self.unreadable.push((key, error)),
            _ => self.unusable.push(key),
        }
    }

    /// The newest complete one of the source that is meant, and what is newer.
    fn newest(
        &self,
        store: &dyn StoreRead,
        name: &str,
        sought: &Sought<'_>,
    ) -> ObjectResult<(BackupKey, Vec<BackupKey>)> {
        let choice = Choice { until: sought.which.until(), ..Choice::latest(sought.wish(&self.known)) };
        let chosen = source::choose(&self.known, &choice);
        match &chosen {
            Chosen::One { at, .. } => self.unless_older(Some(&self.keys[*at]), sought)?,
            Chosen::NotEnough { .. } | Chosen::Nothing => self.unless_older(None, sought)?,
            _ => {}
        }
        let (at, passed_over) = match chosen {
            Chosen::One { at, passed_over } => (at, passed_over),
            Chosen::NotEnough { others, .. } => return Err(self.none_complete(store, name, others)),
            Chosen::Nothing if self.unusable.is_empty() && self.unreadable.is_empty() => {
                return Err(ObjectError::NoBackup {
                    which: format!("{name}/{LATEST}"),
                    location: store.describe(),
                    known: Vec::new(),
                });
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
        let others = others + self.unusable.len() + self.unreadable.len();
        ObjectError::NotComplete { name: name.to_owned(), location: store.describe(), others }
    }

    fn refusal(&self, name: &str, sought: &Sought<'_>, chosen: &Chosen) -> ObjectError {
        if let Chosen::Ambiguous(newest) = chosen {
            let each: Vec<String> =
                newest.iter().map(|&at| format!("{} (newest `{}`)", self.source(at), self.keys[at])).collect();
            return ObjectError::usage(
                format!("backups named `{name}` come from {} sources: {}", each.len(), each.join(", ")),
                self.one_of(newest),
            );
        }
        if let Chosen::TooYoung(oldest) = chosen {
            return ObjectError::usage(
                format!("no backup named `{name}` is that old"),
                format!("nothing was changed. The oldest is `{}`", self.keys[*oldest]),
            );
        }
        let there: BTreeSet<String> = (0..self.known.len()).map(|at| self.source(at)).collect();
        let there: Vec<String> = there.into_iter().collect();
        ObjectError::usage(
            format!("no backup named `{name}` comes from the source `{}`", sought.source.unwrap_or_default()),
            format!("nothing was changed. There are backups of {}", there.join(", ")),
        )
    }

    /// To choose one of these: what each is called, ready to be copied.
    fn one_of(&self, newest: &[usize]) -> Remedy {
        let id =
            |at: usize| self.known[at].identity.as_ref().map_or(source::UNKNOWN, |identity| &identity.id).to_owned();
        let each = newest.iter().take(SOURCES_TOLD_MAX).enumerate().fold(Remedy::default(), |told, (place, &at)| {
            let between = if place == 0 { "nothing was changed. Choose one with " } else { " or " };
            told.and(remedy![between, Setting::Source.with(id(at))])
        });
        each.and(", or give the key of a backup")
    }

    fn source(&self, at: usize) -> String {
        source_of(self.known[at].identity.as_ref())
    }
}
