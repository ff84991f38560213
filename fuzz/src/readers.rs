//! The readers, each with how its inputs are changed.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use backup_core::key::Key;
use backup_core::manifest::Manifest;
use backup_core::run::Run;
use backup_core::store::memory::MemoryStore;
use backup_core::store::{PutMode, PutOptions, SharedStore, StoreWrite as _};
use backup_testkit::dice::Dice;
use backup_testkit::mutations;
use dictstore_backup::{Format, Semantics, file};
use object_backup::list::{self, Filter};
use object_backup::verify::verify;
use pg_clone::restore::test_readers;
use pg_clone::stored::detail::DumpDetail;
use pg_clone::{Environment, Origin, Server};
use python_json::{Fault, Kind, Reader as JsonReader};
use serde_json::Value;

/// What readers need besides their input.
pub(crate) struct Room {
    runtime: tokio::runtime::Runtime,
    folder: tempfile::TempDir,
}

impl Room {
    pub(crate) fn new() -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(text)?;
        // In memory, where there is such a place: files are written by the thousand.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).map_err(text)?;
        Ok(Self { runtime, folder })
    }
}

/// Reads an input: what was found, coarsely, or why not. Whatever must be true of any input is asserted.
type Read = fn(&Room, &[u8], &mut Dice) -> Result<String, String>;

/// How an input is changed before its bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// It is only bytes.
    Bytes,
    /// Fields of JSON under a digest.
    Sealed,
    /// Fields of JSON.
    Fields,
    /// A tarball within gzip.
    Gzip,
}

/// One reader.
pub(crate) struct Reader {
    pub(crate) name: &'static str,
    pub(crate) read: Read,
    shape: Shape,
    words: &'static [&'static str],
}

/// Longest tarball that is made of an input.
const TAR_BYTES_MAX: u64 = 512 * 1024;

/// Largest frame that an input may claim, so that a round stays short.
const FRAME_BYTES_MAX: u64 = 64 << 20;

/// Levels of JSON that may be nested; `serde_json`, with which it is compared, takes 127.
const LEVELS_MAX: usize = 200;

impl Reader {
    pub(crate) const ALL: [Self; 7] = [
        Self {
            name: "manifest",
            read: manifest,
            shape: Shape::Sealed,
            words: &["\"requires\":[", "\"external\":", "null"],
        },
        Self { name: "pack", read: pack, shape: Shape::Bytes, words: &["\x28\u{b5}", "\n", "\\N\t", "\\."] },
        Self {
            name: "archive",
            read: archive,
            shape: Shape::Bytes,
            words: &[
                "PGDMP",
                "TABLE DATA",
                "SEARCHPATH",
                "STDSTRINGS",
                "CREATE ROLE r;",
                "ALTER SYSTEM SET a = 1;",
                "COPY t FROM PROGRAM 'x';",
                "$$",
                "/*",
                "--",
                "E'\\",
                "SET standard_conforming_strings = 'off';",
            ],
        },
        Self {
            name: "conninfo",
            read: conninfo,
            shape: Shape::Bytes,
            words: &[
                "host=",
                "hostaddr=",
                "port=",
                "dbname=",
                "user=",
                "password=",
                "service=",
                "sslmode=",
                "options=",
                "postgresql://",
                "postgres://",
                "%00",
                "%2F",
                "%",
                "@",
                "[::1]",
                ",",
                "'",
                "\\",
                "?",
                "&",
                "=",
                " ",
                "target_session_attrs=any",
                "connect_timeout=2147483648",
                "passfile=",
                "sslrootcert=system",
            ],
        },
        Self { name: "tarball", read: tarball, shape: Shape::Gzip, words: &["ustar", "./", "../", "\0", "0000644\0"] },
        Self {
            name: "pickle",
            read: pickle,
            shape: Shape::Bytes,
            words: &["cdictdb\n", "csystem\n", "R.", "(", "]", "}", "\u{80}\u{4}", "q\0", "I99999999999\n", "N", "."],
        },
        Self {
            name: "json",
            read: json,
            shape: Shape::Fields,
            words: &["{", "}", "[", "]", ",", ":", "\"", "\\u", "\\ud800", "NaN", "-Infinity", "1e999", "-0", "null"],
        },
    ];

    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        const ALL: &[Reader] = &Reader::ALL;
        ALL.iter().find(|reader| reader.name == name)
    }

    /// An input made of another.
    pub(crate) fn changed(&self, dice: &mut Dice, input: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
        let bytes = |dice: &mut Dice, input: &[u8]| mutations::bytes(dice, input, others, self.words);
        if dice.once_in(3) {
            return bytes(dice, input);
        }
        let changed = match self.shape {
            Shape::Bytes => None,
            Shape::Sealed => mutations::manifest(dice, input),
            Shape::Fields => {
                let found = serde_json::from_slice::<Value>(input).ok();
                found.map(|found| mutations::document(dice, &found).to_string().into_bytes())
            }
            Shape::Gzip => unpacked(input).map(|tar| packed(&with_sums(bytes(dice, &tar)))),
        };
        changed.unwrap_or_else(|| bytes(dice, input))
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn unpacked(gzip: &[u8]) -> Option<Vec<u8>> {
    let mut tar = Vec::new();
    flate2::read::MultiGzDecoder::new(gzip).take(TAR_BYTES_MAX).read_to_end(&mut tar).ok()?;
    Some(tar)
}

fn packed(tar: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // A vector takes everything.
    let _ = gzip.write_all(tar);
    gzip.finish().unwrap_or_default()
}

/// Gives every block that may be a header the sum that it must have, so that changes in it are looked at.
fn with_sums(mut tar: Vec<u8>) -> Vec<u8> {
    for block in tar.chunks_exact_mut(512).filter(|block| block[257..262] == *b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    tar
}

fn manifest(_: &Room, input: &[u8], _: &mut Dice) -> Result<String, String> {
    let at: Key = "pg/shop/2026-11-21-03-00-04-123456.default.dump/manifest.json".parse().map_err(text)?;
    let read = Manifest::<Value>::from_bytes(&at, input).map_err(text)?;
    let again = read.to_bytes().map_err(text)?;
    assert_eq!(
        Manifest::from_bytes(&at, &again).as_ref().ok(),
        Some(&read),
        "a manifest that was written and read again"
    );
    let bytes = read.stored_bytes().max(read.content_bytes()).max(1).ilog2();
    match Manifest::<DumpDetail>::from_bytes(&at, input) {
        Ok(_) => Ok(format!("dump, 2^{} parts", read.parts.len().max(1).ilog2())),
        Err(error) => Ok(format!("{:?} {} {}", read.kind, bytes / 16, error.to_string().len() / 40)),
    }
}

/// Content bytes and rows, eight bytes each, then the frame.
fn pack(_: &Room, input: &[u8], dice: &mut Dice) -> Result<String, String> {
    let (claims, stored) = input.split_at_checked(16).ok_or("shorter than its claims")?;
    let number = |at: usize| claims[at..at + 8].iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    test_readers::frame(stored, number(0).min(FRAME_BYTES_MAX), number(8), dice.between(1, 64))
}

fn archive(_: &Room, input: &[u8], _: &mut Dice) -> Result<String, String> {
    test_readers::archive(input)
}

fn conninfo(_: &Room, input: &[u8], dice: &mut Dice) -> Result<String, String> {
    let target = std::str::from_utf8(input).map_err(text)?;
    let origin = if dice.once_in(2) { Origin::CommandLine } else { Origin::Environment };
    let found = Server::resolve(Some(target), origin, &Environment::from_pairs([])).map_err(text)?;
    let described = found.server.describe().len() + found.server.host_for_people().len();
    let _child = found.server.child_environment("shop").map_err(text)?;
    Ok(format!("database {}, 2^{}", found.database.is_some(), described.max(1).ilog2()))
}

fn tarball(room: &Room, input: &[u8], _: &mut Dice) -> Result<String, String> {
    let at: Key = "Backup_UTC_2026-11-21T03_13_45.696797.tar.gz".parse().map_err(text)?;
    room.runtime.block_on(async {
        let memory = MemoryStore::new();
        memory.put(&at, input.to_vec().into(), &PutOptions::new(PutMode::Create)).await.map_err(text)?;
        let store: SharedStore = Arc::new(memory);
        let listed = list::list(&*store, &Filter::default()).await.map_err(text)?;
        let entry = listed.first().ok_or("it is not listed")?;
        let verified = verify(&store, entry, &Run::silent()).await.map_err(text)?;
        match verified.broken {
            None => Ok(format!("2^{} records", verified.records.max(1).ilog2())),
            Some(what) => Err(what),
        }
    })
}

/// A file of a store, read by our rules and by DictDB's, and written again.
fn store(room: &Room, input: &[u8], format: Format) -> Result<String, String> {
    let path = room.folder.path().join("store");
    std::fs::write(&path, input).map_err(text)?;
    let run = Run::silent();
    let theirs = file::read(&path, format, Semantics::DictDb, &run).map(drop);
    let loaded = file::read(&path, format, Semantics::Exact, &run);
    drop(theirs);
    let store = loaded.map_err(text)?.store;
    let mut written = Vec::new();
    if let Err(error) = file::write_to(&mut written, "memory", &store.snapshot(), format, &run) {
        return Ok(format!("not written: {}", error.to_string().len() / 40));
    }
    std::fs::write(&path, &written).map_err(text)?;
    let again = file::read(&path, format, Semantics::Exact, &run);
    assert!(again.is_ok(), "what was written cannot be read: {:?}", again.err().map(|error| error.to_string()));
    Ok(format!("2^{} tables", store.table_names().len().max(1).ilog2()))
}

fn pickle(room: &Room, input: &[u8], _: &mut Dice) -> Result<String, String> {
    store(room, input, Format::Pickle)
}

fn walk(reader: &mut JsonReader<'_>) -> Result<(), Fault> {
    match reader.kind()? {
        Kind::Word => reader.word().map(drop),
        Kind::Number => reader.number().map(|number| assert!(!number.text.is_empty(), "a number without digits")),
        Kind::Text => reader.text(<[u8]>::len).map(drop),
        Kind::List => reader.items(walk),
        Kind::Object => reader.members(<[u8]>::len, |reader, _| walk(reader)),
    }
}

fn json(room: &Room, input: &[u8], _: &mut Dice) -> Result<String, String> {
    let skipped: Result<(), Fault> = python_json::document(input, LEVELS_MAX, JsonReader::skip);
    let walked: Result<(), Fault> = python_json::document(input, LEVELS_MAX, walk);
    assert_eq!(skipped.is_ok(), walked.is_ok(), "{skipped:?} where all is skipped, {walked:?} where all is read");
    if serde_json::from_slice::<Value>(input).is_ok() {
        assert!(walked.is_ok(), "other readers of JSON take it: {walked:?}");
    }
    let loaded = store(room, input, Format::Json);
    match (walked, loaded) {
        (Ok(()), Ok(what)) => Ok(what),
        (Ok(()), Err(what)) => Ok(format!("no store: {}", what.len() / 20)),
        (Err(fault), _) => Err(format!("{:?}", fault.problem)),
    }
}
