//! What the tests share: a location in a folder, and reading what was restored.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backup_core::key::Key;
use backup_core::location::{Init, Location};
use backup_core::store::{PutMode, PutOptions, SharedStore};
use object_backup::{
    Backup, BackupOptions, BackupReport, NdjsonTarget, ObjectResult, Restore, RestoreOptions, Restored, Run, Source,
    Target, Written, list,
};

/// A location, and a folder for everything else.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: SharedStore,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Location::File(folder.path().join("location")).init(&Init::new(&[])).await.unwrap().store;
        Self { folder, store }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A folder of records.
    pub(crate) fn records(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(&path).unwrap();
        for (file, content) in files {
            std::fs::write(path.join(file), content).unwrap();
        }
        path
    }

    /// Puts an object where gludb puts its tarballs.
    pub(crate) async fn plant(&self, key: &str, bytes: Vec<u8>) {
        let key = Key::new(key).unwrap();
        self.store.put(&key, bytes.into(), &PutOptions::new(PutMode::Replace)).await.unwrap();
    }

    /// A tarball as gludb would have written it, with one type; returns its key.
    pub(crate) async fn plant_records(&self, member: &str, records: &str) -> &'static str {
        let mut header = tar::Header::new_ustar();
        header.set_size(records.len() as u64);
        header.set_mode(0o600);
        let packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut tarball = tar::Builder::new(packed);
        tarball.append_data(&mut header, member, records.as_bytes()).unwrap();
        let key = "Backup_UTC_2026-11-21T03_13_45.tar.gz";
        self.plant(key, tarball.into_inner().unwrap().finish().unwrap()).await;
        key
    }

    pub(crate) async fn try_backup(&self, source: impl Source, options: &BackupOptions) -> ObjectResult<BackupReport> {
        Backup::prepare(&self.store, Arc::new(source), options, &Run::silent()).await?.run().await
    }

    pub(crate) async fn backup(&self, source: impl Source) -> Written {
        match self.try_backup(source, &BackupOptions::new()).await.unwrap() {
            BackupReport::Written(written) => *written,
            skipped => panic!("{skipped:?}"),
        }
    }

    pub(crate) async fn restore(
        &self,
        key: &str,
        target: impl Target,
        options: &RestoreOptions,
    ) -> ObjectResult<Restored> {
        let found = list::find(&*self.store, key).await?;
        let target = Arc::new(target);
        Restore::prepare(&self.store, &found, target, options.clone(), &Run::silent()).await?.run().await
    }

    /// The files a backup restores to.
    pub(crate) async fn files(&self, key: &str, into: &str) -> BTreeMap<String, Vec<u8>> {
        let path = self.path(into);
        self.restore(key, NdjsonTarget::new(&path), &RestoreOptions::default()).await.unwrap();
        read_folder(&path)
    }
}

/// What is in a folder, by name.
pub(crate) fn read_folder(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
}
