//! Finds the dump that a key, a database's name or the beginning of a key means.

use backup_core::catalogue;
use backup_core::key::Key;
use backup_core::manifest::{Manifest, Outcome};
use backup_core::store::StoreRead;
use futures::TryStreamExt;
use jiff::Timestamp;

use super::{entries, folder_of, read_manifest, typed};
use crate::detail::DumpDetail;
use crate::dump_key::{DumpKey, POINTER_NAME, ROOT};
use crate::error::{PgError, PgResult};
use crate::legacy::{self, LegacyDump};

/// Candidates named when a key's beginning means several dumps.
const CANDIDATES_SHOWN: usize = 8;

/// The dump that was meant.
#[derive(Clone, Debug)]
pub enum Found {
    /// One of ours.
    Ours {
        /// Its key, as people write it.
        key: String,
        /// Its manifest.
        manifest: Box<Manifest<DumpDetail>>,
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

/// Finds what `wanted` means, tried in this order:
///
/// 1. a dump's whole key, whatever its state;
/// 2. a database: its newest good dump, or where it has none of ours, its newest single-file dump;
/// 3. `DATABASE~2`: as many good dumps before that one, single-file dumps counting after all of ours;
/// 4. the beginning of a key, if it means one dump only.
///
/// # Errors
/// [`PgError::NoDump`], or [`PgError::Store`] with `Invalid` for what cannot be a key at all; [`PgError::Refused`] if the
/// database has dumps and none is good; [`PgError::Usage`] naming the candidates if a beginning means several;
/// [`PgError::Format`] if the dump's manifest cannot be used.
pub async fn find(store: &dyn StoreRead, wanted: &str) -> PgResult<Found> {
    if let Some(found) = by_key(store, wanted).await? {
        return Ok(found);
    }
    let mut refusal = None;
    for (database, back) in database_and_back(wanted) {
        match by_database(store, database, back).await? {
            ByDatabase::Found(found) => return Ok(*found),
            ByDatabase::NoneGood(error) => refusal = refusal.or(Some(error)),
            ByDatabase::Unknown => {}
        }
    }
    if let Some(error) = refusal {
        return Err(error);
    }
    match by_beginning(store, wanted).await {
        // Said only now: a database's name may hold what a key may not.
        Err(PgError::NoDump { .. }) if !wanted.is_empty() => {
            Key::new(wanted)?;
            Err(PgError::NoDump { wanted: wanted.to_owned(), location: store.describe() })
        }
        found => found,
    }
}

/// The whole key, ours first. Read by its name, so that a listing that lags cannot hide it.
async fn by_key(store: &dyn StoreRead, wanted: &str) -> PgResult<Option<Found>> {
    // A database's name may be written as it is, too: with `%`, or with `/`.
    let plain = || wanted.rsplit_once('/').and_then(|(database, name)| DumpKey::parse_folder_name(database, name));
    let wanted = wanted.trim_end_matches('/');
    for key in DumpKey::parse(wanted).into_iter().chain(plain()) {
        match read_manifest(store, &key).await {
            Ok(manifest) => return Ok(Some(Found::Ours { key: key.to_string(), manifest: Box::new(manifest) })),
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

/// `shop~2` is two before the newest of `shop`, unless there is a database of that very name.
fn database_and_back(wanted: &str) -> impl Iterator<Item = (&str, usize)> {
    let counted = wanted.rsplit_once('~').and_then(|(database, back)| Some((database, back.parse().ok()?)));
    [Some((wanted, 0)), counted].into_iter().flatten().filter(|(database, _)| !database.is_empty())
}

enum ByDatabase {
    Found(Box<Found>),
    NoneGood(PgError),
    Unknown,
}

async fn by_database(store: &dyn StoreRead, database: &str, back: usize) -> PgResult<ByDatabase> {
    // What cannot be a folder's name is no database; the key or its beginning may still mean something.
    let Ok(folder) = DumpKey::database_folder(database) else { return Ok(ByDatabase::Unknown) };
    if back == 0 {
        // By the pointer as well: a listing that lags must not hide the newest.
        let pointer = folder.join(POINTER_NAME)?;
        if let Some((key, manifest)) = catalogue::latest(store, &format!("{folder}/"), &pointer).await? {
            let manifest = Box::new(typed(&key, manifest)?);
            let key = DumpKey::of_manifest(&key).map_or_else(|| key.to_string(), |key| key.to_string());
            return Ok(ByDatabase::Found(Box::new(Found::Ours { key, manifest })));
        }
    }
    let (good, other) = ours(store, database).await?;
    if let Some(key) = good.iter().rev().nth(back) {
        let manifest = Box::new(read_manifest(store, key).await?);
        return Ok(ByDatabase::Found(Box::new(Found::Ours { key: key.to_string(), manifest })));
    }
    let mut legacy = legacy::list(store).await?;
    legacy.retain(|dump| dump.key.database == database && dump.bytes > 0);
    let found = legacy.len();
    if let Some(dump) = legacy.into_iter().rev().nth(back.saturating_sub(good.len())) {
        return Ok(ByDatabase::Found(Box::new(dump.into())));
    }
    if good.len() + found > 0 {
        return Ok(ByDatabase::NoneGood(PgError::Refused {
            what: format!("`{database}` has only {} dumps to go back to in {}", good.len() + found, store.describe()),
            help: format!("`lastgood pg ls {database}` shows them"),
        }));
    }
    if other > 0 {
        return Ok(ByDatabase::NoneGood(PgError::Refused {
            what: format!("`{database}` has no good dump in {}: {other} are partial or damaged", store.describe()),
            help: format!("`lastgood pg ls {database}` shows them; a partial one can be restored by its whole key"),
        }));
    }
    Ok(ByDatabase::Unknown)
}

/// The good dumps of ours, by [`catalogue::order`], and how many others there are.
async fn ours(store: &dyn StoreRead, database: &str) -> PgResult<(Vec<DumpKey>, usize)> {
    let mut good = Vec::new();
    let mut other = 0;
    let folder = folder_of(Some(database))?;
    let mut found = entries(store, &folder);
    while let Some((key, entry)) = found.try_next().await? {
        match &entry.manifest {
            Ok(manifest) if manifest.outcome == Outcome::Good => good.push((catalogue::order(manifest), key)),
            _ => other += 1,
        }
    }
    good.sort();
    Ok((good.into_iter().map(|(_, key)| key).collect(), other))
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
        0 => Err(PgError::NoDump { wanted: wanted.to_owned(), location: store.describe() }),
        1 => match keys.swap_remove(0) {
            (_, Some(dump)) => Ok(dump.into()),
            (key, None) => {
                let manifest = Box::new(read_manifest(store, &key).await?);
                Ok(Found::Ours { key: key.to_string(), manifest })
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
        what: format!("`{wanted}` may mean {count} dumps: {}", candidates.join(", ")),
        help: "give more of the key, or only the database's name for its newest good dump".to_owned(),
    }
}
