//! Many dumps that no server was asked for: what listings and prunes are tried with, and measured.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use backup_core::manifest::{Codec, Kind, Manifest, Part, Tool};
use backup_core::source::Identity;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::Outcome;

/// The database that all of them are of.
pub const DATABASE: &str = "shop";

/// Tables in each manifest: what a small application has.
const TABLES: usize = 20;

/// Objects of a dump beside its manifest: its schema, and its rows.
const PARTS: [&str; 2] = ["schema.pgdump", "data/p00000.pack"];

/// What a location is known by.
const MARKER: &str = r#"{"format":1,"created_at":"2020-01-01T00:00:00Z","atomic":true}"#;

/// What is in a dump's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Its manifest alone, which is what listings look at.
    Manifest,
    /// Its objects as well.
    Whole,
}

/// Objects as they are stored: keys and bytes.
pub type Objects = Vec<(String, Vec<u8>)>;

/// The objects of the dump of this number, its manifest last. There are three dumps a day, of two configurations.
///
/// # Errors
/// None that can be expected.
pub fn dump(number: u32, content: Content) -> Outcome<Objects> {
    let begin: Timestamp = "2020-01-01T00:00:00Z".parse()?;
    let time = begin + SignedDuration::from_hours(8 * i64::from(number));
    let config = if number % 5 == 4 { "lite" } else { "nightly" };
    let folder = format!("pg/{DATABASE}/{}-000000.{config}.dump", time.strftime("%Y-%m-%d-%H-%M-%S"));
    let names = if content == Content::Whole { &PARTS[..] } else { &[] };
    let mut objects: Objects = Vec::new();
    let mut parts = Vec::new();
    for name in names {
        let key = format!("{folder}/{name}");
        // Each has its own key in it, so that no two are the same.
        let body = key.clone().into_bytes();
        parts.push(part(&key, &body)?);
        objects.push((key, body));
    }
    let mut manifest = manifest(number, config, time);
    manifest.parts = parts;
    objects.push((format!("{folder}/manifest.json"), manifest.to_bytes()?.to_vec()));
    Ok(objects)
}

/// A folder location of so many dumps.
///
/// # Errors
/// If it cannot be written.
pub fn fill(location: &Path, dumps: u32, content: Content) -> Outcome {
    let make = |folder: &Path| std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    make(location)?;
    std::fs::write(location.join("lastgood.json"), MARKER)?;
    for number in 0..dumps {
        for (key, body) in dump(number, content)? {
            let path = location.join(key);
            make(path.parent().unwrap_or(location))?;
            std::fs::write(path, body)?;
        }
    }
    Ok(())
}

fn part(key: &str, body: &[u8]) -> Outcome<Part> {
    Ok(Part {
        key: Key::new(key)?,
        role: "data".to_owned(),
        content_sha256: None,
        content_bytes: body.len() as u64,
        stored_sha256: Sha256Digest::of(body),
        stored_bytes: body.len() as u64,
        codec: Codec::None,
        offset: None,
        length: None,
    })
}

fn manifest(number: u32, config: &str, time: Timestamp) -> Manifest {
    let tables: Vec<_> = (0..TABLES)
        .map(|table| {
            json!({"schema": "public", "name": format!("table_{table}"), "kind": "table", "columns": ["id", "note"], "rows": 1000,
                "content_bytes": 13_786, "row_hash": "bd56feaa18226320f7bd9a6022be44fe", "frames": [{"part": 0, "offset": 0,
                "length": 2681, "content_bytes": 13_786, "rows": 1000, "xxh3": "bd56feaa18226320f7bd9a6022be44fe",
                "blake3": "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"}]})
        })
        .collect();
    let detail = json!({"filters": {"excluded": [], "emptied": []}, "tables": tables});
    let mut manifest = Manifest::new(Kind::Pg, DATABASE, time, detail);
    manifest.identity = Some(Identity { id: "postgresql:7305118472310922021".to_owned(), host: "db1:5432".to_owned() });
    config.clone_into(&mut manifest.config);
    manifest.tool = Tool { name: "lastgood".to_owned(), version: "0.1.0".to_owned(), writer: "db1/1".to_owned() };
    manifest.sequence = u64::from(number) + 1;
    manifest.complete = Some(config == "nightly");
    manifest.counts = [("tables".to_owned(), TABLES as u64), ("rows".to_owned(), 1_000 * TABLES as u64)].into();
    manifest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_dump_is_one_that_can_be_read() {
        let objects = dump(4, Content::Whole).unwrap();
        let (key, body) = objects.last().unwrap();
        assert_eq!(key, "pg/shop/2020-01-02-08-00-00-000000.lite.dump/manifest.json");
        let manifest: Manifest = Manifest::from_bytes(&Key::new(key).unwrap(), body).unwrap();
        assert_eq!(manifest.parts.len(), PARTS.len());
        assert_eq!(dump(4, Content::Manifest).unwrap().len(), 1);
    }
}
