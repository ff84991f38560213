//! Dumps for tests: real packs of real frames and a published manifest, without a database.

use std::collections::BTreeMap;

use backup_core::catalogue;
use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use backup_core::manifest::{Codec, Kind, Manifest, Outcome, Part};
use backup_core::store::memory::MemoryStore;
use backup_core::store::{PutMode, PutOptions, StoreWrite};
use bytes::Bytes;
use jiff::Timestamp;

use crate::stored::database_settings::DatabaseSettings;
use crate::stored::detail::{
    DumpDetail, Filters, Frame, ROLE_DATA, ROLE_SCHEMA, RowData, ServerInfo, TableDump, TableKind,
};
use crate::stored::frame_digest::FrameDigest;
use crate::stored::frame_hash::FrameHash;
use crate::stored::key::DumpKey;

/// What a made-up dump holds: tables of frames of rows.
pub(crate) type Tables<'a> = &'a [(&'a str, &'a [&'a [&'a str]])];

/// Two tables: one in two frames, one in one.
pub(crate) const SHOP: Tables<'static> =
    &[("customers", &[&["1\tann", "2\tbob"], &["3\tcleo"]]), ("orders", &[&["10\t1\tbook", "11\t3\tpen"]])];

/// A dump in the making.
#[derive(Clone, Debug)]
pub(crate) struct TestDump {
    pub(crate) key: DumpKey,
    pub(crate) manifest: Manifest<DumpDetail>,
    pub(crate) objects: BTreeMap<Key, Bytes>,
}

impl TestDump {
    /// A dump with a schema object and one pack for every table.
    pub(crate) fn new(database: &str, time: &str, tables: Tables<'_>) -> Self {
        let time: Timestamp = time.parse().unwrap();
        let key = DumpKey::new(database, time, "nightly");
        let folder = key.folder().unwrap();
        let mut dump = Self { key, manifest: manifest(database, time), objects: BTreeMap::new() };
        dump.add(&folder.join("schema.pgdump").unwrap(), ROLE_SCHEMA, Codec::None, b"PGDMP schema".to_vec(), 12);
        for (index, (name, frames)) in tables.iter().enumerate() {
            let (pack, data, content_bytes) = pack(frames, index as u32 + 1);
            let object = folder.join(&format!("data/p{index:05}.pack")).unwrap();
            dump.add(&object, ROLE_DATA, Codec::Zstd, pack, content_bytes);
            let table = TableDump {
                schema: "public".to_owned(),
                name: (*name).to_owned(),
                kind: TableKind::Table,
                columns: vec!["a".to_owned()],
                base: None,
                reading: None,
                data,
            };
            dump.manifest.counts.insert("tables".to_owned(), index as u64 + 1);
            *dump.manifest.counts.entry("rows".to_owned()).or_default() += table.data.rows;
            dump.manifest.detail.tables.push(table);
        }
        dump
    }

    fn add(&mut self, object: &Key, role: &str, codec: Codec, body: Vec<u8>, content_bytes: u64) {
        self.manifest.parts.push(Part {
            key: object.clone(),
            role: role.to_owned(),
            content_sha256: None,
            content_bytes,
            stored_sha256: Sha256Digest::of(&body),
            stored_bytes: body.len() as u64,
            codec,
            offset: None,
            length: None,
        });
        self.objects.insert(object.clone(), body.into());
    }

    pub(crate) fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.manifest.outcome = outcome;
        self
    }

    pub(crate) fn with_sequence(mut self, sequence: u64) -> Self {
        self.manifest.sequence = sequence;
        self
    }

    /// Stores the objects and no manifest, as an interrupted run would.
    pub(crate) async fn store_objects(&self, store: &dyn StoreWrite) {
        for (key, body) in &self.objects {
            store.put(key, body.clone(), &PutOptions::new(PutMode::Create)).await.unwrap();
        }
    }

    /// Stores the packs alone.
    pub(crate) async fn store_objects_but_the_schema(&self, store: &dyn StoreWrite) {
        for (key, body) in self.objects.iter().filter(|(key, _)| !key.as_str().ends_with("schema.pgdump")) {
            store.put(key, body.clone(), &PutOptions::new(PutMode::Create)).await.unwrap();
        }
    }

    /// Stores everything and returns the dump's key.
    pub(crate) async fn publish(&self, store: &dyn StoreWrite) -> String {
        self.store_objects(store).await;
        let manifest: Manifest = {
            let bytes = self.manifest.to_bytes().unwrap();
            Manifest::from_bytes(&self.key.manifest().unwrap(), &bytes).unwrap()
        };
        let (key, pointer) = (self.key.manifest().unwrap(), self.key.pointer().unwrap());
        catalogue::publish(store, &key, &manifest, &pointer).await.unwrap();
        self.key.to_string()
    }
}

/// Replaces an object.
pub(crate) async fn overwrite(store: &MemoryStore, key: &Key, body: impl Into<Bytes>) {
    store.put(key, body.into(), &PutOptions::new(PutMode::Replace)).await.unwrap();
}

/// A pack of frames and what a manifest says about it.
fn pack(frames: &[&[&str]], part: u32) -> (Vec<u8>, RowData, u64) {
    let mut pack = Vec::new();
    let mut data = RowData::default();
    for rows in frames {
        let text: String = rows.iter().flat_map(|row| [row, "\n"]).collect();
        let stored = zstd::bulk::compress(text.as_bytes(), 1).unwrap();
        data.rows += data.row_hash.add_lines(text.as_bytes());
        data.content_bytes += text.len() as u64;
        data.frames.push(Frame {
            part,
            offset: pack.len() as u64,
            length: stored.len() as u64,
            content_bytes: text.len() as u64,
            rows: rows.len() as u64,
            xxh3: FrameHash::of(&stored),
            blake3: Some(FrameDigest::of(&stored)),
            content_sha256: Some(Sha256Digest::of(text.as_bytes())),
        });
        pack.extend(stored);
    }
    let content_bytes = data.content_bytes;
    (pack, data, content_bytes)
}

fn manifest(database: &str, time: Timestamp) -> Manifest<DumpDetail> {
    let mut manifest = Manifest::new(Kind::Pg, database, time, detail());
    "nightly".clone_into(&mut manifest.config);
    manifest
}

fn detail() -> DumpDetail {
    DumpDetail {
        server: ServerInfo {
            version_num: 150_018,
            version: "15.18".to_owned(),
            in_recovery: false,
            snapshot_lsn: "0/1".to_owned(),
        },
        pg_dump_version: "15.18".to_owned(),
        database: DatabaseSettings {
            owner: "shop".to_owned(),
            grants: None,
            connection_limit: -1,
            parameters: Vec::new(),
            comment: None,
            encoding: "UTF8".to_owned(),
            collate: "C".to_owned(),
            ctype: "C".to_owned(),
            locale_provider: None,
            icu_locale: None,
            icu_rules: None,
            tablespace: "pg_default".to_owned(),
            allow_connections: true,
        },
        filters: Filters::default(),
        extensions: Vec::new(),
        roles: Vec::new(),
        policy_roles: Vec::new(),
        tables: Vec::new(),
        sequences: Vec::new(),
        matviews: Vec::new(),
        excluded_foreign_keys: Vec::new(),
        large_objects: None,
        lc_monetary: None,
        lists: None,
        base: None,
        reading: None,
    }
}
