//! Makes of a small dump one of 2 TiB: its empty table `huge` gets the frames that so many rows have, in packs that are files
//! without content.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;

use backup_core::digest::{Sha256Digest, Sha256Hasher};
use backup_core::key::Key;
use backup_core::manifest::{Codec, Manifest, Part};
use serde_json::{Value, json};

use crate::ensure_eq;
use crate::harness::{Failure, RowResult, World};

/// What makes 2 TiB of rows in frames of 4 MiB.
const FRAMES: u64 = 2 * 1024 * 1024 / 4;

/// Stored bytes and rows of one, as of rows that are compressed to a quarter.
const FRAME_BYTES: u64 = 1024 * 1024;
const FRAME_CONTENT_BYTES: u64 = 4 * 1024 * 1024;
const FRAME_ROWS: u64 = 40_000;

/// Frames in a pack, as dumps of so many bytes have them, and in a list.
const PACK_FRAMES: u64 = 128;
const LIST_FRAMES: usize = 32 * 1024;

/// What was made.
pub(super) struct Huge {
    pub(super) frames: u64,
    /// Objects of the dump.
    pub(super) objects: usize,
    /// A list with frames of the huge table and of no other.
    pub(super) list: String,
}

/// Grows the dump `key`, which has lists, and whose table `huge` is empty.
pub(super) fn grow(world: &World, key: &str) -> RowResult<Huge> {
    let root = world.folder().join("location");
    let folder = format!("pg/{key}");
    let name = format!("{folder}/manifest.json");
    let mut manifest: Manifest = Manifest::from_bytes(&name.parse().map_err(failed)?, &fs::read(root.join(&name))?)?;
    let tables = lines(&root, &mut manifest, "table-list")?;
    let frames = lines(&root, &mut manifest, "frame-list")?;

    let (mut before, mut grown) = (0_usize, Vec::with_capacity(tables.len()));
    let mut found = false;
    for line in tables {
        let mut line: Value = serde_json::from_str(&line)?;
        if line["table"]["name"] == "huge" {
            found = true;
            line["table"]["frames"] = json!(FRAMES);
            line["table"]["rows"] = json!(FRAMES * FRAME_ROWS);
            line["table"]["stored_bytes"] = json!(FRAMES * FRAME_BYTES);
            line["table"]["content_bytes"] = json!(FRAMES * FRAME_CONTENT_BYTES);
        } else if !found {
            before += usize::try_from(line["table"]["frames"].as_u64().unwrap_or_default())?;
        }
        grown.push(line.to_string());
    }
    ensure_eq!(found, true, "whether the dump has a table `huge`");

    let first = u64::try_from(manifest.parts.len())?;
    for pack in 0..FRAMES / PACK_FRAMES {
        let key = format!("{folder}/data/h{pack:05}.pack");
        File::create(root.join(&key))?.set_len(PACK_FRAMES * FRAME_BYTES)?;
        let digest = Sha256Digest::of(key.as_bytes());
        let content_bytes = PACK_FRAMES * FRAME_CONTENT_BYTES;
        manifest.parts.push(part(&key, "data", Codec::Zstd, digest, PACK_FRAMES * FRAME_BYTES, content_bytes)?);
    }
    let of_huge = (0..FRAMES).map(|frame| frame_line(first + frame / PACK_FRAMES, frame));
    let (left, right) = frames.split_at(before);
    let all = left.iter().cloned().chain(of_huge).chain(right.iter().cloned());

    let count = grown.len();
    write(&root, &mut manifest, &format!("{folder}/lists/ht.jsonl"), "table-list", grown.into_iter())?;
    manifest.detail["lists"]["tables"] = json!([count]);
    let mut all = all.peekable();
    let (mut counts, mut list) = (Vec::new(), String::new());
    while all.peek().is_some() {
        let key = format!("{folder}/lists/h{:05}.jsonl", counts.len());
        counts.push(write(&root, &mut manifest, &key, "frame-list", all.by_ref().take(LIST_FRAMES))?);
        if counts.len() == 5 {
            list = key;
        }
    }
    manifest.detail["lists"]["frames"] = json!(counts);
    fs::write(root.join(&name), manifest.to_bytes()?)?;
    Ok(Huge { frames: FRAMES, objects: manifest.parts.len(), list })
}

/// The lines of the lists of a role, whose parts leave the manifest.
fn lines(root: &Path, manifest: &mut Manifest, role: &str) -> RowResult<Vec<String>> {
    let (of_role, others): (Vec<Part>, Vec<Part>) = manifest.parts.drain(..).partition(|part| part.role == role);
    manifest.parts = others;
    let mut lines = Vec::new();
    for part in of_role {
        let path = root.join(part.key.as_str());
        let output = Command::new("zstd").arg("-dcq").arg(&path).output();
        let output = output.map_err(|error| Failure::Skipped(format!("`zstd` cannot be run: {error}")))?;
        lines.extend(String::from_utf8(output.stdout)?.lines().map(str::to_owned));
        fs::remove_file(path)?;
    }
    Ok(lines)
}

/// A frame as a dump lists it: the digests are any, and cannot be compressed.
fn frame_line(part: u64, number: u64) -> String {
    let digest = Sha256Digest::of(&number.to_le_bytes()).to_string();
    let (offset, xxh3) = (number % PACK_FRAMES * FRAME_BYTES, &digest[..32]);
    format!(
        r#"{{"part":{part},"offset":{offset},"length":{FRAME_BYTES},"content_bytes":{FRAME_CONTENT_BYTES},"rows":{FRAME_ROWS},"xxh3":"{xxh3}","blake3":"{digest}"}}"#
    )
}

/// Writes a list, adds it to the manifest, and says how many lines it has.
fn write(
    root: &Path,
    manifest: &mut Manifest,
    key: &str,
    role: &str,
    lines: impl Iterator<Item = String>,
) -> RowResult<u64> {
    let mut file = BufWriter::new(File::create(root.join(key))?);
    let (mut hasher, mut bytes, mut count) = (Sha256Hasher::default(), 0, 0);
    for mut line in lines {
        line.push('\n');
        hasher.update(line.as_bytes());
        file.write_all(line.as_bytes())?;
        bytes += line.len() as u64;
        count += 1;
    }
    file.flush()?;
    manifest.parts.push(part(key, role, Codec::None, hasher.finish(), bytes, bytes)?);
    Ok(count)
}

fn part(
    key: &str,
    role: &str,
    codec: Codec,
    stored_sha256: Sha256Digest,
    stored_bytes: u64,
    content_bytes: u64,
) -> RowResult<Part> {
    let key: Key = key.parse().map_err(failed)?;
    let (role, content_sha256) = (role.to_owned(), None);
    let (offset, length) = (None, None);
    Ok(Part { key, role, content_sha256, content_bytes, stored_sha256, stored_bytes, codec, offset, length })
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(error.to_string())
}
