//! Whatever happens, the last complete backup of every source survives, and is the one that `latest` means.

use std::sync::Arc;

use backup_core::clock::FixedClock;
use backup_core::location::{Init, init_store};
use backup_core::retention::{Period, Policy, Rule};
use backup_core::source::{Identity, UNKNOWN};
use backup_core::store::memory::MemoryStore;
use backup_core::store::{PutMode, PutOptions, SharedStore, StoreWrite as _};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::list::{self, Filter, Sought};
use crate::source::{Available, Source, Take, View};
use crate::{Backup, BackupOptions, BackupReport, ObjectError, ObjectResult, Run, TypeKey, Types, Wanted};

const NAMES: [&str; 2] = ["backup", "nightly"];

/// Sources; backups of the first do not say which they are of.
const SOURCES: [&str; 3] = ["", "web1", "web2"];

/// What somebody does to a location.
#[derive(Clone, Debug)]
enum Event {
    /// A backup: under which name, of which source, and what of it is there.
    Backup { name: usize, source: usize, holds: Holds },
    /// The clock steps, back or forth.
    Clock { hours: i64 },
    /// A manifest is changed where it lies: which of those there are.
    Damage { which: usize },
    /// A prune.
    Prune { keep: u32, calendar: bool, name: Option<usize>, source: Option<usize> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Everything,
    /// No type has a record, and somebody said that this is right.
    Nothing,
    /// One type was asked for.
    Selection,
    /// One type could not be read.
    Unreadable,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    use Holds::{Everything, Nothing, Selection, Unreadable};
    let holds = prop::sample::select(vec![Everything, Everything, Nothing, Selection, Unreadable]);
    let narrowed = |count| prop::option::weighted(0.3, 0..count);
    let prune = (1..3u32, any::<bool>(), narrowed(NAMES.len()), narrowed(SOURCES.len()));
    let event = prop_oneof![
        5 => (0..NAMES.len(), 0..SOURCES.len(), holds)
            .prop_map(|(name, source, holds)| Event::Backup { name, source, holds }),
        2 => (-80..80i64).prop_map(|hours| Event::Clock { hours }),
        1 => (0..64usize).prop_map(|which| Event::Damage { which }),
        3 => prune.prop_map(|(keep, calendar, name, source)| Event::Prune { keep, calendar, name, source }),
    ];
    prop::collection::vec(event, 1..14)
}

fn identity(source: usize) -> Option<Identity> {
    (source > 0).then(|| Identity { id: format!("fake:{}", SOURCES[source]), host: SOURCES[source].to_owned() })
}

/// Two types with a record each, as far as they are there.
#[derive(Clone, Debug)]
struct Fake {
    identity: Option<Identity>,
    holds: Holds,
}

impl Source for Fake {
    fn kind(&self) -> &'static str {
        "fake"
    }

    fn open(&self, _cancel: &CancellationToken) -> ObjectResult<Box<dyn View>> {
        Ok(Box::new(self.clone()))
    }
}

impl View for Fake {
    fn identity(&mut self) -> ObjectResult<Option<Identity>> {
        Ok(self.identity.clone())
    }

    fn types(&mut self) -> ObjectResult<Option<Vec<Available>>> {
        let of = |table: &str| Available { type_name: None, table: table.to_owned() };
        Ok(Some(vec![of("orders"), of("users")]))
    }

    fn read(&mut self, key: &TypeKey, take: &mut Take<'_>) -> ObjectResult<()> {
        match self.holds {
            Holds::Nothing => Ok(()),
            Holds::Unreadable if key.table == "orders" => Err(ObjectError::source("read", "orders", "it is locked")),
            _ => take(Some("1"), b"{\"id\": \"1\"}"),
        }
    }
}

/// A backup that was made, as whoever made it knows it.
#[derive(Debug)]
struct Made {
    key: String,
    name: usize,
    source: usize,
    complete: bool,
    sequence: u64,
}

/// A location and what is known of it from outside.
struct World {
    store: SharedStore,
    now: Timestamp,
    made: Vec<Made>,
}

impl World {
    async fn backup(&mut self, name: usize, source: usize, holds: Holds) {
        self.now += SignedDuration::from_secs(1);
        let types = match holds {
            Holds::Selection => Types::Only(vec![Wanted::parse("users")]),
            _ => Types::All,
        };
        let options = BackupOptions {
            name: NAMES[name].to_owned(),
            types,
            allow_partial: holds == Holds::Unreadable,
            // What had records before and has none now is told; here somebody said that it is right.
            allow_empty: holds == Holds::Nothing,
            ..BackupOptions::new()
        };
        let run = Run { clock: Arc::new(FixedClock(self.now)), ..Run::silent() };
        let fake = Arc::new(Fake { identity: identity(source), holds });
        let made = Backup::prepare(&self.store, fake, &options, &run).await.unwrap().run().await.unwrap();
        let BackupReport::Written(written) = made else { panic!("there is no least age") };
        let complete = matches!(holds, Holds::Everything | Holds::Nothing);
        assert_eq!(written.complete, complete, "{holds:?}");
        self.made.push(Made { key: written.key.to_string(), name, source, complete, sequence: written.sequence });
    }

    async fn damage(&mut self, which: usize) {
        let there = self.keys().await;
        let Some(key) = there.get(which % there.len().max(1)) else { return };
        let manifest = BackupKey::parse(key).unwrap().manifest().unwrap();
        let body = bytes::Bytes::from_static(b"{\"format\":1}");
        self.store.put(&manifest, body, &PutOptions::new(PutMode::Replace)).await.unwrap();
        // What was pruned while this one was good is gone for good.
        self.made.retain(|made| made.key != *key && there.contains(&made.key));
    }

    async fn keys(&self) -> Vec<String> {
        let listed = list::list(&*self.store, &Filter::default()).await.unwrap();
        listed.iter().map(|entry| entry.key.to_string()).collect()
    }

    async fn prune(&self, keep: u32, calendar: bool, filter: Filter) {
        let rule = if calendar { Rule::Calendar(Period::Daily, keep) } else { Rule::Last(keep) };
        let options = PruneOptions::new(Policy::new(vec![rule])).filter(filter);
        let run = Run { clock: Arc::new(FixedClock(self.now)), ..Run::silent() };
        let report = Prune::prepare(&self.store, &options, &run).await.unwrap().run().await.unwrap();
        assert_eq!(report.failures().count(), 0);
    }

    /// The last complete backup of each source is there, and is what `latest` means for it.
    async fn check(&self) {
        let there = self.keys().await;
        for (name, source) in (0..NAMES.len()).flat_map(|name| (0..SOURCES.len()).map(move |source| (name, source))) {
            let complete = self.made.iter().filter(|made| (made.name, made.source) == (name, source) && made.complete);
            let Some(last) = complete.max_by_key(|made| made.sequence) else { continue };
            assert!(there.contains(&last.key), "the last complete backup is gone: {last:?}");
            let here = identity(source);
            let sought = match &here {
                None => Sought::latest(NAMES[name]).of_source(UNKNOWN),
                Some(here) => Sought::latest(NAMES[name]).preferring(here),
            };
            let found = list::find(&*self.store, sought).await.unwrap();
            assert_eq!(found.entry.key.to_string(), last.key, "the latest of {:?}", SOURCES[source]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 96 } else { 2_048 }))]

    #[test]
    fn the_last_complete_backup_of_every_source_survives(events in events()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let now = "2026-11-20T03:00:00Z".parse().unwrap();
            let mut world = World { store: Arc::new(MemoryStore::new()), now, made: Vec::new() };
            init_store(&world.store, &Init::new(&[])).await.unwrap();
            for event in events {
                match event {
                    Event::Backup { name, source, holds } => world.backup(name, source, holds).await,
                    Event::Clock { hours } => world.now += SignedDuration::from_hours(hours),
                    Event::Damage { which } => world.damage(which).await,
                    Event::Prune { keep, calendar, name, source } => {
                        let source = source.map(|source| if source == 0 { UNKNOWN } else { SOURCES[source] }.to_owned());
                        let name = name.map(|name| NAMES[name].to_owned());
                        world.prune(keep, calendar, Filter::default().named(name).of_source(source)).await;
                    }
                }
                world.check().await;
            }
        });
    }
}
