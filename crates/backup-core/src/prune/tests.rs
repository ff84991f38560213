//! Removing beside others: what goes, what stays, and what an interruption leaves.

mod abandoned;
mod external;
mod interleaved;
mod peer;
mod power;
mod removal;
mod room;
mod unreadable;

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use uuid::Uuid;

use crate::catalogue::{self, Entry};
use crate::digest::Sha256Digest;
use crate::key::Key;
use crate::manifest::{Codec, FORMAT, Kind, Manifest, Outcome, Part, Tool};
use crate::retention::{Policy, RetentionPlan, Rule, plan};
use crate::store::{PutMode, PutOptions, StoreRead, StoreWrite};

const SCOPE: &str = "pg/";

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn manifest_key(name: &str) -> Key {
    key(&format!("pg/shop/{name}.dump/manifest.json"))
}

fn part_key(name: &str, part: &str) -> Key {
    key(&format!("pg/shop/{name}.dump/data/{part}"))
}

fn id(name: &str) -> Uuid {
    Uuid::from_slice(&Sha256Digest::of(name.as_bytes()).as_bytes()[..16]).unwrap()
}

/// Every part holds its own key, so that a reader can tell whether it got the right one.
fn body(part: &Key) -> Bytes {
    Bytes::from(part.to_string())
}

fn manifest(name: &str, sequence: u64, parts: &[Key]) -> Manifest {
    let time = Timestamp::from_second(1_700_000_000 + i64::try_from(sequence).unwrap() * 86_400).unwrap();
    let parts = parts.iter().map(|part| Part {
        key: part.clone(),
        role: "data".to_owned(),
        content_sha256: None,
        content_bytes: 1,
        stored_sha256: Sha256Digest::of(&body(part)),
        stored_bytes: body(part).len() as u64,
        codec: Codec::None,
        offset: None,
        length: None,
    });
    Manifest {
        format: FORMAT,
        id: id(name),
        kind: Kind::Pg,
        source: "shop".to_owned(),
        identity: None,
        config: "nightly".to_owned(),
        created_at: time,
        started_at: time,
        tool: Tool { name: "lastgood".to_owned(), version: "0.1.0".to_owned(), writer: format!("db1/{name}") },
        parent: None,
        sequence,
        outcome: Outcome::Good,
        complete: None,
        parts: parts.collect(),
        counts: BTreeMap::new(),
        tags: Vec::new(),
        encryption: None,
        requires: Vec::new(),
        external: Vec::new(),
        detail: serde_json::Value::Null,
        unknown: serde_json::Map::new(),
    }
}

async fn put(store: &dyn StoreWrite, at: &Key) {
    store.put(at, body(at), &PutOptions::new(PutMode::Replace)).await.unwrap();
}

/// Publishes a backup whose parts are all its own.
async fn backup(store: &dyn StoreWrite, name: &str, sequence: u64, parts: &[&str]) {
    let parts: Vec<Key> = parts.iter().map(|part| part_key(name, part)).collect();
    for part in &parts {
        put(store, part).await;
    }
    publish(store, name, &manifest(name, sequence, &parts)).await;
}

async fn publish(store: &dyn StoreWrite, name: &str, manifest: &Manifest) {
    catalogue::publish(store, &manifest_key(name), manifest, &key("pg/shop/latest.json")).await.unwrap();
}

async fn entries(store: &dyn StoreRead) -> Vec<Entry> {
    catalogue::list(store, SCOPE).await.unwrap()
}

fn keep_last(entries: &[Entry], count: u32) -> RetentionPlan {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    plan(&super::candidates(entries), &Policy::new(vec![Rule::Last(count)]), now).unwrap()
}

async fn objects(store: &dyn StoreRead) -> Vec<String> {
    store.list("", None).map_ok(|object| object.key.to_string()).try_collect().await.unwrap()
}

/// Reads every byte of every published backup, and what it builds on.
async fn assert_readable(store: &dyn StoreRead, when: &str) {
    let entries = entries(store).await;
    let ids: Vec<Uuid> = entries.iter().map(|entry| entry.manifest.as_ref().unwrap().id).collect();
    for entry in &entries {
        let manifest = entry.manifest.as_ref().unwrap();
        assert!(manifest.parent.is_none_or(|parent| ids.contains(&parent)), "{when}: {} lost its parent", entry.key);
        for part in &manifest.parts {
            let stored = crate::document::read(store, &part.key, 1_000).await;
            let stored = stored.unwrap_or_else(|error| panic!("{when}: {} needs {}: {error}", entry.key, part.key));
            assert_eq!(Sha256Digest::of(&stored), part.stored_sha256, "{when}: {}", part.key);
        }
    }
}
