//! What reads stored bytes, as functions for the program that feeds readers with anything (the feature `fuzz`).

use crate::restore::{archive_toc, outside};
use crate::stored::detail::Frame;
use crate::stored::frame_content::FrameContent;
use crate::stored::frame_hash::FrameHash;

/// Reads an archive of `pg_dump -Fc` in every way there is; returns what it holds, coarsely.
///
/// # Errors
/// What is wrong with the archive.
///
/// # Panics
/// If two ways of reading it do not agree.
pub fn archive(bytes: &[u8]) -> Result<String, String> {
    let (end, entries) = (archive_toc::end_of_contents(bytes), archive_toc::parse(bytes));
    let (written, acting) = (archive_toc::parse_written(bytes), outside::acting(bytes, outside::Content::Rows));
    assert_eq!(entries.is_ok(), written.is_ok(), "the entries with and without their statements");
    assert_eq!(entries.is_ok(), acting.is_ok(), "the entries and what they do");
    let changed = archive_toc::with_search_path(bytes, "SELECT pg_catalog.set_config('search_path', 'a', false);\n");
    let (entries, acting) = (entries?, acting?);
    let end = end?.unwrap_or_default();
    assert!((1..=bytes.len()).contains(&end), "the contents end at byte {end} of {}", bytes.len());
    if let Some(changed) = changed? {
        let again = archive_toc::parse(&changed);
        assert_eq!(again.as_ref(), Ok(&entries), "the entries of an archive with another search path");
    }
    let mut does: Vec<&str> = acting.iter().map(|acting| acting.outside.name()).collect();
    does.sort_unstable();
    does.dedup();
    Ok(format!("2^{} entries, {}", entries.len().max(1).ilog2(), does.join("+")))
}

/// Unpacks one frame of a pack, which arrives in pieces of `piece_bytes`; returns how much it holds, coarsely.
///
/// # Errors
/// What is wrong with the frame.
///
/// # Panics
/// If it matters how its bytes arrive.
pub fn frame(stored: &[u8], content_bytes: u64, rows: u64, piece_bytes: usize) -> Result<String, String> {
    let frame = Frame {
        part: 0,
        offset: 0,
        length: stored.len() as u64,
        content_bytes,
        rows,
        xxh3: FrameHash::of(stored),
        blake3: None,
        content_sha256: None,
    };
    let unpacked = |piece_bytes: usize| {
        let mut content = FrameContent::new(&frame, Vec::new());
        stored.chunks(piece_bytes).for_each(|piece| content.update(piece));
        content.finish().map(|content| (content.row_hash, content.text))
    };
    let (whole, pieces) = (unpacked(stored.len().max(1)), unpacked(piece_bytes.max(1)));
    assert_eq!(
        whole.is_ok(),
        pieces.is_ok(),
        "{:?} at once, {:?} in pieces",
        whole.as_ref().err(),
        pieces.as_ref().err()
    );
    let (whole, pieces) = (whole?, pieces?);
    assert!(whole.1 == pieces.1, "the text depends on how it arrives");
    assert_eq!(format!("{:?}", whole.0), format!("{:?}", pieces.0), "the hash of rows");
    assert_eq!(whole.1.len() as u64, content_bytes, "bytes of text");
    Ok(format!("2^{} bytes", whole.1.len().max(1).ilog2()))
}
