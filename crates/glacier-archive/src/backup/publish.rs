//! Writes the list of files and the manifest, which makes the backup exist.

use std::collections::{BTreeMap, BTreeSet};

use backup_core::CoreError;
use backup_core::catalogue::{self, Entry};
use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use backup_core::manifest::{Codec, Kind, Manifest, Outcome, Part};
use backup_core::pipeline::{ObjectWriter, UploadBudget};
use backup_core::prune;
use backup_core::run::Run;
use backup_core::source::Identity;
use backup_core::store::{PutMode, PutOptions, SharedStore};
use jiff::Timestamp;

use super::BackupSettings;
use super::upload::Archived;
use crate::catalogue::Archive;
use crate::class::Class;
use crate::database::DatabasePart;
use crate::detail::{GlacierDetail, GlacierManifest, IDENTITY, ROLE_FILES};
use crate::error::{GlacierError, GlacierResult};
use crate::key::{self, BackupKey};
use crate::listing::{self, Listed};
use crate::state::State;
use crate::vaulted::VaultArchive;

/// What was published.
pub(super) struct Published {
    pub(super) key: BackupKey,
    pub(super) outcome: Outcome,
    pub(super) warning: Option<String>,
}

pub(super) async fn publish(
    store: &SharedStore,
    state: &State,
    settings: &BackupSettings,
    (archived, database): (&Archived, Option<&DatabasePart>),
    started: Timestamp,
    run: &Run,
) -> GlacierResult<Published> {
    let name = &settings.name;
    let (folder, pointer) = (key::backups(name), key::pointer(name)?);
    let archives = state.catalogue().archives()?.into_iter().map(|archive| (archive.key.clone(), archive)).collect();
    let (listed, mut parts, mut classes) = content(archived, &archives)?;
    for (part, class) in database.iter().flat_map(|database| &database.parts) {
        parts.push(part.clone());
        classes.push(*class);
    }
    let mut owners = Owners::of(&parts);
    let sequence =
        catalogue::next_sequence_seeing(&**store, &folder, &pointer, |entry: Entry| owners.see(&entry)).await?;
    let owned = owners.into_owned();
    let key = BackupKey::new(name, run.clock.now())?;
    let bytes = listing::written(&listed)?;
    run.stop_if_cancelled()?;
    let manifest_key = key.manifest()?;
    reserve(store, &manifest_key, &owned, run).await?;
    let list = write_list(store, &key.files()?, bytes).await?;
    let mut all = vec![list];
    all.extend(parts);
    let outcome = if archived.failed.is_empty() { Outcome::Good } else { Outcome::Partial };
    let vaulted = vaulted(state, &all)?;
    let vault = settings.vault.clone().filter(|_| !vaulted.is_empty());
    let database = database.map(|part| part.detail.clone());
    let (failed, database_only) = (archived.failed.clone(), settings.files.is_none());
    let excluded = settings.excluded.clone();
    let detail = GlacierDetail { classes, vault, vaulted, database, database_only, failed, excluded };
    let manifest = manifest(settings, started, sequence, outcome, all, archived, detail);
    let detail = serde_json::to_value(&manifest.detail).map_err(GlacierError::internal)?;
    run.step("glacier.manifest", manifest_key.as_str());
    run.stop_if_cancelled()?;
    let published = catalogue::publish(&**store, &manifest_key, &manifest.with_detail(detail), &pointer).await?;
    run.step("glacier.published", manifest_key.as_str());
    if !owned.is_empty() {
        // Best effort: what stays keeps more than need be, and is cleared away as a leftover.
        drop(prune::release(&**store, &manifest_key).await);
    }
    Ok(Published { key, outcome, warning: published.pointer_fault.map(|error| error.to_string()) })
}

/// Keeps the archives that earlier backups have, and this one will name, from every prune, also one of a process that was
/// stopped and has lost its turn. By each archive its newest owner is looked at, the last that would be deleted.
async fn reserve(store: &SharedStore, manifest: &Key, owned: &[(Key, Key)], run: &Run) -> GlacierResult<()> {
    if owned.is_empty() {
        return Ok(());
    }
    run.step("glacier.reserve", manifest.as_str());
    let keys: Vec<Key> = owned.iter().map(|(archive, _)| archive.clone()).collect();
    let owners: BTreeSet<&Key> = owned.iter().map(|(_, owner)| owner).collect();
    let owners: Vec<Key> = owners.into_iter().cloned().collect();
    match prune::reserve(&**store, manifest, &keys, &owners).await {
        Ok(()) => Ok(()),
        Err(CoreError::Store(error)) if error.is_not_found() => {
            drop(prune::release(&**store, manifest).await);
            Err(GlacierError::Pruned)
        }
        Err(error) => Err(error.into()),
    }
}

/// Which published backup has each archive that a new one will name: the newest, if several have it.
struct Owners(BTreeMap<Key, Option<(u64, Key)>>);

impl Owners {
    fn of(parts: &[Part]) -> Self {
        Self(parts.iter().map(|part| (part.key.clone(), None)).collect())
    }

    fn see(&mut self, entry: &Entry) {
        let Ok(manifest) = &entry.manifest else { return };
        for part in &manifest.parts {
            let Some(owner) = self.0.get_mut(&part.key) else { continue };
            if owner.as_ref().is_none_or(|(sequence, _)| *sequence < manifest.sequence) {
                *owner = Some((manifest.sequence, entry.key.clone()));
            }
        }
    }

    /// Archives with their owners, as far as they have one.
    fn into_owned(self) -> Vec<(Key, Key)> {
        self.0.into_iter().filter_map(|(archive, owner)| Some((archive, owner?.1))).collect()
    }
}

/// The files as they are listed, the archives they are in as parts behind the list, and the class of every part.
type Content = (Vec<Listed>, Vec<Part>, Vec<Option<Class>>);

fn content(archived: &Archived, archives: &BTreeMap<Key, Archive>) -> GlacierResult<Content> {
    let mut numbers: BTreeMap<&Key, usize> = BTreeMap::new();
    let (mut listed, mut parts, mut classes) = (Vec::with_capacity(archived.files.len()), Vec::new(), vec![None]);
    for file in &archived.files {
        let Some(place) = &file.place else {
            listed.push(Listed { entry: file.entry.clone(), part: None, offset: 0 });
            continue;
        };
        let number = match numbers.get(&place.archive) {
            Some(number) => *number,
            None => {
                let unknown = || GlacierError::internal(format!("`{}` is in no archive", file.entry.name));
                let archive = archives.get(&place.archive).ok_or_else(unknown)?;
                parts.push(part(archive));
                classes.push(archive.class);
                numbers.insert(&place.archive, parts.len());
                parts.len()
            }
        };
        listed.push(Listed { entry: file.entry.clone(), part: Some(number), offset: place.offset });
    }
    Ok((listed, parts, classes))
}

/// What the vault calls each part; nothing if none is in one.
fn vaulted(state: &State, parts: &[Part]) -> GlacierResult<Vec<Option<VaultArchive>>> {
    let known = state.catalogue().vaulted()?;
    let each: Vec<_> = parts.iter().map(|part| known.get(&part.key).and_then(|known| known.archive.clone())).collect();
    Ok(if each.iter().all(Option::is_none) { Vec::new() } else { each })
}

fn part(archive: &Archive) -> Part {
    Part {
        key: archive.key.clone(),
        role: archive.role.clone(),
        content_sha256: None,
        content_bytes: archive.bytes,
        stored_sha256: archive.sha256,
        stored_bytes: archive.bytes,
        codec: Codec::None,
        offset: None,
        length: None,
    }
}

/// The list is readable at once, whatever class the archives are in.
async fn write_list(store: &SharedStore, key: &Key, bytes: Vec<u8>) -> GlacierResult<Part> {
    let length = bytes.len() as u64;
    let sha256 = Sha256Digest::of(&bytes);
    let options = PutOptions::new(PutMode::Create);
    let writer = ObjectWriter::new(store.clone(), key.clone(), options, UploadBudget::default());
    let mut writer = writer.with_expected_bytes(length);
    writer.write(bytes.into()).await?;
    writer.finish().await?;
    Ok(Part {
        key: key.clone(),
        role: ROLE_FILES.to_owned(),
        content_sha256: Some(sha256),
        content_bytes: length,
        stored_sha256: sha256,
        stored_bytes: length,
        codec: Codec::None,
        offset: None,
        length: None,
    })
}

fn manifest(
    settings: &BackupSettings,
    started_at: Timestamp,
    sequence: u64,
    outcome: Outcome,
    parts: Vec<Part>,
    archived: &Archived,
    detail: GlacierDetail,
) -> GlacierManifest {
    // Where the folder is: what is backed up stays the same source if it is given relative to another folder.
    let path = settings.files.as_ref().map(|files| files.canonicalize().unwrap_or_else(|_| files.clone()));
    let counts = [
        ("files".to_owned(), archived.files.len() as u64),
        ("bytes".to_owned(), archived.files.iter().map(|file| file.entry.bytes).sum()),
    ];
    let mut manifest = Manifest::new(Kind::Glacier, &settings.name, started_at, detail);
    manifest.identity = path.map(|path| Identity::of_path(IDENTITY, &path.display().to_string()));
    manifest.sequence = sequence;
    manifest.outcome = outcome;
    manifest.complete = Some(true);
    manifest.parts = parts;
    manifest.counts = counts.into();
    manifest.tags.clone_from(&settings.tags);
    manifest
}
