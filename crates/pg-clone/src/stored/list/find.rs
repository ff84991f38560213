//! Finds the dump that a selector means.

use std::collections::BTreeSet;

use backup_core::catalogue::{self, Backup, Entry};
use backup_core::error::FormatError;
use backup_core::failure::{Remedy, Setting};
use backup_core::key::Key;
use backup_core::manifest::Manifest;
use backup_core::remedy;
use backup_core::source::{self, Choice, Chosen, Known};
use backup_core::store::StoreRead;
use futures::TryStreamExt;
use jiff::Timestamp;

use super::selector::{Selector, Wanted, Which, of_database};
use super::{Filter, database_names, entries, folder_of, read_manifest, usable};
use crate::error::{PgError, PgResult};
use crate::stored::completeness::settle;
use crate::stored::detail::DumpDetail;
use crate::stored::key::{DumpKey, POINTER_NAME, ROOT};
use crate::stored::legacy::{self, LegacyDump};

/// Candidates named when a key's beginning means several dumps.
const CANDIDATES_SHOWN: usize = 8;

/// Databases of a location that are looked at to name those with dumps: each is a request.
const DATABASES_LOOKED_MAX: usize = 64;

/// The dump that was meant.
#[derive(Clone, Debug)]
pub enum Found {
    /// One of ours.
    Ours {
        /// Its key, as people write it.
        key: String,
        /// Its manifest.
        manifest: Box<Manifest<DumpDetail>>,
        /// Newer dumps that were passed over, since something is left out of them or they are damaged; the newest first.
        passed_over: Vec<String>,
        /// Newer dumps that cannot be read now, the newest first, each with why: see [`Wanted::allow_older`].
        unreadable: Vec<String>,
    },
    /// A single-file dump of django-pgclone.
    Legacy {
        /// Its key, as people write it.
        key: String,
        /// The database it is of, as its key says.
        database: String,
        /// The object.
        object: Key,
        /// When it was made, as its key says.
        created_at: Timestamp,
        /// Its size.
        bytes: u64,
    },
}

impl Found {
    /// The database that was dumped.
    #[must_use]
    pub fn database(&self) -> &str {
        match self {
            Self::Ours { manifest, .. } => &manifest.source,
            Self::Legacy { database, .. } => database,
        }
    }

    /// Its key, as people write it.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Ours { key, .. } | Self::Legacy { key, .. } => key,
        }
    }
}

impl From<LegacyDump> for Found {
    fn from(dump: LegacyDump) -> Self {
        Self::Legacy {
            key: dump.key.to_string(),
            database: dump.key.database,
            object: dump.object,
            created_at: dump.key.timestamp,
            bytes: dump.bytes,
        }
    }
}

/// Finds the dump that is meant. Words are tried in this order:
///
/// 1. a dump's whole key, whatever its state;
/// 2. a database: its newest complete dump of the cluster and configuration that are meant (see
///    [`backup_core::source`]), or where it has none of ours, its newest single-file dump;
/// 3. `DATABASE~2`: as many complete dumps before that one, single-file dumps counting after all of ours;
/// 4. `DATABASE@2026-11-21T03:00:00Z`, with a time as in RFC 3339: the newest complete dump from then or before;
/// 5. the beginning of a key, if it means one dump only.
///
/// # Errors
/// [`PgError::NoDump`], or [`PgError::Store`] with `Invalid` for what cannot be a key at all; [`PgError::NoCompleteDump`]
/// if the database has dumps and none is complete, [`PgError::TooFewDumps`] if it has not so many, [`PgError::NoDumpSoEarly`]
/// if all are younger; [`PgError::Usage`] naming the candidates if a beginning means several, or if several
/// clusters have dumps of the database and none is named; [`PgError::Format`] if the dump's manifest cannot be used.
pub async fn find(store: &dyn StoreRead, wanted: impl Into<Wanted>) -> PgResult<Found> {
    let asked = wanted.into();
    let which = match &asked.selector {
        Selector::Words(words) => return by_words(store, &asked, words).await,
        Selector::Key(key) => {
            return by_key(store, key).await?.ok_or_else(|| no_dump(store, key));
        }
        Selector::Latest { back, .. } => Which::Back(*back),
        Selector::At { time, .. } => Which::At(*time),
    };
    let (Selector::Latest { database, .. } | Selector::At { database, .. }) = &asked.selector else {
        return Err(no_dump(store, &asked.selector.to_string()));
    };
    match by_database(store, &asked, database, which).await? {
        ByDatabase::Found(found) => Ok(*found),
        ByDatabase::NoneGood(error) => Err(error),
        ByDatabase::Unknown => Err(no_dump_of(store, database).await),
    }
}

async fn by_words(store: &dyn StoreRead, asked: &Wanted, words: &str) -> PgResult<Found> {
    if let Some(found) = by_key(store, words).await? {
        return Ok(found);
    }
    let mut refusal = None;
    for (database, which) in of_database(words) {
        match by_database(store, asked, database, which).await? {
            ByDatabase::Found(found) => return Ok(*found),
            ByDatabase::NoneGood(error) => refusal = refusal.or(Some(error)),
            ByDatabase::Unknown => {}
        }
    }
    if let Some(error) = refusal {
        return Err(error);
    }
    match by_beginning(store, words).await {
        // Said only now: a database's name may hold what a key may not.
        Err(PgError::NoDump { .. }) if !words.is_empty() => {
            Key::new(words)?;
            match mistyped(store, asked, words).await? {
                Some(mistyped) => Err(mistyped),
                None if words.contains('/') => Err(no_dump(store, words)),
                None => Err(no_dump_of(store, words).await),
            }
        }
        found => found,
    }
}

/// What somebody meant who typed a database that has dumps, and behind it what is neither a time nor a number.
async fn mistyped(store: &dyn StoreRead, asked: &Wanted, words: &str) -> PgResult<Option<PgError>> {
    let Some((at, sign)) = words.char_indices().rfind(|(_, sign)| matches!(sign, '@' | '~')) else { return Ok(None) };
    let (database, rest) = (&words[..at], &words[at + sign.len_utf8()..]);
    if matches!(by_database(store, asked, database, Which::Back(0)).await?, ByDatabase::Unknown) {
        return Ok(None);
    }
    let (what, example) = match sign {
        '@' => (format!("`{rest}` is not a time with its offset or `Z`"), format!("{database}@2026-11-21T03:00:00Z")),
        _ => (format!("`{rest}` is not a number of dumps to go back"), format!("{database}~1")),
    };
    Ok(Some(PgError::Usage { what, help: format!("write it as in `{example}`; nothing was changed").into() }))
}

fn no_dump(store: &dyn StoreRead, wanted: &str) -> PgError {
    PgError::NoDump { wanted: wanted.to_owned(), location: store.describe(), databases: Vec::new() }
}

/// [`no_dump`] of a database, with those that have some.
async fn no_dump_of(store: &dyn StoreRead, database: &str) -> PgError {
    // Best effort: an error about what was asked for is not replaced by one about what is there instead.
    let folders = store.list_children(&format!("{ROOT}/")).await.unwrap_or_default();
    let mut databases = match folders.len() {
        0..=DATABASES_LOOKED_MAX => database_names(store).await.unwrap_or_default(),
        _ => Vec::new(),
    };
    databases.truncate(CANDIDATES_SHOWN);
    PgError::NoDump { wanted: database.to_owned(), location: store.describe(), databases }
}

/// The whole key, ours first. Read by its name, so that a listing that lags cannot hide it.
async fn by_key(store: &dyn StoreRead, wanted: &str) -> PgResult<Option<Found>> {
    // A database's name may be written as it is, too: with `%`, or with `/`.
    let plain = || wanted.rsplit_once('/').and_then(|(database, name)| DumpKey::parse_folder_name(database, name));
    let wanted = wanted.trim_end_matches('/');
    for key in DumpKey::parse(wanted).into_iter().chain(plain()) {
        match read_manifest(store, &key).await {
            Ok(manifest) => {
                let (key, manifest) = (key.to_string(), Box::new(manifest));
                return Ok(Some(Found::Ours { key, manifest, passed_over: Vec::new(), unreadable: Vec::new() }));
            }
            Err(PgError::Store(error)) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    for text in [wanted.to_owned(), format!("{ROOT}/{wanted}")] {
        if let Ok(object) = Key::new(text)
            && let Some(dump) = legacy::get(store, &object).await?
        {
            return Ok(Some(dump.into()));
        }
    }
    Ok(None)
}

enum ByDatabase {
    Found(Box<Found>),
    NoneGood(PgError),
    Unknown,
}

async fn by_database(store: &dyn StoreRead, wanted: &Wanted, database: &str, which: Which) -> PgResult<ByDatabase> {
    // What cannot be a folder's name is no database; the key or its beginning may still mean something.
    let Ok(folder) = DumpKey::database_folder(database) else { return Ok(ByDatabase::Unknown) };
    let ours = OfDatabase::read(store, database, &folder.join(POINTER_NAME)?).await?;
    let back = which.back();
    let config = wanted.config.as_deref();
    let choice = Choice { config, back, until: which.until(), ..Choice::latest(wanted.wish()) };
    let mut chosen = source::choose(&ours.known, &choice);
    if chosen == Chosen::NoSuchConfig && wanted.config_may_be_missing {
        chosen = source::choose(&ours.known, &Choice { config: None, ..choice });
    }
    let mut oldest = None;
    let eligible = match chosen {
        Chosen::One { at, passed_over } => {
            if let Some(error) = ours.refused_as_older(database, wanted, which, Some(at)) {
                return Ok(ByDatabase::NoneGood(error));
            }
            return ours.found(store, at, &passed_over, which).await;
        }
        Chosen::Nothing => 0,
        Chosen::TooYoung(at) => {
            oldest = Some(ours.keys[at].to_string());
            0
        }
        Chosen::NotEnough { eligible, .. } => eligible,
        refused => return Ok(ByDatabase::NoneGood(ours.refusal(database, wanted, &refused))),
    };
    // Single-file dumps are older than all of ours.
    if let Some(error) = ours.refused_as_older(database, wanted, which, None) {
        return Ok(ByDatabase::NoneGood(error));
    }
    let mut legacy = legacy_of(store, wanted, database).await?;
    let oldest = oldest.or_else(|| legacy.first().map(|dump| dump.key.to_string()));
    legacy.retain(|dump| which.sees(dump.key.timestamp));
    let found = eligible + legacy.len();
    if let Some(dump) = legacy.into_iter().rev().nth(back.saturating_sub(eligible)) {
        return Ok(ByDatabase::Found(Box::new(dump.into())));
    }
    let others = ours.known.len() - eligible + ours.unusable.len() + ours.unreadable.len();
    if let (Which::At(time), Some(oldest), 0) = (which, oldest, found) {
        let (database, location) = (database.to_owned(), store.describe());
        return Ok(ByDatabase::NoneGood(PgError::NoDumpSoEarly { database, time, oldest, location }));
    }
    if found + others == 0 {
        return Ok(ByDatabase::Unknown);
    }
    Ok(ByDatabase::NoneGood(not_enough(store, database, found, others)))
}

/// Single-file dumps of the database; they do not say which cluster they are of.
async fn legacy_of(store: &dyn StoreRead, wanted: &Wanted, database: &str) -> PgResult<Vec<LegacyDump>> {
    let mut legacy = legacy::list(store).await?;
    let (config, cluster) = (wanted.config.clone(), wanted.cluster.clone());
    let filter = Filter { database: Some(database.to_owned()), config, cluster, ..Filter::default() };
    legacy.retain(|dump| dump.bytes > 0 && filter.takes(&dump.key.database, &dump.key.config, None));
    Ok(legacy)
}

fn not_enough(store: &dyn StoreRead, database: &str, found: usize, others: usize) -> PgError {
    let location = store.describe();
    if found > 0 {
        return PgError::TooFewDumps { database: database.to_owned(), found, location };
    }
    PgError::NoCompleteDump { database: database.to_owned(), location, others }
}

/// All dumps of one database.
struct OfDatabase {
    keys: Vec<DumpKey>,
    known: Vec<Known>,
    /// Those whose manifest cannot be used.
    unusable: Vec<DumpKey>,
    /// Those whose manifest cannot be read now, and why.
    unreadable: Vec<(DumpKey, FormatError)>,
}

impl OfDatabase {
    async fn read(store: &dyn StoreRead, database: &str, pointer: &Key) -> PgResult<Self> {
        let (mut keys, mut known, mut unusable, mut unreadable) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut add = |key: DumpKey, entry: Entry| match entry.manifest.map(|it| usable(&entry.key, it)) {
            Ok(Some(manifest)) => {
                known.push(Known::of(&manifest));
                keys.push(key);
            }
            Err(error) if error.is_unreadable() => unreadable.push((key, error)),
            Ok(None) | Err(_) => unusable.push(key),
        };
        // By the pointer as well: a listing that lags must not hide the newest.
        let pointed = catalogue::pointed(store, pointer).await?;
        let pointed =
            pointed.and_then(|Backup { key, manifest }| Some((DumpKey::of_manifest(&key)?, key, settle(manifest))));
        let pointed_key = pointed.as_ref().map(|(key, ..)| key.clone());
        if let Some((key, at, manifest)) = pointed {
            add(key, Entry { key: at, manifest: Ok(manifest) });
        }
        let folder = folder_of(Some(database))?;
        let mut found = entries(store, &folder);
        while let Some((key, entry)) = found.try_next().await? {
            if Some(&key) != pointed_key.as_ref() {
                add(key, entry);
            }
        }
        unreadable.sort_by(|left, right| right.0.cmp(&left.0));
        Ok(Self { keys, known, unusable, unreadable })
    }

    /// Those that cannot be read and may be newer than the one at `at`, or than none; the newest first.
    fn unreadable_after(&self, at: Option<usize>, which: Which) -> impl Iterator<Item = &(DumpKey, FormatError)> {
        let since = at.map(|at| self.keys[at].timestamp);
        let after = move |(key, _): &&(DumpKey, FormatError)| {
            since.is_none_or(|since| key.timestamp > since) && which.sees(key.timestamp)
        };
        self.unreadable.iter().filter(after)
    }

    /// Why the one at `at`, or a single-file dump, is not taken without a word: what cannot be read may be what is meant.
    fn refused_as_older(&self, database: &str, wanted: &Wanted, which: Which, at: Option<usize>) -> Option<PgError> {
        let mut newer = self.unreadable_after(at, which);
        let (_, fault) = newer.next().filter(|_| !wanted.allow_older)?;
        let (database, more, what) = (database.to_owned(), newer.count(), fault.to_string());
        let older = at.map(|at| self.keys[at].to_string());
        Some(PgError::NewerUnreadable { database, what, more, older })
    }

    async fn found(
        &self,
        store: &dyn StoreRead,
        at: usize,
        passed_over: &[usize],
        which: Which,
    ) -> PgResult<ByDatabase> {
        let key = &self.keys[at];
        let manifest = Box::new(read_manifest(store, key).await?);
        // A damaged one has no sequence to go by.
        let newer = self.unusable.iter().filter(|other| other.timestamp > key.timestamp && which.sees(other.timestamp));
        let mut passed_over: Vec<&DumpKey> = passed_over.iter().map(|&at| &self.keys[at]).chain(newer).collect();
        passed_over.sort();
        let passed_over = passed_over.into_iter().rev().map(ToString::to_string).collect();
        let unreadable = self.unreadable_after(Some(at), which).map(|(_, fault)| fault.to_string()).collect();
        Ok(ByDatabase::Found(Box::new(Found::Ours { key: key.to_string(), manifest, passed_over, unreadable })))
    }

    fn refusal(&self, database: &str, wanted: &Wanted, chosen: &Chosen) -> PgError {
        let (what, help) = match chosen {
            Chosen::Ambiguous(newest) => {
                let each = newest.iter().map(|&at| format!("{} (newest `{}`)", self.cluster(at), self.keys[at]));
                let each: Vec<String> = each.collect();
                (
                    format!("dumps of `{database}` come from {} clusters: {}", each.len(), each.join(", ")),
                    remedy!["choose one with ", Setting::Cluster.with("HOST|ID"), ", or give the key of a dump"],
                )
            }
            Chosen::NoSuchSource => (
                format!(
                    "no dump of `{database}` comes from the cluster `{}`",
                    wanted.cluster.as_deref().unwrap_or_default()
                ),
                format!("there are dumps of {}", self.distinct(|at| self.cluster(at))).into(),
            ),
            _ => (
                format!(
                    "no dump of `{database}` was made with the configuration `{}`",
                    wanted.config.as_deref().unwrap_or_default()
                ),
                format!("there are dumps of {}", self.distinct(|at| format!("`{}`", self.known[at].config))).into(),
            ),
        };
        PgError::Usage { what, help: Remedy::and(help, "; nothing was changed") }
    }

    fn cluster(&self, at: usize) -> String {
        self.known[at].identity.as_ref().map_or_else(|| source::UNKNOWN.to_owned(), ToString::to_string)
    }

    fn distinct(&self, name: impl Fn(usize) -> String) -> String {
        let names: BTreeSet<String> = (0..self.known.len()).map(name).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    }
}

async fn by_beginning(store: &dyn StoreRead, wanted: &str) -> PgResult<Found> {
    let begins = |key: &DumpKey| !wanted.is_empty() && key.to_string().starts_with(wanted);
    let folder = folder_of(None)?;
    let mut keys: Vec<(DumpKey, Option<LegacyDump>)> = Vec::new();
    let mut ours = entries(store, &folder);
    while let Some((key, _)) = ours.try_next().await? {
        if begins(&key) {
            keys.push((key, None));
        }
    }
    let legacy = legacy::list(store).await?;
    keys.extend(legacy.into_iter().filter(|dump| begins(&dump.key)).map(|dump| (dump.key.clone(), Some(dump))));
    keys.sort_by(|left, right| left.0.cmp(&right.0));
    match keys.len() {
        0 => Err(no_dump(store, wanted)),
        1 => match keys.swap_remove(0) {
            (_, Some(dump)) => Ok(dump.into()),
            (key, None) => {
                let manifest = Box::new(read_manifest(store, &key).await?);
                let key = key.to_string();
                Ok(Found::Ours { key, manifest, passed_over: Vec::new(), unreadable: Vec::new() })
            }
        },
        count => Err(ambiguous(wanted, count, &keys)),
    }
}

fn ambiguous(wanted: &str, count: usize, keys: &[(DumpKey, Option<LegacyDump>)]) -> PgError {
    let newest = keys.iter().rev().take(CANDIDATES_SHOWN).map(|(key, _)| format!("`{key}`"));
    let mut candidates: Vec<String> = newest.collect();
    if count > CANDIDATES_SHOWN {
        candidates.push(format!("and {} older ones", count - CANDIDATES_SHOWN));
    }
    PgError::Usage {
        what: format!("`{wanted}` matches {count} dumps: {}", candidates.join(", ")),
        help: "give more of the key, or only the database's name for its newest complete dump".into(),
    }
}
