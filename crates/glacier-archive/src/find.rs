//! Lists backups, and reads one: its manifest and the list of its files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use backup_core::FormatError;
use backup_core::catalogue;
use backup_core::key::Key;
use backup_core::manifest::{Manifest, Outcome};
use backup_core::pipeline::read_part;
use backup_core::source::{Identity, Miss};
use backup_core::store::{SharedStore, StoreRead};
use jiff::Timestamp;
use serde::Serialize;

use crate::database::objects;
use crate::detail::{GlacierDetail, GlacierManifest, IDENTITY, ROLE_FILES};
use crate::error::{GlacierError, GlacierResult};
use crate::key::{self, BackupKey, FOLDER, Which};
use crate::listing::{self, LISTING_BYTES_MAX, Listed};
use crate::vaulted::VaultArchive;

/// A backup of a location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedBackup {
    /// Its key.
    pub key: BackupKey,
    /// When it was made.
    pub time: Option<Timestamp>,
    /// Files in it.
    pub files: u64,
    /// Bytes of their contents.
    pub bytes: u64,
    /// Archives it consists of.
    pub archives: u64,
    /// The database in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Whether all files of its folder are in it; absent if it is damaged.
    pub outcome: Option<Outcome>,
    /// Why it cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
}

/// A backup, whole but for the contents.
#[derive(Clone, Debug)]
pub struct Backup {
    /// Its key.
    pub key: BackupKey,
    /// Its manifest.
    pub manifest: GlacierManifest,
    /// Its files, by name.
    pub files: Vec<Listed>,
    /// The objects of the dump of its database, by their names where they were dumped to; none if it has none.
    pub database: Vec<Listed>,
}

#[cfg(test)]
impl Backup {
    /// A backup of files of these names.
    pub(crate) fn example(name: &str, files: &[&str]) -> Self {
        let listed = |name: &&str| Listed { entry: crate::entry::Entry::example(name, b""), part: None, offset: 0 };
        let detail = GlacierDetail {
            classes: Vec::new(),
            vault: None,
            vaulted: Vec::new(),
            database: None,
            database_only: false,
            failed: Vec::new(),
            excluded: crate::pattern::Excluded::default(),
        };
        let manifest = Manifest::new(backup_core::manifest::Kind::Glacier, name, Timestamp::UNIX_EPOCH, detail);
        let key = BackupKey { name: name.to_owned(), time: "then".to_owned() };
        Self { key, manifest, files: files.iter().map(listed).collect(), database: Vec::new() }
    }
}

/// The backups called `name`, or all, by name and time.
///
/// # Errors
/// What the store says. A backup that cannot be used is an entry, not an error.
pub async fn list(store: &dyn StoreRead, name: Option<&str>) -> GlacierResult<Vec<ListedBackup>> {
    let names = match name {
        Some(name) => {
            key::check_name(name)?;
            vec![name.to_owned()]
        }
        None => {
            let children = store.list_children(FOLDER).await?;
            let folders = children.iter().filter_map(|child| child.strip_suffix('/'));
            folders.filter(|name| key::check_name(name).is_ok()).map(str::to_owned).collect()
        }
    };
    let mut backups = Vec::new();
    for name in names {
        for entry in catalogue::list(store, &key::backups(&name)).await? {
            let Some(key) = BackupKey::of_manifest(&entry.key) else { continue };
            backups.push(match entry.manifest {
                Ok(manifest) => of_manifest(key, &manifest),
                Err(error) => damaged(key, error.to_string()),
            });
        }
    }
    Ok(backups)
}

/// That nothing here is called `name` although there are backups of other names; also what a run left that did not end counts.
///
/// # Errors
/// What the store says.
pub async fn miss(store: &dyn StoreRead, name: &str) -> GlacierResult<Option<Miss>> {
    let folders = store.list_children(FOLDER).await?;
    let names: Vec<&str> = folders.iter().filter_map(|child| child.strip_suffix('/')).collect();
    let what = || format!("no backup named `{name}` in {}", store.describe());
    Ok(if names.contains(&name) { None } else { Miss::instead(what(), "backups named", names) })
}

fn of_manifest(key: BackupKey, manifest: &Manifest) -> ListedBackup {
    let count = |name: &str| manifest.counts.get(name).copied().unwrap_or_default();
    ListedBackup {
        key,
        time: Some(manifest.created_at),
        files: count("files"),
        bytes: count("bytes"),
        archives: manifest.parts.iter().filter(|part| part.role != ROLE_FILES).count() as u64,
        database: manifest.detail["database"]["database"].as_str().map(str::to_owned),
        outcome: Some(manifest.outcome),
        damage: None,
    }
}

fn damaged(key: BackupKey, why: String) -> ListedBackup {
    ListedBackup { key, time: None, files: 0, bytes: 0, archives: 0, database: None, outcome: None, damage: Some(why) }
}

/// Reads the backup that is meant: the newest of its name, unless a time is given. One that lacks files counts, too: what
/// it has is as good as in any other.
///
/// # Errors
/// [`GlacierError::NoBackup`]; [`GlacierError::NewerUnreadable`]; why it cannot be used; what the store says.
pub async fn find(store: &SharedStore, which: &Which) -> GlacierResult<Backup> {
    let (found, newer) = sought(store, which).await?;
    if let Some(fault) = newer.into_iter().next() {
        let key = found.as_ref().and_then(|found| BackupKey::of_manifest(&found.key));
        return Err(GlacierError::NewerUnreadable { what: fault.to_string(), older: key.map(|key| key.to_string()) });
    }
    read_found(store, which, found).await
}

/// The same, but where newer backups cannot be read now it takes the newest that can be, and says of the others why not, the
/// newest first.
///
/// # Errors
/// As [`find`].
pub async fn find_readable(store: &SharedStore, which: &Which) -> GlacierResult<(Backup, Vec<String>)> {
    let (found, newer) = sought(store, which).await?;
    let backup = read_found(store, which, found).await?;
    Ok((backup, newer.iter().map(ToString::to_string).collect()))
}

async fn read_found(store: &SharedStore, which: &Which, found: Option<catalogue::Backup>) -> GlacierResult<Backup> {
    let no_backup = || GlacierError::NoBackup { which: which.to_string(), location: store.describe() };
    let catalogue::Backup { key, manifest } = found.ok_or_else(no_backup)?;
    let key = BackupKey::of_manifest(&key).ok_or_else(no_backup)?;
    read(store, key, manifest).await
}

/// The manifest that is meant, if it is there, and why newer ones cannot be read, the newest first.
async fn sought(store: &SharedStore, which: &Which) -> GlacierResult<(Option<catalogue::Backup>, Vec<FormatError>)> {
    if let Some(time) = &which.time {
        let key = BackupKey { name: which.name.clone(), time: time.clone() }.manifest()?;
        return match catalogue::read(&**store, &key).await {
            Ok(manifest) => Ok((Some(catalogue::Backup { key, manifest }), Vec::new())),
            Err(backup_core::CoreError::Store(error)) if error.is_not_found() => Ok((None, Vec::new())),
            Err(error) => Err(error.into()),
        };
    }
    let (folder, pointer) = (key::backups(&which.name), key::pointer(&which.name)?);
    let (newest, mut newer) = catalogue::newest_readable(&**store, &folder, &pointer, |_| true).await?;
    // Their keys sort by time.
    newer.retain(|(key, _)| newest.as_ref().is_none_or(|newest| *key > newest.key));
    newer.sort_by(|(one, _), (other, _)| other.cmp(one));
    Ok((newest, newer.into_iter().map(|(_, fault)| fault).collect()))
}

impl Backup {
    /// The folder that its files were in, if that is one of this machine.
    #[must_use]
    pub fn folder(&self) -> Option<PathBuf> {
        folder_of(self.manifest.identity.as_ref()?)
    }

    /// What the vault calls the archives of this backup.
    #[must_use]
    pub fn vaulted(&self) -> BTreeMap<Key, VaultArchive> {
        let parts = self.manifest.parts.iter().zip(&self.manifest.detail.vaulted);
        parts.filter_map(|(part, archive)| Some((part.key.clone(), archive.clone()?))).collect()
    }
}

/// The vault that the archives called `name` are in, as their newest backup says.
///
/// # Errors
/// What the store says.
pub async fn vault(store: &dyn StoreRead, name: &str) -> GlacierResult<Option<String>> {
    let newest = newest(store, name, |_| true).await?;
    Ok(newest.and_then(|newest| newest.detail.get("vault")?.as_str().map(str::to_owned)))
}

/// Which files the backups called `name` have, as the newest says that has any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Files {
    /// There is no backup, or none has files.
    None,
    /// Of this folder, which is one of this machine.
    Here(PathBuf),
    /// Of this folder of another machine, or of this one under another name.
    Elsewhere(String),
}

/// Whose files the backups called `name` have, for whoever does not name a folder.
///
/// # Errors
/// What the store says.
pub async fn files(store: &dyn StoreRead, name: &str) -> GlacierResult<Files> {
    let newest = newest(store, name, |manifest| manifest.detail["database_only"] != true).await?;
    let Some(newest) = newest else { return Ok(Files::None) };
    let Some(identity) = newest.identity else { return Ok(Files::Elsewhere("an unknown folder".to_owned())) };
    Ok(folder_of(&identity).map_or_else(|| Files::Elsewhere(identity.host.clone()), Files::Here))
}

async fn newest(
    store: &dyn StoreRead,
    name: &str,
    wanted: impl Fn(&Manifest) -> bool + Sync,
) -> GlacierResult<Option<Manifest>> {
    key::check_name(name)?;
    let newest = catalogue::newest(store, &key::backups(name), &key::pointer(name)?, wanted).await?;
    Ok(newest.map(|newest| newest.manifest))
}

/// The folder of an identity, if it is of this machine.
fn folder_of(identity: &Identity) -> Option<PathBuf> {
    let (_, path) = identity.host.split_once(':')?;
    // What was recovered has no folder but a name.
    let is_here = path.starts_with('/') && Identity::of_path(IDENTITY, path) == *identity;
    is_here.then(|| PathBuf::from(path))
}

/// What the vault calls the archives of all backups called `name`, as their manifests say.
///
/// # Errors
/// What the store says. A manifest that cannot be used says nothing.
pub async fn vaulted(store: &dyn StoreRead, name: &str) -> GlacierResult<BTreeMap<Key, VaultArchive>> {
    key::check_name(name)?;
    let mut all = BTreeMap::new();
    for manifest in
        catalogue::list(store, &key::backups(name)).await?.into_iter().filter_map(|entry| entry.manifest.ok())
    {
        let Ok(detail) = serde_json::from_value::<GlacierDetail>(manifest.detail) else { continue };
        let parts = manifest.parts.into_iter().zip(detail.vaulted);
        all.extend(parts.filter_map(|(part, archive)| Some((part.key, archive?))));
    }
    Ok(all)
}

/// Reads the list of a backup's files.
///
/// # Errors
/// [`GlacierError::Damaged`]; what the store says.
pub async fn read(store: &SharedStore, key: BackupKey, manifest: Manifest) -> GlacierResult<Backup> {
    let wrong = |why: &str| GlacierError::damaged(&key, why);
    let detail: GlacierDetail =
        serde_json::from_value(manifest.detail.clone()).map_err(|error| wrong(&error.to_string()))?;
    let list = manifest.parts.first().filter(|part| part.role == ROLE_FILES);
    let list = list.ok_or_else(|| wrong("it has no list of files"))?;
    if detail.classes.len() != manifest.parts.len() {
        return Err(wrong("it does not tell the class of each part"));
    }
    if !detail.vaulted.is_empty() && detail.vaulted.len() != manifest.parts.len() {
        return Err(wrong("it does not tell what the vault calls each part"));
    }
    let bytes = read_part(&**store, list, LISTING_BYTES_MAX).await?;
    let files = listing::read(list.key.as_str(), &bytes, &manifest.parts)?;
    let database = objects::listed(&key.name, &manifest.parts, manifest.created_at)?;
    Ok(Backup { key, files, database, manifest: manifest.with_detail(detail) })
}
