//! O4: tarballs that no backup looks like are refused before anything is restored.

use std::io::Write;

use crate::world::World;
use backup_core::key::Key;
use flate2::Compression;
use flate2::write::GzEncoder;
use object_backup::{NdjsonTarget, ObjectError, RestoreOptions};
use tar::{EntryType, Header};

const KEY: &str = "Backup_UTC_2026-11-21T03_13_45.696797.tar.gz";
const RECORD: &[u8] = b"{\"id\": \"1\"}\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn header(name: &[u8], size: u64, change: impl FnOnce(&mut Header)) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_mode(0o600);
    header.set_size(size);
    header.set_entry_type(EntryType::Regular);
    change(&mut header);
    header.set_cksum();
    header.as_bytes().to_vec()
}

fn padded(content: &[u8]) -> Vec<u8> {
    let mut blocks = content.to_vec();
    blocks.resize(content.len().next_multiple_of(512), 0);
    blocks
}

fn member(name: &[u8], change: impl FnOnce(&mut Header)) -> Vec<u8> {
    [header(name, RECORD.len() as u64, change), padded(RECORD)].concat()
}

fn pax(record: &str) -> Vec<u8> {
    let content = format!("{} {record}\n", record.len() + 4);
    [header(b"pax", content.len() as u64, |h| h.set_entry_type(EntryType::XHeader)), padded(content.as_bytes())]
        .concat()
}

const GOOD: &[u8] = b"T--t.json";
const END: [u8; 1024] = [0; 1024];

/// Every hostile tarball, before compression, and a word of the refusal.
fn tarballs() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let plain = || member(GOOD, |_| {});
    let kind = |kind| move |header: &mut Header| header.set_entry_type(kind);
    let whole = |blocks: Vec<u8>| [blocks, END.to_vec()].concat();
    let link = member(GOOD, |header| {
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        header.set_link_name("/etc").unwrap();
    });
    let mut flipped = plain();
    flipped[0] ^= 1;
    let many: Vec<u8> = (0..10_001).flat_map(|n| header(format!("T--t{n}.json").as_bytes(), 0, |_| {})).collect();
    vec![
        ("a path upwards", whole(member(b"../x--y.json", |_| {})), "not named"),
        ("an absolute path", whole(member(b"/etc/x--y.json", |_| {})), "not named"),
        ("a path by extension", whole([pax("path=../x--y.json"), plain()].concat()), "not named"),
        ("a link, and a member through it", whole([link[..512].to_vec(), plain()].concat()), "a link"),
        ("a hard link", whole(member(GOOD, kind(EntryType::Link))), "a link"),
        ("a linked plain file", whole([pax("linkpath=/etc/passwd"), plain()].concat()), "a link"),
        ("a device", whole(member(GOOD, kind(EntryType::Char))), "a device"),
        ("a pipe", whole(member(GOOD, kind(EntryType::Fifo))), "a pipe"),
        ("a folder", whole(member(GOOD, kind(EntryType::Directory))), "a folder"),
        ("a sparse file", whole(member(GOOD, kind(EntryType::GNUSparse))), "not a regular file"),
        ("setuid", whole(member(GOOD, |header| header.set_mode(0o4755))), "owner's rights"),
        ("a member twice", whole([plain(), plain()].concat()), "twice"),
        ("many members", whole(many), "more than 10000 members"),
        ("two sizes", whole([pax("size=9"), plain()].concat()), "two sizes"),
        ("a huge extension", whole(header(b"x", 1 << 40, kind(EntryType::XHeader))), "extended header"),
        ("a huge member", whole(header(GOOD, 1 << 60, |_| {})), "more than any file"),
        ("a flipped header", whole(flipped), "checksum"),
        ("no end", plain(), "too early"),
        ("a member without an end", plain()[..512].to_vec(), "too early"),
        ("something behind the end", [plain(), END.to_vec(), vec![1]].concat(), "follows its end"),
        ("a line without an end", whole([header(GOOD, 3, |_| {}), padded(b"{}x")].concat()), "not terminated"),
        ("a record that is none", whole([header(GOOD, 3, |_| {}), padded(b"{}\n")].concat()), "no `id`"),
        (
            "an endless line",
            whole([header(GOOD, 1 << 30, |_| {}), vec![b' '; 20 << 20]].concat()),
            "the limit of 16 MiB",
        ),
        ("not a tarball", vec![7; 4096], "checksum"),
        ("nothing", Vec::new(), "too early"),
    ]
}

/// The same tarballs as files, for other readers and for fuzzers.
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/corrupt");

/// Set to write the corpus anew.
const WRITE_CORPUS: &str = "LASTGOOD_WRITE_CORPUS";

#[tokio::test]
async fn o4_the_corpus_of_hostile_tarballs_is_refused() {
    let wanted: std::collections::BTreeMap<String, Vec<u8>> = tarballs()
        .into_iter()
        .map(|(name, tarball, _)| (format!("{}.tar.gz", name.replace([' ', ','], "-").replace("--", "-")), tarball))
        .collect();
    if std::env::var_os(WRITE_CORPUS).is_some() {
        std::fs::create_dir_all(CORPUS).unwrap();
        wanted.iter().for_each(|(file, tarball)| std::fs::write(format!("{CORPUS}/{file}"), gzip(tarball)).unwrap());
    }
    let world = World::new().await;
    let files = crate::world::read_folder(std::path::Path::new(CORPUS));
    assert_eq!(files.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "{WRITE_CORPUS}=1 writes it anew");
    for (file, bytes) in files {
        let mut content = Vec::new();
        std::io::copy(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut content).unwrap();
        assert!(content == wanted[&file], "`{file}` is another; {WRITE_CORPUS}=1 writes it anew");
        refusal(&world, bytes).await;
    }
}

async fn refusal(world: &World, bytes: Vec<u8>) -> String {
    world.plant(KEY, bytes).await;
    let target = world.path("restored");
    let error = world.restore(KEY, NdjsonTarget::new(&target), &RestoreOptions::default()).await.unwrap_err();
    assert!(error.is_damage(), "{error}");
    let there: Vec<_> =
        std::fs::read_dir(world.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(there, ["location"], "a refused restore left something");
    error.to_string()
}

#[tokio::test]
async fn o4_hostile_tarballs_are_refused_and_leave_nothing() {
    let world = World::new().await;
    for (name, tarball, word) in tarballs() {
        let said = refusal(&world, gzip(&tarball)).await;
        assert!(said.contains(word), "{name}: {said}");
    }
}

#[tokio::test]
async fn o4_what_decompresses_without_end_is_stopped() {
    let world = World::new().await;
    let size = 100_u64 << 20;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&header(GOOD, size, |_| {})).unwrap();
    let line = [&b"{\"id\": 1"[..], &[b' '; 65_527], b"}"].concat();
    for _ in 0..size / (line.len() as u64 + 1) {
        encoder.write_all(&line).unwrap();
        encoder.write_all(b"\n").unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!((bomb.len() as u64) < size / 200, "{} bytes are no bomb", bomb.len());
    assert!(refusal(&world, bomb).await.contains("the limit of"));
}

#[tokio::test]
async fn damage_of_the_gzip_is_seen_wherever_it_is() {
    let world = World::new().await;
    let good = gzip(&[member(GOOD, |_| {}), END.to_vec()].concat());
    for at in [0, good.len() / 2, good.len() - 1] {
        let mut flipped = good.clone();
        flipped[at] ^= 1;
        refusal(&world, flipped).await;
        refusal(&world, good[..at].to_vec()).await;
    }
    refusal(&world, [&good[..], b"more"].concat()).await;
    world.plant(KEY, good).await;
    assert_eq!(world.files(KEY, "restored").await["T--t.json"], RECORD);
}

#[tokio::test]
async fn damage_of_our_own_is_seen_before_anything_is_restored() {
    let world = World::new().await;
    let records = world.records("records", &[("t.json", "{\"id\": 1}\n")]);
    let written = world.backup(object_backup::NdjsonSource::new(&records)).await;
    std::fs::remove_dir_all(&records).unwrap();
    let (object, manifest) = (written.key.object().unwrap(), written.key.manifest().unwrap());
    for key in [&object, &manifest] {
        let path = world.path("location").join(key.as_str());
        let good = std::fs::read(&path).unwrap();
        let mut flipped = good.clone();
        flipped[good.len() / 2] ^= 1;
        // Another whole tarball is not the one of the manifest either.
        let other = gzip(&[member(GOOD, |_| {}), END.to_vec()].concat());
        for bad in [flipped, good[..good.len() - 1].to_vec(), [&good[..], b" "].concat(), other] {
            std::fs::write(&path, bad).unwrap();
            assert_refused(&world, &written.key.to_string()).await;
        }
        std::fs::write(&path, good).unwrap();
    }
    world.restore("latest", NdjsonTarget::new(world.path("restored")), &RestoreOptions::default()).await.unwrap();
    world.store.delete(&[Key::new(object.as_str()).unwrap()]).await.unwrap();
    std::fs::remove_dir_all(world.path("restored")).unwrap();
    assert_refused(&world, &written.key.to_string()).await;
}

async fn assert_refused(world: &World, key: &str) {
    let target = world.path("restored");
    let error = world.restore(key, NdjsonTarget::new(&target), &RestoreOptions::default()).await.unwrap_err();
    assert!(error.is_damage() || matches!(error, ObjectError::NoBackup { .. }), "{error}");
    assert!(!target.exists());
}
