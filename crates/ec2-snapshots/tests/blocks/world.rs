//! A fake with a volume, and a location.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backup_core::aws::{Credentials, Endpoint, Settings};
use backup_core::clock::SystemClock;
use backup_core::probe;
use backup_core::run::Run;
use backup_core::store::SharedStore;
use backup_core::store::fs::FsStore;
use backup_testkit::aws_fake::FakeOptions;
use backup_testkit::ec2_fake::Ec2Fake;
use backup_testkit::ec2_fake::content::{Block, Content, RandomFill};
use backup_testkit::ec2_fake::model::{Fate, Snapshot as FakeSnapshot};
use backup_testkit::ec2_fake::seed::{ACCOUNT, Seed};
use bytes::Bytes;
use ec2_snapshots::adapters::ebs::AwsDirect;
use ec2_snapshots::blocks::key::ExportKey;
use ec2_snapshots::blocks::{ExportReport, Parent, Stored, export, plan_export};
use ec2_snapshots::model::{Region, Snapshot, SnapshotId, SnapshotState, StorageTier, Tags};
use ec2_snapshots::{Ec2Error, Ec2Result};

static ZEROS: [u8; 524_288] = [0; 524_288];

pub(crate) const VOLUME: &str = "vol-0aaaaaaaaaaaaaa12";
pub(crate) const HERE: &str = "us-east-1";
pub(crate) const THERE: &str = "eu-west-1";

/// A fake, the clients of two of its regions, and a location in a folder.
pub(crate) struct World {
    pub(crate) fake: Ec2Fake,
    pub(crate) here: AwsDirect,
    pub(crate) there: AwsDirect,
    pub(crate) store: SharedStore,
    pub(crate) run: Run,
    folder: tempfile::TempDir,
}

pub(crate) fn region(name: &str) -> Region {
    name.parse().unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        let fake = Ec2Fake::start(&FakeOptions::default(), Seed::small()).unwrap();
        fake.settings(|settings| settings.per_volume_interval_ms = 0);
        let settings = Settings::of_endpoint(&Endpoint {
            url: fake.endpoint().to_owned(),
            region: HERE.to_owned(),
            credentials: Credentials::new(ACCOUNT, "testkit"),
        });
        let folder = tempfile::tempdir().unwrap();
        let location = folder.path().join("location");
        std::fs::create_dir(&location).unwrap();
        let store: SharedStore = Arc::new(FsStore::open(&location).unwrap());
        probe::init(&*store, &SystemClock).await.unwrap();
        Self {
            here: AwsDirect::new(&settings, &region(HERE)),
            there: AwsDirect::new(&settings, &region(THERE)),
            fake,
            store,
            run: Run::silent(),
            folder,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Changes what is on the volume.
    pub(crate) fn write(&self, change: impl FnOnce(&mut Content)) {
        self.fake.world(|state| {
            let region = state.regions.get_mut(HERE).unwrap();
            change(&mut region.volumes.get_mut(VOLUME).unwrap().content);
        });
    }

    /// `count` blocks that do not compress, from 100 on, each a second apart from the next.
    pub(crate) fn fill(&self, count: u32) {
        self.write(|content| {
            let random = Some(RandomFill { seed: 5, from: 100, to: 100 + count, every: 1 });
            backup_testkit::ec2_fake::content::Fill { random, ..Default::default() }.write(content);
        });
    }

    /// A snapshot of the volume, complete, as EC2 describes it.
    pub(crate) fn snapshot(&self, id: &str) -> Snapshot {
        self.place(HERE, id, |_| {})
    }

    /// A copy of the volume's snapshot in the other region, of a lineage of its own.
    pub(crate) fn replica(&self, id: &str, change: impl FnOnce(&mut Content)) -> SnapshotId {
        self.place(THERE, id, change).id
    }

    fn place(&self, name: &str, id: &str, change: impl FnOnce(&mut Content)) -> Snapshot {
        let now = self.now();
        self.fake.clock().advance(std::time::Duration::from_secs(60));
        self.fake.world(|state| {
            let volume = state.regions[HERE].volumes[VOLUME].clone();
            let mut content = volume.content.clone();
            change(&mut content);
            let lineage = if name == HERE { volume.lineage.clone() } else { id.to_owned() };
            let snapshot = FakeSnapshot {
                id: id.to_owned(),
                owner: ACCOUNT.to_owned(),
                tags: Default::default(),
                description: "before the upgrade".to_owned(),
                volume: VOLUME.to_owned(),
                size: volume.size,
                start: now,
                fate: Fate::Complete(now),
                key: None,
                content,
                lineage,
                copy: name != HERE,
                shared: Default::default(),
                public: false,
                archived: false,
                lock: None,
                binned: None,
                direct: None,
                damaged: Default::default(),
            };
            state.regions.get_mut(name).unwrap().snapshots.insert(id.to_owned(), snapshot);
        });
        Snapshot {
            id: id.into(),
            region: region(name),
            volume: VOLUME.into(),
            owner: ACCOUNT.to_owned(),
            start_time: now,
            state: SnapshotState::Completed,
            state_message: None,
            progress: "100%".to_owned(),
            size_gib: 1,
            encrypted: false,
            tier: StorageTier::Standard,
            description: "before the upgrade".to_owned(),
            tags: Tags::new().with("Name", "shop"),
        }
    }

    pub(crate) fn now(&self) -> jiff::Timestamp {
        use backup_core::clock::Clock as _;
        self.fake.clock().now()
    }

    pub(crate) async fn export(&self, snapshot: &Snapshot, parent: &Parent) -> Ec2Result<ExportReport> {
        let plan = plan_export(&self.here, &self.store, snapshot.clone(), parent, &self.run).await?;
        export(&self.here, &self.store, &plan, &self.run).await
    }

    pub(crate) async fn stored(&self, id: &SnapshotId) -> Stored {
        let key = ExportKey { region: region(HERE), snapshot: id.clone() };
        Stored::open(&*self.store, &key).await.unwrap()
    }

    /// The blocks that a snapshot of the fake has and that are not zeros.
    pub(crate) fn volume(&self, name: &str, id: &str) -> BTreeMap<u32, Bytes> {
        self.fake.world(|state| {
            let content = &state.regions[name].snapshots[id].content;
            let blocks = content.indexes(0).map(|index| (index, content.get(index).map(Block::bytes).unwrap()));
            blocks.filter(|(_, block)| block[..] != ZEROS[..]).collect()
        })
    }

    /// How often an action was called.
    pub(crate) fn calls(&self, op: &str) -> usize {
        self.fake.log().iter().filter(|call| call.op == op).count()
    }
}

/// The blocks of an image of one GiB that are not zeros.
pub(crate) fn image(path: &Path) -> BTreeMap<u32, Bytes> {
    let mut file = File::open(path).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 1 << 30);
    let mut block = vec![0; ZEROS.len()];
    let mut blocks = BTreeMap::new();
    for index in 0..2048 {
        file.read_exact(&mut block).unwrap();
        if block[..] != ZEROS[..] {
            blocks.insert(index, Bytes::copy_from_slice(&block));
        }
    }
    blocks
}

pub(crate) fn is_damage(error: &Ec2Error) -> bool {
    matches!(error, Ec2Error::Damaged { .. } | Ec2Error::Core(_))
}
