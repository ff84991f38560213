//! The position of a dump in its source: its key, its sequence number, and the complete dump before it.

use std::sync::Arc;

use backup_core::catalogue::{self, Backup, Entry, Order};
use backup_core::failure::Setting;
use backup_core::remedy;
use backup_core::source::{Fall, Identity, Size, fall};
use backup_core::store::{SharedStore, StoreRead};

use crate::dump::reuse::Sources;
use crate::error::{PgError, PgResult};
use crate::options::DumpOptions;
use crate::run::Run;
use crate::stored::completeness::settle;
use crate::stored::key::DumpKey;
use crate::stored::list;
use crate::stored::sizes::Sizes;

/// The place of a dump that is about to be made.
pub(super) struct Place {
    pub(super) key: DumpKey,
    pub(super) sequence: u64,
    previous: Option<Previous>,
}

/// The newest complete dump of the same database in the same cluster.
struct Previous {
    key: DumpKey,
    order: Order,
    size: Size,
    /// Where it was taken; absent if that was a standby, which is no other server than its primary.
    host: Option<String>,
}

impl Place {
    /// The next place, and the dumps to build on. The key's time never goes back: a clock that did would otherwise make an older
    /// dump the latest.
    pub(super) async fn next(
        store: &SharedStore,
        options: &DumpOptions,
        identity: &Identity,
        run: &Run,
    ) -> PgResult<(Self, Sources)> {
        let now = run.clock.now();
        let database = DumpKey::database_folder(&options.database)?;
        let children = store.list_children(&format!("{database}/")).await?;
        let newest = children
            .iter()
            .filter_map(|child| DumpKey::parse_folder_name(&options.database, child.trim_end_matches('/')))
            .map(|key| key.timestamp)
            .max();
        let timestamp = match newest {
            Some(newest) if newest >= now => {
                run.progress.warn(format!(
                    "the clock is behind the newest dump of `{}` ({newest}): this dump is still ordered after it",
                    options.database
                ));
                newest + jiff::SignedDuration::from_micros(1)
            }
            _ => now,
        };
        let key = DumpKey::new(&options.database, timestamp, &options.config);
        let reader: Arc<dyn StoreRead> = Arc::clone(store) as Arc<dyn StoreRead>;
        let mut previous: Option<Previous> = None;
        let mut sources = Sources::new(&options.config);
        let see = |entry: Entry| {
            if let Some(error) = entry.manifest.as_ref().err().filter(|error| error.is_unreadable()) {
                run.progress.warn(format!("{error}; this dump is not compared with that one"));
            }
            let Some(dump) = of_cluster(entry, identity) else { return };
            let found = Previous::of(&dump);
            if found.as_ref().map(|found| found.order) > previous.as_ref().map(|previous| previous.order) {
                previous = found;
            }
            sources.see(dump);
        };
        let folder = format!("{database}/");
        let sequence = catalogue::next_sequence_seeing(&*reader, &folder, &key.pointer()?, see).await?;
        Ok((Self { key, sequence, previous }, sources))
    }

    /// Where the complete dump before was taken, if that is another host than `identity` names. A standby has the system
    /// identifier of its primary, and so has a copy made with `pg_basebackup` or from a disk's snapshot whose rows go
    /// their own way.
    pub(super) fn taken_elsewhere(&self, identity: &Identity) -> Option<&str> {
        let host = self.previous.as_ref()?.host.as_deref()?;
        (host != identity.host).then_some(host)
    }

    /// By how much a complete dump of this size holds less than the one before.
    pub(super) fn fall(&self, now: Size) -> Option<Fall> {
        let previous = self.previous.as_ref()?;
        fall(&previous.key.to_string(), previous.size, now)
    }
}

/// The dump of an entry, if it is one of this cluster that can be used.
fn of_cluster(entry: Entry, identity: &Identity) -> Option<Backup> {
    let manifest = settle(list::usable(&entry.key, entry.manifest.ok()?)?);
    let is_same = manifest.identity.as_ref().is_some_and(|other| other.id == identity.id);
    is_same.then_some(Backup { key: entry.key, manifest })
}

impl Previous {
    fn of(Backup { key, manifest }: &Backup) -> Option<Self> {
        let key = DumpKey::of_manifest(key)?;
        let same = manifest.identity.as_ref().filter(|_| manifest.is_complete())?;
        let on_standby = manifest.detail["server"]["in_recovery"] == true;
        let host = (!on_standby).then(|| same.host.clone());
        let rows = manifest.counts.get("rows").copied().unwrap_or_default();
        let size = Size { rows, bytes: Sizes::of(manifest).content };
        Some(Self { key, order: Order::of(manifest), size, host })
    }
}

/// Tells of a fall that is worth it, and refuses one that is more than `options` allow.
pub(super) fn judge(fall: Option<Fall>, options: &DumpOptions, run: &Run) -> PgResult<Option<Fall>> {
    let Some(fall) = fall else { return Ok(None) };
    if let Some(limit) = options.max_shrink.filter(|limit| fall.exceeds(*limit)) {
        return Err(PgError::Confirm {
            what: format!("{fall}; that is more than the {limit} % that are allowed"),
            help: remedy![
                "nothing was published. Check whether rows are missing; if this is intended, dump once without ",
                Setting::MaxShrink
            ],
        });
    }
    if !fall.is_notable() {
        return Ok(None);
    }
    run.progress.warn(format!("{fall}; check that no rows are missing before older dumps are pruned"));
    Ok(Some(fall))
}
