//! What earlier dumps of the same database have stored, so that a dump need not store it again.
//!
//! A frame is found by the SHA-256 of its content in the manifests of one or two earlier dumps, which are read once. The new
//! manifest then names the pack that it lies in. Before anything relies on that, the packs are reserved, and dumps that are
//! about to be deleted are left alone: the same protocol by which deltas build on each other (`backup_core::prune`).

mod choose;
mod reserve;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use backup_core::catalogue::Backup;
use backup_core::key::Key;
use backup_core::manifest::{Manifest, Part};
use backup_core::store::{SharedStore, StoreRead};
use futures::TryStreamExt;

pub(super) use self::choose::Sources;
pub(super) use self::reserve::Reserved;
use crate::error::{PgError, PgResult};
use crate::options::DumpOptions;
use crate::run::Run;
use crate::stored::detail::{DumpDetail, Frame};
use crate::stored::key::DumpKey;
use crate::stored::known_frames::KnownFrames;
use crate::stored::pack::KNOWN_PACK_PART;
use crate::stored::sizes::{SHARED_BYTES, SHARED_CONTENT_BYTES};
use crate::stored::{list, lists};

/// What a dump need not store, or why it stores everything.
pub(super) enum Reuse {
    /// Frames of the dumps with these keys, the newest first.
    Of { keys: Vec<String>, sources: Vec<Arc<Backup>>, known: Arc<KnownFrames>, reserved: Reserved },
    /// Nothing, for this reason.
    Nothing { why: String },
}

impl Reuse {
    /// Looks for what a dump of `database` that will be published as `manifest` need not store. What goes wrong here costs room
    /// and no dump: a warning says so.
    ///
    /// # Errors
    /// [`PgError::Interrupted`].
    pub(super) async fn prepare(
        store: &SharedStore,
        (database, manifest): (&str, &Key),
        sources: Sources,
        options: &DumpOptions,
        run: &Run,
    ) -> PgResult<Self> {
        if options.full {
            return Ok(Self::nothing("that was asked for"));
        }
        let sources = sources.into_newest_first();
        let Some(newest) = sources.first().map(|source| name_of(&source.key)) else {
            return Ok(Self::nothing("there is no earlier dump of this database on this cluster"));
        };
        run.step("dump.reuse", &newest);
        match Box::pin(find(store, (database, manifest), sources, run)).await {
            Ok(reuse) => Ok(reuse),
            Err(PgError::Interrupted) => Err(PgError::Interrupted),
            Err(error) => {
                Reserved::release_of(store, manifest).await;
                let what = format!("what earlier dumps have stored could not be used ({error})");
                run.progress.warn(format!("{what}: this dump stores everything"));
                Ok(Self::nothing(what))
            }
        }
    }

    fn nothing(why: impl Into<String>) -> Self {
        Self::Nothing { why: why.into() }
    }

    /// The frames that are known.
    pub(super) fn known(&self) -> Option<Arc<KnownFrames>> {
        match self {
            Self::Of { known, .. } => Some(Arc::clone(known)),
            Self::Nothing { .. } => None,
        }
    }

    /// What is reserved.
    pub(super) fn reserved(&self) -> Option<&Reserved> {
        match self {
            Self::Of { reserved, .. } => Some(reserved),
            Self::Nothing { .. } => None,
        }
    }
}

async fn find(
    store: &SharedStore,
    (database, manifest): (&str, &Key),
    mut sources: Vec<Arc<Backup>>,
    run: &Run,
) -> PgResult<Reuse> {
    let folder = DumpKey::database_folder(database)?;
    let mut is_said = false;
    loop {
        let mut known = KnownFrames::default();
        for source in &sources {
            run.or_cancelled(read(&**store, source, folder.as_str(), &mut known)).await?;
        }
        if known.is_full() {
            run.progress.warn(format!(
                "earlier dumps have more frames than are looked at ({}): some rows are stored again",
                backup_core::units::count(known.len() as u64)
            ));
        }
        if known.len() == 0 {
            let names: Vec<String> = sources.iter().map(|source| format!("`{}`", name_of(&source.key))).collect();
            let why = format!("an earlier version, which noted no digests of contents, made {}", names.join(" and "));
            if is_said {
                Reserved::release_of(store, manifest).await;
            }
            return Ok(Reuse::nothing(why));
        }
        let worth = choose::worth(known.packs(), &known.used_bytes());
        known.restrict(|at, _| worth.get(at).copied().unwrap_or_default());
        let keys: Vec<Key> = known.usable().map(|pack| pack.key.clone()).collect();
        let owners: Vec<Key> = sources.iter().map(|source| source.key.clone()).collect();
        // Not given up half-way: what is on its way would appear after the dump was cleared away.
        let reserved = match Reserved::take(store, manifest, keys, &owners).await? {
            Ok(reserved) => reserved,
            Err(going) => {
                // Somebody deletes it: what it has may be gone already.
                is_said = true;
                sources.retain(|source| source.key != going);
                if sources.is_empty() {
                    Reserved::release_of(store, manifest).await;
                    return Ok(Reuse::nothing(format!("`{}` is being deleted", name_of(&going))));
                }
                continue;
            }
        };
        // Nothing of these is deleted any more. What somebody took away before is missing for more than this dump.
        let there = run.or_cancelled(present(&**store, known.usable())).await?;
        let missing: Vec<&Part> = known.usable().filter(|pack| !there.contains(&pack.key)).collect();
        if let Some(first) = missing.first() {
            run.progress.warn(format!(
                "`{}` is missing, or not as long as it was{}: the earlier dumps that need it are damaged, and this one stores again \
                 what was in it",
                first.key,
                if missing.len() > 1 { format!(", and so are {} more objects", missing.len() - 1) } else { String::new() }
            ));
        }
        known.restrict(|_, pack| there.contains(&pack.key));
        let keys = sources.iter().map(|source| name_of(&source.key)).collect();
        return Ok(Reuse::Of { keys, sources, known: Arc::new(known), reserved });
    }
}

/// Takes the frames of a dump into account, as far as they lie in packs of dumps of the same database.
async fn read(store: &dyn StoreRead, source: &Backup, folder: &str, known: &mut KnownFrames) -> PgResult<()> {
    let mut manifest: Manifest<DumpDetail> = list::typed(&source.key, source.manifest.clone())?;
    // Whether a prune spares an object, nobody relies on but who writes beside it.
    let is_pack = |part: &Part| choose::is_pack_of(folder, &part.key);
    let places: Vec<Option<u32>> =
        manifest.parts.iter().map(|part| is_pack(part).then(|| known.add_pack(part)).flatten()).collect();
    let mut add = |frame: &Frame| {
        if let Some(place) = places.get(frame.part as usize).copied().flatten() {
            known.add(place, frame);
        }
    };
    let inline = std::mem::take(&mut manifest.detail.tables);
    inline.iter().flat_map(|table| &table.data.frames).for_each(&mut add);
    let objects = manifest.detail.large_objects.take();
    let objects = objects.iter().flat_map(|objects| [&objects.metadata, &objects.slices]);
    objects.flat_map(|data| &data.frames).for_each(&mut add);
    let read = lists::each_frame(store, &manifest, add).await;
    read.map_err(|fault| fault.of(&name_of(&source.key)))
}

/// Which of the packs are there and as long as they were: a request for each thousand of them, and not one for each.
async fn present<'a>(store: &dyn StoreRead, packs: impl Iterator<Item = &'a Part>) -> PgResult<HashSet<Key>> {
    let mut wanted: BTreeMap<&str, HashMap<&Key, u64>> = BTreeMap::new();
    for pack in packs {
        let folder = pack.key.as_str().strip_suffix(pack.key.name()).unwrap_or_default();
        wanted.entry(folder).or_default().insert(&pack.key, pack.stored_bytes);
    }
    let mut there = HashSet::new();
    for (folder, packs) in wanted {
        let mut listing = store.list(folder, None);
        while let Some(object) = listing.try_next().await? {
            if packs.get(&object.key) == Some(&object.bytes) {
                there.insert(object.key);
            }
        }
    }
    Ok(there)
}

/// How people know the dump with this manifest.
fn name_of(manifest: &Key) -> String {
    DumpKey::of_manifest(manifest).map_or_else(|| manifest.to_string(), |key| key.to_string())
}

/// What a dump shares with earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shared {
    pub(super) bytes: u64,
    pub(super) content_bytes: u64,
}

impl Shared {
    /// Gives frames of earlier dumps the packs that they are in for parts, behind those that are there.
    pub(super) fn settle(detail: &mut DumpDetail, parts: &mut Vec<Part>, known: &KnownFrames) -> Self {
        let mut shared = Self::default();
        let mut named: HashMap<u32, u32> = HashMap::new();
        let is_shared = |part: u32| part >= KNOWN_PACK_PART;
        for data in detail.rows_mut().filter(|data| data.frames.iter().any(|frame| is_shared(frame.part))) {
            for frame in data.frames.iter_mut().filter(|frame| is_shared(frame.part)) {
                shared.bytes += frame.length;
                shared.content_bytes += frame.content_bytes;
                let pack = frame.part - KNOWN_PACK_PART;
                let next = parts.len();
                frame.part = *named.entry(pack).or_insert_with(|| {
                    parts.extend(known.packs().get(pack as usize).cloned());
                    u32::try_from(next).unwrap_or(u32::MAX)
                });
            }
        }
        shared
    }

    /// Says so in the manifest, if it is anything.
    pub(super) fn note(self, counts: &mut BTreeMap<String, u64>) {
        if self.bytes > 0 {
            counts.insert(SHARED_BYTES.to_owned(), self.bytes);
            counts.insert(SHARED_CONTENT_BYTES.to_owned(), self.content_bytes);
        }
    }
}

#[cfg(test)]
mod tests;
