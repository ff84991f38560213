//! A machine with a folder of files, and a bucket.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use backup_core::aws::{Credentials, Endpoint, Settings};
use backup_core::clock::{Clock, SystemClock};
use backup_core::location::{Init, init_store};
use backup_core::progress::{SharedProgress, Silent};
use backup_core::retry::RetryPolicy;
use backup_core::run::Run;
use backup_core::store::SharedStore;
use backup_core::store::retry::Retry;
use backup_core::store::s3::S3Store;
use backup_testkit::s3_server::{ACCESS_KEY_ID, BUCKET, PeerOptions, REGION, S3Peer, SECRET_ACCESS_KEY};
use glacier_archive::GlacierResult;
use glacier_archive::adapters::s3::S3Cold;
use glacier_archive::backup::{BackupSettings, Written, backup};
use glacier_archive::class::Class;
use glacier_archive::fetch::{Fetched, fetch};
use glacier_archive::find::{Backup, find};
use glacier_archive::pattern::{Excluded, Only};
use glacier_archive::plan::{Limits, RetrievalPlan};
use glacier_archive::price::PriceBook;
use glacier_archive::rebuild::{RebuildReport, rebuild};
use glacier_archive::restore::{RestoreSettings, Restored, restore};
use glacier_archive::retrieve::{Request, Retrieved, plan_retrieval, retrieve};
use glacier_archive::state::State;
use glacier_archive::watch::{BackupStanding, watch_once};

/// What the folder is called.
const NAME: &str = "uploads";

pub(crate) fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

/// A clock that a test moves on, with the peer's.
#[derive(Clone, Debug, Default)]
struct Ahead(Arc<AtomicI64>);

impl Clock for Ahead {
    fn now(&self) -> jiff::Timestamp {
        SystemClock.now() + jiff::SignedDuration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

pub(crate) struct World {
    pub(crate) peer: S3Peer,
    pub(crate) settings: BackupSettings,
    pub(crate) only: Only,
    pub(crate) prices: PriceBook,
    /// Hears of every step.
    pub(crate) progress: SharedProgress,
    ahead: Ahead,
    machine: tempfile::TempDir,
}

impl World {
    pub(crate) fn new(class: Class) -> Self {
        let peer = S3Peer::start(PeerOptions::default()).unwrap();
        let machine = tempfile::tempdir().unwrap();
        let settings = BackupSettings {
            name: NAME.to_owned(),
            files: Some(machine.path().join("files")),
            excluded: Excluded::default(),
            class: Some(class),
            vault: None,
            bundles: true,
            allow_empty: false,
            tags: Vec::new(),
        };
        let (only, prices, progress) = (Only::default(), PriceBook::builtin().unwrap(), Arc::new(Silent));
        Self { peer, settings, only, prices, progress, ahead: Ahead::default(), machine }
    }

    pub(crate) fn files(&self) -> PathBuf {
        self.machine.path().join("files")
    }

    /// Small files, a larger one, two of one content, and an empty one.
    pub(crate) fn fill(&self) -> BTreeMap<String, Vec<u8>> {
        let large: Vec<u8> = (0..5 * 1024 * 1024 + 3).map(|at: u32| (at % 251) as u8).collect();
        let files: BTreeMap<String, Vec<u8>> = [
            ("a/1.pdf", vec![1; 700_000]),
            ("b/2.pdf", vec![2; 900_000]),
            ("b/c/3 \"x\"", b"third".to_vec()),
            ("empty", Vec::new()),
            ("large.bin", large),
            ("twin", b"third".to_vec()),
        ]
        .into_iter()
        .map(|(name, content)| (name.to_owned(), content))
        .collect();
        for (name, content) in &files {
            let path = self.files().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        files
    }

    pub(crate) fn check(&self, originals: &BTreeMap<String, Vec<u8>>) {
        for (name, content) in originals {
            assert!(std::fs::read(self.files().join(name)).unwrap() == *content, "{name}");
        }
    }

    /// The folder, the catalogue and everything that was fetched.
    pub(crate) fn lose_everything(&self) {
        for folder in ["files", "state"] {
            let _missing = std::fs::remove_dir_all(self.machine.path().join(folder));
        }
        std::fs::create_dir_all(self.files()).unwrap();
    }

    /// What this machine knows, as an image of it has it.
    pub(crate) fn image(&self) -> tempfile::TempDir {
        let image = tempfile::tempdir().unwrap();
        let state = self.machine.path().join("state");
        for entry in std::fs::read_dir(&state).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
            std::fs::copy(entry.path(), image.path().join(entry.file_name())).unwrap();
        }
        image
    }

    /// The machine goes back to the image.
    pub(crate) fn restore_image(&self, image: &tempfile::TempDir) {
        let state = self.machine.path().join("state");
        std::fs::remove_dir_all(&state).unwrap();
        std::fs::create_dir(&state).unwrap();
        for entry in std::fs::read_dir(image.path()).unwrap().map(Result::unwrap) {
            std::fs::copy(entry.path(), state.join(entry.file_name())).unwrap();
        }
    }

    /// Time passes here and at the service.
    pub(crate) fn pass(&self, time: Duration) {
        self.ahead.0.fetch_add(time.as_secs() as i64, Ordering::Relaxed);
        self.peer.advance(time);
    }

    /// Calls of an operation so far.
    pub(crate) fn calls(&self, op: &str) -> u64 {
        self.peer.log().iter().filter(|call| call.op == op).count() as u64
    }

    fn aws(&self) -> Settings {
        let credentials = Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY);
        Settings::of_endpoint(&Endpoint {
            url: self.peer.endpoint().to_owned(),
            region: REGION.to_owned(),
            credentials,
        })
    }

    pub(crate) fn run(&self) -> Run {
        Run { clock: Arc::new(self.ahead.clone()), ..Run::new(self.progress.clone()) }
    }

    pub(crate) fn store(&self) -> SharedStore {
        let quick = RetryPolicy { delay_first: Duration::from_millis(1), ..RetryPolicy::default() };
        Arc::new(Retry::new(S3Store::new(&self.aws(), BUCKET, "team").unwrap(), quick))
    }

    fn cold(&self) -> S3Cold {
        S3Cold::new(&self.aws(), BUCKET, "team", &self.run())
    }

    pub(crate) fn state(&self) -> State {
        State::open(&self.machine.path().join("state"), NAME, "the peer").unwrap().locked().unwrap()
    }

    async fn found(&self) -> GlacierResult<Backup> {
        find(&self.store(), &NAME.parse()?).await
    }

    pub(crate) async fn backup(&self) -> GlacierResult<Written> {
        let store = self.store();
        init_store(&store, &Init::new(&glacier_archive::key::LAYOUTS)).await?;
        backup(store, &self.state(), &self.settings, &self.run()).await
    }

    pub(crate) async fn rebuild(&self) -> GlacierResult<RebuildReport> {
        rebuild(&self.store(), &self.state(), NAME, &self.run()).await
    }

    pub(crate) async fn plan(&self, limits: Limits) -> GlacierResult<RetrievalPlan> {
        let backup = self.found().await?;
        let folder = self.files();
        let request =
            Request { backup: &backup, only: &self.only, folder: Some(&folder), limits, prices: &self.prices };
        plan_retrieval(&self.cold(), &self.state(), &request, &self.run()).await
    }

    pub(crate) async fn retrieve(&self, limits: Limits) -> GlacierResult<Retrieved> {
        let backup = self.found().await?;
        let folder = self.files();
        let request =
            Request { backup: &backup, only: &self.only, folder: Some(&folder), limits, prices: &self.prices };
        retrieve(&self.cold(), &self.state(), &request, &self.run()).await
    }

    pub(crate) async fn watch(&self) -> BackupStanding {
        let backup = self.found().await.unwrap();
        let folder = self.files();
        let watched =
            watch_once(&self.cold(), &self.state(), &backup, &self.only, Some(&folder), true, &self.run()).await;
        watched.unwrap()
    }

    pub(crate) async fn status(&self) -> BackupStanding {
        let backup = self.found().await.unwrap();
        let folder = self.files();
        let watched =
            watch_once(&self.cold(), &self.state(), &backup, &self.only, Some(&folder), false, &self.run()).await;
        watched.unwrap()
    }

    pub(crate) async fn fetch(&self) -> GlacierResult<Fetched> {
        let backup = self.found().await?;
        let (store, cold, folder) = (self.store(), self.cold(), self.files());
        fetch((&store, &cold), &self.state(), &backup, &self.only, Some(&folder), &self.run()).await
    }

    pub(crate) async fn restore(&self, repair: bool) -> GlacierResult<Restored> {
        let backup = self.found().await?;
        let folder = self.files();
        let settings = RestoreSettings { only: &self.only, folder: &folder, repair };
        restore(&self.state(), &backup, &settings, &self.run()).await
    }
}
