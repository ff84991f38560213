//! Finds out again what archives have in them, from themselves: bundles end with an index, and a vault keeps the name of a file.
//!
//! For whoever lost the manifests, too. What cannot be read must be retrieved first.

use std::collections::BTreeSet;

use backup_core::key::Key;
use backup_core::run::Run;
use backup_core::store::SharedStore;
use backup_core::{CoreError, StoreError};
use futures_util::TryStreamExt as _;
use serde::Serialize;

use crate::bundle::{TRAILER_BYTES, index_range, read_index};
use crate::catalogue::{Archive, KnownFile, Place};
use crate::class::Class;
use crate::detail::{ROLE_ARCHIVE, ROLE_BUNDLE};
use crate::entry::Entry;
use crate::error::{GlacierError, GlacierResult};
use crate::fetch::FailedFetch;
use crate::key;
use crate::plan::Wanted;
use crate::reconcile::PaidFor;
use crate::state::State;

/// Permissions of a file that says nothing of its own.
const MODE: u32 = 0o644;

/// Where files are put whose names nobody knows any more.
const UNNAMED: &str = "recovered";

/// What archives told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Recovered {
    /// Archives that are known now and were not before.
    pub archives: u64,
    /// Files that are known now and were not before.
    pub files: u64,
    /// Of these, files whose names are lost: they are called by their digests.
    pub unnamed: u64,
    /// Archives of dumps of databases. They have rows alone: what else a dump has was in the location, and is lost with it.
    pub database: u64,
    /// Bundles that must be retrieved before their index can be read.
    #[serde(skip)]
    pub waiting: Vec<Wanted>,
    /// Archives that could not be read, or are none of ours, and why.
    pub failed: Vec<FailedFetch>,
}

/// Adds what the archives in `found` say of themselves to the catalogue, as far as it does not know them. `class` is the one they
/// are taken to be in. Needs the lock.
///
/// # Errors
/// As of the catalogue; what the store says when nothing can be read from it.
pub async fn recover(
    store: &SharedStore,
    state: &State,
    found: Vec<(PaidFor, Option<String>)>,
    class: Option<Class>,
    run: &Run,
) -> GlacierResult<Recovered> {
    let mut known: BTreeSet<Key> =
        state.catalogue().files()?.into_iter().filter_map(|file| Some(file.place?.archive)).collect();
    // Those that a backup has are not lost.
    let dumps: BTreeSet<Key> = state.catalogue().archives()?.into_iter().map(|archive| archive.key).collect();
    let mut recovered = Recovered::default();
    for (paid, file) in found {
        run.stop_if_cancelled()?;
        let Some(key) = paid.key.clone().filter(key::is_payload) else { continue };
        if !(key::is_archive(&key) || key::is_bundle(&key)) {
            recovered.database += u64::from(!dumps.contains(&key));
            continue;
        }
        if !known.insert(key.clone()) {
            continue;
        }
        run.step("glacier.recover", key.as_str());
        match one(store, &key, &paid, file).await {
            Ok(files) => {
                let archive = archive(&key, &paid, class)?;
                recovered.archives += 1;
                recovered.files += files.len() as u64;
                recovered.unnamed +=
                    files.iter().filter(|file| file.entry.name.starts_with(&format!("{UNNAMED}/"))).count() as u64;
                state.catalogue().add(Some(&archive), &files)?;
            }
            Err(GlacierError::Core(CoreError::Store(StoreError::Archived { .. }))) => {
                let class = class.unwrap_or_default();
                recovered.waiting.push(Wanted { key, bytes: paid.bytes, class });
            }
            Err(
                error @ (GlacierError::Damaged { .. }
                | GlacierError::Core(CoreError::Store(StoreError::Damaged { .. }))),
            ) => {
                recovered.failed.push(FailedFetch::of(key, &error));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(recovered)
}

fn archive(key: &Key, paid: &PaidFor, class: Option<Class>) -> GlacierResult<Archive> {
    let role = if key::is_bundle(key) { ROLE_BUNDLE } else { ROLE_ARCHIVE };
    let sha256 = key::content(key).ok_or_else(|| GlacierError::damaged(key, "its name is no digest"))?;
    let (role, stored) = (role.to_owned(), Some(paid.created));
    Ok(Archive { key: key.clone(), role, bytes: paid.bytes, sha256, class, stored })
}

/// The files of one archive.
async fn one(store: &SharedStore, key: &Key, paid: &PaidFor, file: Option<String>) -> GlacierResult<Vec<KnownFile>> {
    if key::is_bundle(key) {
        return members(store, key, paid.bytes).await;
    }
    let sha256 = key::content(key).ok_or_else(|| GlacierError::damaged(key, "its name is no digest"))?;
    let name = file.unwrap_or_else(|| format!("{UNNAMED}/{sha256}"));
    let entry = Entry { name, bytes: paid.bytes, sha256, mode: MODE, modified: paid.created };
    Ok(vec![KnownFile { entry, stamp: None, place: Some(Place { archive: key.clone(), offset: 0 }) }])
}

/// The members that a bundle's own index lists.
async fn members(store: &SharedStore, key: &Key, bytes: u64) -> GlacierResult<Vec<KnownFile>> {
    let damaged = |error: crate::bundle::DamagedBundle| GlacierError::damaged(key, error.to_string());
    let tail = bytes.saturating_sub(TRAILER_BYTES as u64);
    let trailer = range(store, key, tail..bytes).await?;
    let index = index_range(&trailer, bytes).map_err(damaged)?;
    let index = range(store, key, index).await?;
    let members = read_index(&index, &trailer).map_err(damaged)?;
    let known = members.into_iter().map(|member| KnownFile {
        entry: member.entry,
        stamp: None,
        place: Some(Place { archive: key.clone(), offset: member.offset }),
    });
    Ok(known.collect())
}

async fn range(store: &SharedStore, key: &Key, range: std::ops::Range<u64>) -> GlacierResult<Vec<u8>> {
    let mut body = store.get(key, Some(range)).await?;
    let mut all = Vec::new();
    while let Some(chunk) = body.try_next().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}
