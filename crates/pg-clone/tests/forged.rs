//! Somebody who can write to the location changes a pack after it was checked and before it is loaded.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backup_core::key::Key;
use backup_core::location::{Init, Location};
use backup_core::manifest::Manifest;
use backup_core::progress::{Event, Progress};
use backup_core::store::SharedStore;
use backup_testkit::postgres::Cluster;
use pg_clone::dump::{Dump, DumpOptions};
use pg_clone::restore::{Restore, RestoreOptions};
use pg_clone::stored::detail::DumpDetail;
use pg_clone::stored::frame_hash::FrameHash;
use pg_clone::stored::key::LAYOUTS;
use pg_clone::stored::row_hash::RowHash;
use pg_clone::{Environment, Origin, PgError, PgResult, Run, Server};

/// Puts other bytes in a pack's place once all of it has been checked.
struct ChangesPackBeforeLoad {
    pack: PathBuf,
    forged: Vec<u8>,
}

impl fmt::Debug for ChangesPackBeforeLoad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangesPackBeforeLoad").field("pack", &self.pack).finish_non_exhaustive()
    }
}

impl Progress for ChangesPackBeforeLoad {
    fn event(&self, event: Event) {
        if matches!(event, Event::Step { name: "restore.data", .. }) {
            fs::write(&self.pack, &self.forged).unwrap();
        }
    }
}

/// A dump of a database whose one row says `genuine`, and a pack that says `forgery` and fits its XXH3.
struct Forgery {
    server: Server,
    store: SharedStore,
    key: String,
    double: Arc<ChangesPackBeforeLoad>,
    _location: tempfile::TempDir,
}

impl Forgery {
    /// `with_digests` is false for what an earlier version would have dumped.
    async fn of(database: &str, with_digests: bool) -> Self {
        let cluster = Cluster::shared();
        cluster.create_database(database).unwrap();
        cluster.psql(database, "CREATE TABLE mark AS SELECT 'genuine'::text AS word").unwrap();
        let location = tempfile::tempdir().unwrap();
        let place: Location = location.path().to_str().unwrap().parse().unwrap();
        let store = place.init(&Init::new(&LAYOUTS)).await.unwrap().store;
        let env = cluster.env();
        let pairs = env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let server = Server::resolve(None, Origin::Environment, &Environment::from_pairs(pairs)).unwrap().server;
        let dump = Dump::prepare(&server, &store, DumpOptions::new(database), &Run::silent()).unwrap();
        let key = dump.run().await.unwrap().key;

        let folder = location.path().join("pg").join(&key);
        let forged = forge(&folder, with_digests);
        let double = Arc::new(ChangesPackBeforeLoad { pack: folder.join("data/p00000.pack"), forged });
        Self { server, store, key, double, _location: location }
    }

    async fn restore(&self, database: &str) -> PgResult<()> {
        let run = Run::new(Arc::clone(&self.double) as Arc<dyn Progress>);
        let mut options = RestoreOptions::new(self.key.clone());
        options.confirm = Some(database.to_owned());
        Restore::prepare(&self.server, &self.store, options, &run).await?.run().await.map(drop)
    }
}

/// Makes the manifest's XXH3 fit the pack that is returned: what whoever searches for long enough has without touching the
/// manifest. Everything else still says what was dumped.
fn forge(folder: &Path, with_digests: bool) -> Vec<u8> {
    let name = folder.join("manifest.json");
    let key: Key = "pg/x/manifest.json".parse().unwrap();
    let mut manifest: Manifest<DumpDetail> = Manifest::from_bytes(&key, &fs::read(&name).unwrap()).unwrap();
    let genuine = fs::read(folder.join("data/p00000.pack")).unwrap();
    let text = String::from_utf8(zstd::decode_all(genuine.as_slice()).unwrap()).unwrap();
    let forged = zstd::bulk::compress(text.replace("genuine", "forgery").as_bytes(), 1).unwrap();
    assert_eq!(forged.len(), genuine.len(), "a few bytes are stored as they are");
    let mut row_hash = RowHash::default();
    row_hash.add_row(b"forgery");
    manifest.detail.tables[0].data.row_hash = row_hash;
    let frame = &mut manifest.detail.tables[0].data.frames[0];
    frame.xxh3 = FrameHash::of(&forged);
    if !with_digests {
        frame.blake3 = None;
        frame.content_sha256 = None;
    }
    fs::write(name, manifest.to_bytes().unwrap()).unwrap();
    forged
}

fn word(database: &str) -> String {
    Cluster::shared().psql(database, "SELECT word FROM mark").unwrap()
}

#[tokio::test]
async fn a_pack_changed_between_check_and_load_is_refused_and_the_live_database_stays() {
    let forgery = Forgery::of("forged", true).await;
    let refused = forgery.restore("forged").await.unwrap_err();
    assert!(matches!(refused, PgError::Integrity { .. }), "{refused:?}");
    assert!(refused.to_string().contains("digest"), "{refused}");
    assert_eq!(word("forged"), "genuine");
}

/// Shows that nothing but the digest stood against it, and what SECURITY.md says of dumps of earlier versions.
#[tokio::test]
async fn without_the_digest_the_same_pack_would_be_loaded() {
    let forgery = Forgery::of("forged_old", false).await;
    forgery.restore("forged_old").await.unwrap();
    assert_eq!(word("forged_old"), "forgery");
}
