//! A machine with a folder of files, a location in a folder, and a vault.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use backup_core::aws::{Credentials, Endpoint, Settings};
use backup_core::clock::{Clock, SystemClock};
use backup_core::location::{Init, init_store};
use backup_core::run::Run;
use backup_core::store::SharedStore;
use backup_core::store::memory::MemoryStore;
use backup_testkit::aws_fake::FakeOptions;
use backup_testkit::glacier_fake::GlacierFake;
use glacier_archive::GlacierResult;
use glacier_archive::adapters::vault::{Vault, VaultStore};
use glacier_archive::backup::{BackupSettings, Written, backup};
use glacier_archive::class::Class;
use glacier_archive::cold::NeverCold;
use glacier_archive::fetch::{Fetched, fetch};
use glacier_archive::find::{Backup, find};
use glacier_archive::pattern::{Excluded, Only};
use glacier_archive::plan::Limits;
use glacier_archive::price::PriceBook;
use glacier_archive::restore::{RestoreSettings, restore};
use glacier_archive::retrieve::{Request, Retrieved, retrieve};
use glacier_archive::state::State;
use glacier_archive::watch::{BackupStanding, watch_once};

pub(crate) const NAME: &str = "uploads";
pub(crate) const VAULT: &str = "attachments";
pub(crate) const ACCOUNT: &str = "111111111111";
pub(crate) const REGION: &str = "us-east-1";

pub(crate) fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

/// A clock that a test moves on, with the fake's.
#[derive(Clone, Debug, Default)]
struct Ahead(Arc<AtomicI64>);

impl Clock for Ahead {
    fn now(&self) -> jiff::Timestamp {
        SystemClock.now() + jiff::SignedDuration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

pub(crate) struct World {
    pub(crate) fake: GlacierFake,
    pub(crate) hot: SharedStore,
    pub(crate) settings: BackupSettings,
    pub(crate) prices: PriceBook,
    ahead: Ahead,
    machine: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let fake = GlacierFake::start(&FakeOptions::default()).unwrap();
        fake.make_vault(ACCOUNT, REGION, VAULT);
        let machine = tempfile::tempdir().unwrap();
        let hot: SharedStore = Arc::new(MemoryStore::new());
        init_store(&hot, &Init::new(&glacier_archive::key::LAYOUTS)).await.unwrap();
        let settings = BackupSettings {
            name: NAME.to_owned(),
            files: Some(machine.path().join("files")),
            excluded: Excluded::default(),
            class: Some(Class::Vault),
            vault: Some(VAULT.to_owned()),
            bundles: true,
            allow_empty: false,
            tags: Vec::new(),
        };
        let prices = PriceBook::builtin().unwrap();
        Self { fake, hot, settings, prices, ahead: Ahead::default(), machine }
    }

    pub(crate) fn files(&self) -> PathBuf {
        self.machine.path().join("files")
    }

    /// Two small files, which are bundled, and a larger one of several parts.
    pub(crate) fn fill(&self) -> BTreeMap<String, Vec<u8>> {
        let large: Vec<u8> = (0..20 * 1024 * 1024 + 3).map(|at: u32| (at % 251) as u8).collect();
        let files = [
            ("a/1.pdf", vec![1; 1_700_000]),
            ("b/Zoë \"2\"", b"two".to_vec()),
            ("large.bin", large),
            ("empty", Vec::new()),
        ];
        let files: BTreeMap<String, Vec<u8>> =
            files.into_iter().map(|(name, content)| (name.to_owned(), content)).collect();
        for (name, content) in &files {
            self.write(name, content);
        }
        files
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        let path = self.files().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn check(&self, originals: &BTreeMap<String, Vec<u8>>) {
        for (name, content) in originals {
            assert!(std::fs::read(self.files().join(name)).unwrap() == *content, "{name}");
        }
    }

    pub(crate) fn lose(&self, folders: &[&str]) {
        for folder in folders {
            let _missing = std::fs::remove_dir_all(self.machine.path().join(folder));
        }
        std::fs::create_dir_all(self.files()).unwrap();
    }

    /// Time passes here and at the service.
    pub(crate) fn pass(&self, time: Duration) {
        self.ahead.0.fetch_add(time.as_secs() as i64, Ordering::Relaxed);
        self.fake.clock().advance(time);
    }

    pub(crate) fn calls(&self, op: &str) -> usize {
        self.fake.log().iter().filter(|call| call.op == op).count()
    }

    pub(crate) fn run(&self) -> Run {
        Run { clock: Arc::new(self.ahead.clone()), ..Run::silent() }
    }

    pub(crate) fn vault(&self) -> Vault {
        let credentials = Credentials::new(ACCOUNT, "testkit");
        let (url, region) = (self.fake.endpoint().to_owned(), REGION.to_owned());
        Vault::new(&Settings::of_endpoint(&Endpoint { url, region, credentials }), VAULT, &self.run())
    }

    pub(crate) fn state(&self) -> State {
        State::open(&self.folder(), NAME, "mem:").unwrap().locked().unwrap()
    }

    /// Where the machine keeps what it knows.
    pub(crate) fn folder(&self) -> PathBuf {
        self.machine.path().join("state")
    }

    /// A process of its own: everything it knows is in its catalogue, and in what manifests say.
    pub(crate) async fn store(&self, state: &State) -> VaultStore {
        let seen = match find(&self.hot, &NAME.parse().unwrap()).await {
            Ok(backup) => backup.vaulted(),
            Err(_) => BTreeMap::new(),
        };
        let beside = Arc::new(NeverCold(self.hot.clone()));
        VaultStore::new((self.hot.clone(), beside), self.vault(), state.shared_catalogue(), NAME, seen).unwrap()
    }

    pub(crate) async fn backup(&self) -> GlacierResult<Written> {
        let state = self.state();
        let store = self.store(&state).await;
        backup(Arc::new(store), &state, &self.settings, &self.run()).await
    }

    pub(crate) async fn found(&self) -> Backup {
        find(&self.hot, &NAME.parse().unwrap()).await.unwrap()
    }

    pub(crate) async fn retrieve(&self, only: &Only, limits: Limits) -> GlacierResult<Retrieved> {
        let (state, backup) = (self.state(), self.found().await);
        let store = self.store(&state).await;
        let request = Request { backup: &backup, only, folder: None, limits, prices: &self.prices };
        retrieve(&store, &state, &request, &self.run()).await
    }

    pub(crate) async fn watch(&self) -> BackupStanding {
        let (state, backup) = (self.state(), self.found().await);
        let store = self.store(&state).await;
        watch_once(&store, &state, &backup, &Only::default(), None, true, &self.run()).await.unwrap()
    }

    pub(crate) async fn fetch(&self) -> Fetched {
        let (state, backup) = (self.state(), self.found().await);
        let store = self.store(&state).await;
        let shared: SharedStore = Arc::new(store.clone());
        fetch((&shared, &store), &state, &backup, &Only::default(), None, &self.run()).await.unwrap()
    }

    pub(crate) async fn restore(&self) {
        let (state, backup) = (self.state(), self.found().await);
        let (only, folder) = (Only::default(), self.files());
        let settings = RestoreSettings { only: &only, folder: &folder, repair: false };
        let restored = restore(&state, &backup, &settings, &self.run()).await.unwrap();
        assert!(restored.is_complete(), "{restored:?}");
    }
}
