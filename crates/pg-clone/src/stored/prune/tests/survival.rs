//! Whatever happens, the last complete dump of every source survives, and is the one that its name means.

use backup_core::catalogue;
use backup_core::source::{Identity, UNKNOWN};
use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::stored::key::DumpKey;
use crate::stored::list::Wanted;

const DATABASE: &str = "shop";

/// Names of servers; dumps of earlier versions do not say which they are of.
const SERVERS: [&str; 3] = ["", "postgresql:1", "postgresql:2"];

/// What somebody does to a location.
#[derive(Clone, Debug)]
enum Event {
    /// A dump: of which server, with which configuration, and what of it is there.
    Dump { server: usize, config: &'static str, holds: Holds },
    /// The clock steps, back or forth.
    Clock { hours: i64 },
    /// A manifest is changed where it lies: which of those there are.
    Damage { which: usize },
    /// A prune.
    Prune { keep: u32, calendar: bool, config: Option<&'static str>, server: Option<usize> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Everything,
    /// No table has a row.
    NoRows,
    /// Something was left out on request.
    LeftOut,
    /// The same, as earlier versions said it: in the detail alone.
    LeftOutUnsaid,
    /// Something could not be read.
    Failed,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    use Holds::{Everything, Failed, LeftOut, LeftOutUnsaid, NoRows};
    let config = prop::sample::select(vec!["nightly", "lite"]);
    let holds = prop::sample::select(vec![Everything, Everything, NoRows, LeftOut, LeftOutUnsaid, Failed]);
    let dump = (0..SERVERS.len(), config.clone(), holds);
    let prune = (1..3u32, any::<bool>(), prop::option::of(config), prop::option::weighted(0.3, 0..SERVERS.len()));
    let event = prop_oneof![
        5 => dump.prop_map(|(server, config, holds)| Event::Dump { server, config, holds }),
        2 => (-80..80i64).prop_map(|hours| Event::Clock { hours }),
        1 => (0..64usize).prop_map(|which| Event::Damage { which }),
        3 => prune.prop_map(|(keep, calendar, config, server)| Event::Prune { keep, calendar, config, server }),
    ];
    prop::collection::vec(event, 1..14)
}

/// A dump that was made, as whoever made it knows it.
#[derive(Debug)]
struct Made {
    key: String,
    server: usize,
    complete: bool,
    order: (u64, Timestamp),
}

/// A location and what is known of it from outside.
struct World {
    store: MemoryStore,
    now: Timestamp,
    /// The latest time in a key there ever was.
    newest: Option<Timestamp>,
    made: Vec<Made>,
}

impl World {
    async fn dump(&mut self, server: usize, config: &str, holds: Holds) {
        self.now += SignedDuration::from_secs(1);
        // As the dump does it: a key's time never goes back.
        let time = match self.newest {
            Some(newest) if newest >= self.now => newest + SignedDuration::from_micros(1),
            _ => self.now,
        };
        self.newest = Some(time);
        let tables = if holds == Holds::NoRows { &[][..] } else { SHOP };
        let mut dump = TestDump::new(DATABASE, &time.to_string(), tables);
        dump.key = DumpKey::new(DATABASE, time, config);
        let folder = format!("{}/", DumpKey::database_folder(DATABASE).unwrap());
        let manifest = &mut dump.manifest;
        manifest.sequence = catalogue::next_sequence(&self.store, &folder, &dump.key.pointer().unwrap()).await.unwrap();
        manifest.created_at = self.now;
        manifest.config = config.to_owned();
        if server > 0 {
            manifest.identity = Some(Identity { id: SERVERS[server].to_owned(), host: format!("db{server}:5432") });
        }
        match holds {
            Holds::Everything | Holds::NoRows => manifest.complete = (server > 0).then_some(true),
            Holds::LeftOut => manifest.complete = Some(false),
            Holds::LeftOutUnsaid => {
                manifest.detail.filters.exclude_table_data = vec!["orders".to_owned()];
                manifest.detail.filters.emptied = vec!["public.orders".to_owned()];
            }
            Holds::Failed => manifest.outcome = Outcome::Partial,
        }
        let order = (manifest.sequence, manifest.created_at);
        let key = dump.publish(&self.store).await;
        let complete = matches!(holds, Holds::Everything | Holds::NoRows);
        self.made.push(Made { key, server, complete, order });
    }

    async fn damage(&mut self, which: usize) {
        let there = keys(&self.store).await;
        // What retention gave up for the one that is damaged now does not come back.
        self.made.retain(|made| there.contains(&made.key));
        let Some(key) = there.get(which % there.len().max(1)) else { return };
        overwrite(&self.store, &DumpKey::parse(key).unwrap().manifest().unwrap(), "{\"format\":1}").await;
        self.made.retain(|made| made.key != *key);
    }

    async fn prune(&mut self, keep: u32, calendar: bool, filter: Filter) {
        let rule = if calendar { Rule::Calendar(Period::Daily, keep) } else { Rule::Last(keep) };
        let options = PruneOptions { filter, ..PruneOptions::new(Policy::new(vec![rule])) };
        let plan = plan(&self.store, &options, self.now).await.unwrap();
        let report = apply(&self.store, &plan, &Run::silent()).await.unwrap();
        assert!(report.is_complete());
    }

    /// The last complete dump of each source is there, and is what the database's name means on its server.
    async fn check(&self) {
        let there = keys(&self.store).await;
        for (server, id) in SERVERS.iter().enumerate() {
            let complete = self.made.iter().filter(|made| made.server == server && made.complete);
            let Some(last) = complete.max_by_key(|made| made.order) else { continue };
            assert!(there.contains(&last.key), "the last complete dump of `{id}` is gone: {last:?}");
            let here = Identity { id: (*id).to_owned(), host: String::new() };
            let wanted = match server {
                0 => Wanted::new(DATABASE).cluster(Some(UNKNOWN.to_owned())),
                _ => Wanted::new(DATABASE).here(here.clone()),
            };
            assert_eq!(list::find(&self.store, wanted).await.unwrap().key(), last.key, "the latest of `{id}`");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 192 } else { 4_096 }))]

    #[test]
    fn the_last_complete_dump_of_every_source_survives(events in events()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut world =
                World { store: MemoryStore::new(), now: at("2026-11-20T03:00:00Z"), newest: None, made: Vec::new() };
            for event in events {
                match event {
                    Event::Dump { server, config, holds } => world.dump(server, config, holds).await,
                    Event::Clock { hours } => world.now += SignedDuration::from_hours(hours),
                    Event::Damage { which } => world.damage(which).await,
                    Event::Prune { keep, calendar, config, server } => {
                        let cluster = server.map(|server| if server == 0 { UNKNOWN } else { SERVERS[server] }.to_owned());
                        let filter = Filter { config: config.map(str::to_owned), cluster, ..Filter::default() };
                        world.prune(keep, calendar, filter).await;
                    }
                }
                world.check().await;
            }
        });
    }
}
