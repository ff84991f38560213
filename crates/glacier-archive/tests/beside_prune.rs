//! A backup and a prune of two machines, one of which was stopped and does not know yet that its turn is over.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use backup_core::location::{Init, init_store};
use backup_core::progress::{Event, Progress};
use backup_core::run::Run;
use backup_core::store::memory::MemoryStore;
use backup_core::store::{SharedStore, list_all};
use glacier_archive::backup::{BackupSettings, Written, backup};
use glacier_archive::key::{self, LAYOUTS};
use glacier_archive::pattern::Excluded;
use glacier_archive::price::PriceBook;
use glacier_archive::prune::{Deletion, Which};
use glacier_archive::state::State;
use glacier_archive::{GlacierError, GlacierResult};

const NAME: &str = "uploads";

/// Something that somebody else does meanwhile.
type Work = Box<dyn FnOnce() + Send>;

/// Does something where a step begins, as if the process had been stopped there.
struct StopsAtStep {
    step: &'static str,
    work: Mutex<Option<Work>>,
}

impl fmt::Debug for StopsAtStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopsAtStep").field("step", &self.step).finish_non_exhaustive()
    }
}

impl Progress for StopsAtStep {
    fn event(&self, event: Event) {
        let is_here = matches!(&event, Event::Step { name, .. } if *name == self.step);
        let work = if is_here { self.work.lock().unwrap().take() } else { None };
        if let Some(work) = work {
            std::thread::spawn(work).join().unwrap();
        }
    }
}

#[derive(Clone)]
struct World {
    store: SharedStore,
    machine: Arc<tempfile::TempDir>,
}

impl World {
    async fn new() -> Self {
        let store: SharedStore = Arc::new(MemoryStore::new());
        init_store(&store, &Init::new(&LAYOUTS)).await.unwrap();
        let world = Self { store, machine: Arc::new(tempfile::tempdir().unwrap()) };
        std::fs::create_dir(world.files()).unwrap();
        std::fs::write(world.files().join("a"), "attachment").unwrap();
        world
    }

    fn files(&self) -> PathBuf {
        self.machine.path().join("files")
    }

    fn state(&self, name: &str) -> State {
        State::open(&self.machine.path().join(name), NAME, "mem:").unwrap().locked().unwrap()
    }

    fn run(&self, step: &'static str, work: impl FnOnce() + Send + 'static) -> Run {
        Run::new(Arc::new(StopsAtStep { step, work: Mutex::new(Some(Box::new(work))) }))
    }

    async fn backup(&self, machine: &str, run: &Run) -> GlacierResult<Written> {
        let settings = BackupSettings {
            name: NAME.to_owned(),
            files: Some(self.files()),
            excluded: Excluded::default(),
            class: None,
            vault: None,
            bundles: true,
            allow_empty: false,
            tags: Vec::new(),
        };
        backup(self.store.clone(), &self.state(machine), &settings, run).await
    }

    async fn delete(&self, machine: &str, backup: &Written, run: &Run) {
        let prices = PriceBook::builtin().unwrap();
        let deletion = Deletion::prepare(&self.store, NAME, Which::Backup(&backup.key), &prices, run).await.unwrap();
        let report = deletion.run(&self.state(machine)).await.unwrap();
        assert_eq!(report.failures().count(), 0, "{report:?}");
    }

    /// The turn of whoever was stopped is over.
    async fn overtake(&self) {
        let lease = key::lease(NAME).unwrap();
        self.store.delete(&[lease]).await.unwrap();
    }

    async fn archives(&self) -> usize {
        list_all(&*self.store, "glacier/uploads/bundles/").await.unwrap().len()
    }
}

/// What another machine does has a runtime of its own.
fn elsewhere(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}

#[tokio::test]
async fn a_stopped_backup_keeps_what_it_will_name() {
    let world = World::new().await;
    let first = world.backup("one", &Run::silent()).await.unwrap();
    let other = world.clone();
    let run = world.run("glacier.manifest", move || {
        elsewhere(async {
            other.overtake().await;
            other.delete("other", &first, &Run::silent()).await;
        });
    });
    let second = world.backup("one", &run).await.unwrap();
    assert_eq!((second.files, second.objects), (1, 0), "it is of the archive that the first had");
    assert_eq!(world.archives().await, 1, "and that archive is there");
    let left = list_all(&*world.store, "glacier/uploads/backups/").await.unwrap();
    assert!(left.iter().all(|object| !object.key.as_str().ends_with("uses.json")), "{left:?}");
}

#[tokio::test]
async fn a_backup_beside_a_stopped_prune_names_nothing_that_goes() {
    let world = World::new().await;
    let first = world.backup("one", &Run::silent()).await.unwrap();
    let (other, told) = (world.clone(), Arc::new(Mutex::new(None)));
    let tell = told.clone();
    let run = world.run("prune.manifests", move || {
        elsewhere(async {
            other.overtake().await;
            *tell.lock().unwrap() = Some(other.backup("other", &Run::silent()).await);
        });
    });
    world.delete("one", &first, &run).await;
    let told = told.lock().unwrap().take().unwrap();
    assert!(matches!(told, Err(GlacierError::Pruned)), "{told:?}");
    assert_eq!(world.archives().await, 0);
    // Once it is over, everything is archived anew.
    world.overtake().await;
    let second = world.backup("other", &Run::silent()).await.unwrap();
    assert_eq!((second.files, second.objects, world.archives().await), (1, 1, 1));
}
