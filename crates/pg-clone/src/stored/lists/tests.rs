//! Lists come back as they were, and whatever else they say is refused.

use std::sync::Arc;

use backup_core::digest::Sha256Digest;
use backup_core::manifest::{Codec, LISTS, Manifest, Part};
use backup_core::store::memory::MemoryStore;
use backup_core::store::{StoreDelete as _, StoreWrite};
use bytes::Bytes;
use proptest::prelude::*;

use super::read::parse;
use super::*;
use crate::error::{PgError, PgResult};
use crate::run::Run;
use crate::stored::detail::{DumpDetail, Frame, LargeObjects, ROLE_FRAME_LIST, ROLE_TABLE_LIST};
use crate::stored::frame_hash::FrameHash;
use crate::stored::list;
use crate::stored::verify::{ReadAmount, VerifyReport, verify};
use crate::test_dump::{SHOP, TestDump, overwrite};

/// A dump whose tables and frames are in lists.
async fn listed() -> (Arc<MemoryStore>, TestDump, DumpDetail) {
    let store = Arc::new(MemoryStore::new());
    let mut dump = TestDump::new("shop", "2026-11-01T03:00:00Z", SHOP);
    let sequence = |name: &str| SequenceState {
        schema: "public".to_owned(),
        name: name.to_owned(),
        last_value: 7,
        is_called: true,
    };
    dump.manifest.detail.sequences = vec![sequence("a"), sequence("b")];
    let inline = dump.manifest.detail.clone();
    let space = ListSpace::new(Arc::clone(&store) as Arc<dyn StoreWrite>, dump.key.folder().unwrap());
    let parts = write(&space, &mut dump.manifest.detail).await.unwrap();
    dump.manifest.parts.extend(parts);
    dump.manifest.require(LISTS);
    (store, dump, inline)
}

/// What the manifest is to whoever reads all of it.
async fn read_back(store: &MemoryStore, dump: &TestDump) -> PgResult<Manifest<DumpDetail>> {
    let mut manifest = list::read_manifest(store, &dump.key).await?;
    read(store, &mut manifest).await.map_err(|fault| fault.of("it"))?;
    Ok(manifest)
}

fn list_part<'a>(dump: &'a mut TestDump, role: &str) -> &'a mut Part {
    dump.manifest.parts.iter_mut().find(|part| part.role == role).unwrap()
}

/// Puts other text in the place of a list, and says in the manifest that it is there.
async fn replace(store: &MemoryStore, dump: &mut TestDump, role: &str, change: impl FnOnce(String) -> String) {
    let part = list_part(dump, role);
    let stored = backup_core::pipeline::read_all(store, &part.key, 1 << 20).await.unwrap();
    let text = change(String::from_utf8(zstd::decode_all(&stored[..]).unwrap()).unwrap());
    let stored = zstd::bulk::compress(text.as_bytes(), 1).unwrap();
    (part.content_bytes, part.stored_bytes) = (text.len() as u64, stored.len() as u64);
    part.stored_sha256 = Sha256Digest::of(&stored);
    let key = part.key.clone();
    overwrite(store, &key, stored).await;
}

async fn said(store: &MemoryStore, dump: &TestDump) -> String {
    read_back(store, dump).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_dump_in_lists_is_what_it_would_be_without() {
    let (store, dump, inline) = listed().await;
    assert!(dump.manifest.detail.tables.is_empty() && dump.manifest.detail.sequences.is_empty());
    dump.publish(&*store).await;
    let back = read_back(&store, &dump).await.unwrap();
    assert_eq!(DumpDetail { lists: None, ..back.detail }, inline);
    let report = verify(&*store, "shop", ReadAmount::All, 2, &Run::silent()).await.unwrap().into_result().unwrap();
    assert_eq!((report.objects, report.tables_checked, report.rows_checked), (5, 2, 5));
    let listing = list::list(&*store, &list::Filter::default()).await.unwrap();
    let content: u64 = inline.rows().map(|data| data.content_bytes).sum();
    assert_eq!(listing[0].content_bytes, Some(content + 12), "of rows and schema, as without lists");
}

#[tokio::test]
async fn only_lists_with_frames_that_are_wanted_are_read() {
    let (store, dump, inline) = listed().await;
    dump.publish(&*store).await;
    let mut manifest = list::read_manifest(&*store, &dump.key).await.unwrap();
    read_tables(&*store, &mut manifest).await.unwrap();
    let counted: Vec<u64> = manifest.detail.rows().map(|data| data.frames.count()).collect();
    assert_eq!(counted, [2, 1]);
    let mut orders = manifest.clone();
    orders.detail.tables.remove(0);
    read_frames(&*store, &mut orders).await.unwrap();
    assert_eq!(orders.detail.tables.as_slice(), &inline.tables[1..]);
    // Nothing of them is wanted any more: the list may be gone.
    manifest.detail.tables.clear();
    let frames = manifest.parts.iter().find(|part| part.role == ROLE_FRAME_LIST).unwrap().key.clone();
    store.delete(&[frames]).await.unwrap();
    read_frames(&*store, &mut manifest).await.unwrap();
}

#[tokio::test]
async fn a_program_that_knows_no_lists_is_told() {
    let (store, mut dump, _) = listed().await;
    let text = String::from_utf8(dump.manifest.to_bytes().unwrap().to_vec()).unwrap();
    assert!(text.contains(r#""requires":["lists"]"#), "{text}");
    dump.manifest.requires.clear();
    dump.publish(&*store).await;
    assert!(said(&store, &dump).await.contains("does not require them"));
}

#[tokio::test]
async fn tables_in_the_manifest_and_in_lists_are_refused() {
    let (store, mut dump, inline) = listed().await;
    dump.manifest.detail.tables = inline.tables;
    dump.publish(&*store).await;
    assert!(said(&store, &dump).await.contains("and lists of them, too"));
}

async fn checked(store: &MemoryStore, read: ReadAmount) -> VerifyReport {
    verify(store, "shop", read, 2, &Run::silent()).await.unwrap()
}

#[tokio::test]
async fn c6_cut_changed_and_missing_lists_are_named() {
    for role in [ROLE_TABLE_LIST, ROLE_FRAME_LIST] {
        let (store, mut dump, _) = listed().await;
        dump.publish(&*store).await;
        let key = list_part(&mut dump, role).key.clone();
        let whole = backup_core::pipeline::read_all(&*store, &key, 1 << 20).await.unwrap();
        let mut flipped = whole.to_vec();
        flipped[9] ^= 1;
        for wrong in [whole.slice(..whole.len() - 1), Bytes::new(), flipped.into(), [&whole[..], b"x"].concat().into()]
        {
            overwrite(&store, &key, wrong).await;
            let error = said(&store, &dump).await;
            assert!(error.contains(key.as_str()), "{error}");
            for read in [ReadAmount::Structure, ReadAmount::All] {
                let found = checked(&store, read).await;
                assert_eq!((found.damage_count, &found.damage[0].object), (1, &key), "{:?}", found.damage);
                assert_eq!(found.damage[0].dumps, [dump.key.to_string()]);
            }
        }
        store.delete(std::slice::from_ref(&key)).await.unwrap();
        let found = checked(&store, ReadAmount::All).await;
        assert_eq!((found.damage_count, found.damage[0].what.as_str()), (1, "it is missing"));
        assert!(matches!(read_back(&store, &dump).await, Err(PgError::Integrity { .. })));
    }
}

/// What somebody makes of the text of a list.
type Change = Box<dyn Fn(String) -> String>;

#[tokio::test]
async fn lists_that_the_manifest_does_not_fit_are_refused() {
    let twice = |text: String| format!("{text}{}\n", text.lines().next().unwrap());
    let cases: [(&str, Change, &str); 7] = [
        (ROLE_FRAME_LIST, Box::new(twice), "it has more than 3 lines"),
        (
            ROLE_FRAME_LIST,
            Box::new(|text: String| text.lines().skip(1).map(|line| format!("{line}\n")).collect()),
            "2 lines in",
        ),
        (
            ROLE_FRAME_LIST,
            Box::new(|text: String| text.replacen("\"part\":1", "\"part\":99", 1)),
            "frame outside of its object",
        ),
        (
            ROLE_FRAME_LIST,
            Box::new(|text: String| text.replacen("\"offset\":0", "\"offset\":9000", 1)),
            "outside of its object",
        ),
        (
            ROLE_FRAME_LIST,
            Box::new(|text: String| {
                let second = text.lines().nth(1).unwrap().to_owned();
                text.replacen(text.lines().next().unwrap(), &second, 1)
            }),
            "name the same bytes of part 1 twice",
        ),
        (
            ROLE_TABLE_LIST,
            Box::new(|text: String| text.replacen("\"frames\":2", "\"frames\":3", 1)),
            "does not fit its lists",
        ),
        (
            ROLE_TABLE_LIST,
            Box::new(|text: String| text.replacen("{\"table\"", "{\"view\"", 1)),
            "line 1: unknown variant",
        ),
    ];
    for (role, change, expected) in cases {
        let (store, mut dump, _) = listed().await;
        replace(&store, &mut dump, role, change).await;
        dump.publish(&*store).await;
        let error = said(&store, &dump).await;
        assert!(error.contains(expected), "{expected}: {error}");
        let found = checked(&store, ReadAmount::All).await;
        assert!(found.damage[0].what.contains(expected), "{expected}: {:?}", found.damage);
    }
}

#[tokio::test]
async fn a_few_bytes_do_not_unfold_in_memory() {
    let (store, mut dump, _) = listed().await;
    let line = "{\"part\":1,\"offset\":0}\n";
    replace(&store, &mut dump, ROLE_FRAME_LIST, |_| line.repeat(40_000)).await;
    dump.publish(&*store).await;
    assert!(said(&store, &dump).await.contains("compressed more than"));

    let (store, mut dump, _) = listed().await;
    let part = list_part(&mut dump, ROLE_TABLE_LIST);
    let parts: Vec<Part> = (0..5).map(|_| Part { content_bytes: LIST_TEXT_BYTES_MAX, ..part.clone() }).collect();
    dump.manifest.parts.retain(|part| part.role != ROLE_TABLE_LIST);
    dump.manifest.parts.extend(parts);
    dump.manifest.detail.lists.as_mut().unwrap().tables = vec![1; 5];
    dump.publish(&*store).await;
    assert!(said(&store, &dump).await.contains("320 MiB of text about tables"));
}

#[test]
fn a_list_longer_than_said_is_read_no_further_than_that() {
    let line = "{\"part\":1}\n";
    let bomb = zstd::bulk::compress(line.repeat(100_000).as_bytes(), 19).unwrap();
    let read = |bytes, wanted| parse::<serde_json::Value>(&bomb.clone().into(), Codec::Zstd, bytes, wanted);
    assert!(read(110, 10).unwrap_err().contains("longer than 110 bytes"));
    assert!(read(1_100_000, 10).unwrap_err().contains("more than 10 lines"));
    assert!(read(2_000_000, 100_000).unwrap_err().contains("instead of 100000 in"));
    assert_eq!(read(1_100_000, 100_000).unwrap().len(), 100_000);
}

#[test]
fn a_manifest_is_measured_without_being_made() {
    let detail = TestDump::new("shop", "2026-11-01T03:00:00Z", SHOP).manifest.detail;
    let bytes = serde_json::to_vec(&detail).unwrap().len() as u64;
    assert!(!is_larger(&detail, bytes).unwrap() && is_larger(&detail, bytes - 1).unwrap());
}

/// Few enough that some tables have more, and several have the frames of one list.
const LIST_FRAMES_HERE: usize = 16;

fn frame(number: u64) -> Frame {
    let xxh3 = FrameHash::from(u128::from(number));
    Frame {
        part: 0,
        offset: number * 10,
        length: 10,
        content_bytes: number,
        rows: 1,
        xxh3,
        blake3: None,
        content_sha256: None,
    }
}

prop_compose! {
    /// Tables with so many frames each, some of them more than a list has.
    fn any_tables()(
        counts in prop::collection::vec(prop_oneof![0..3_u64, 0..3_u64, 30..70_u64], 0..8),
        objects in prop::option::of((0..3_u64, 0..40_u64)),
    ) -> (Vec<u64>, Option<(u64, u64)>) {
        (counts, objects)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn frames_come_back_to_their_rows((counts, objects) in any_tables(), left in any::<prop::sample::Index>()) {
        let mut next = 0..;
        let mut rows = |count: u64| RowData {
            frames: next.by_ref().take(usize::try_from(count).unwrap()).map(frame).collect(),
            rows: count,
            ..RowData::default()
        };
        let mut dump = TestDump::new("shop", "2026-11-01T03:00:00Z", &[]);
        dump.manifest.parts[0].stored_bytes = u64::MAX;
        let detail = &mut dump.manifest.detail;
        for (at, count) in counts.iter().enumerate() {
            let columns = vec!["a".to_owned()];
            let (schema, name, kind) = ("s".to_owned(), format!("t{at}"), TableKind::Table);
            detail.tables.push(TableDump { schema, name, kind, columns, base: None, reading: None, data: rows(*count) });
        }
        if let Some((metadata, slices)) = objects {
            detail.large_objects = Some(LargeObjects { count: 1, metadata: rows(metadata), slices: rows(slices) });
        }
        let inline = detail.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = Arc::new(MemoryStore::new());
            let space = ListSpace::new(Arc::clone(&store) as Arc<dyn StoreWrite>, dump.key.folder().unwrap());
            let space = ListSpace { list_frames: LIST_FRAMES_HERE, ..space };
            let parts = write(&space, &mut dump.manifest.detail).await.unwrap();
            dump.manifest.parts.extend(parts);
            let mut manifest = dump.manifest.clone();
            read(&*store, &mut manifest).await.unwrap();
            assert!(DumpDetail { lists: None, ..manifest.detail } == inline);
            // One table alone.
            if !counts.is_empty() {
                let at = left.index(counts.len());
                let mut manifest = dump.manifest.clone();
                read_tables(&*store, &mut manifest).await.unwrap();
                manifest.detail.tables = vec![manifest.detail.tables.swap_remove(at)];
                manifest.detail.large_objects = None;
                read_frames(&*store, &mut manifest).await.unwrap();
                assert!(manifest.detail.tables[0] == inline.tables[at]);
            }
        });
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), said in 0..300_u64, wanted in 0..5_u64) {
        let _read = parse::<Frame>(&Bytes::from(bytes.clone()), Codec::Zstd, said, wanted);
        let _read = parse::<Line>(&Bytes::from(bytes), Codec::None, said, wanted);
    }
}
