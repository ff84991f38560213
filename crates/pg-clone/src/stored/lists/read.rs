//! Reads lists: each is what the manifest says before a line of it is looked at.

use std::io::{BufRead, BufReader, Read};
use std::ops::Range;
use std::sync::Arc;

use backup_core::StoreError;
use backup_core::key::Key;
use backup_core::manifest::{Codec, LISTS, Manifest, Part};
use backup_core::pipeline::read_part;
use backup_core::store::StoreRead;
use backup_core::units::{self, exact_bytes};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::{FRAMES_MAX, LIST_TEXT_BYTES_MAX, Line};
use crate::error::PgError;
use crate::stored::detail::{DumpDetail, Frame, ListedFrames, Lists, ROLE_FRAME_LIST, ROLE_TABLE_LIST};
use crate::stored::frames::{Frames, Listed};

/// Frames that room is made for before any is read: what a manifest claims is not set aside.
const FRAMES_AHEAD_MAX: u64 = 1024 * 1024;

/// Most text of all lists of tables of a dump. It is less than what the archive of the schema says of the same tables, of which
/// a dump takes 128 MiB.
const TABLES_TEXT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Most text of frames for each byte that is stored of it: those of a table whose rows are all the same have 160.
const TEXT_PER_STORED_BYTE_MAX: u64 = 256;

/// Largest window of a list's compression, as a power of two: 8 MiB, as for frames.
const WINDOW_LOG_MAX: u32 = 23;

/// Why the lists of a dump cannot be read.
#[derive(Debug)]
pub(crate) enum ListFault {
    /// One of them is not what was written.
    Damaged {
        /// Its object.
        object: Key,
        /// What is wrong with it.
        what: String,
    },
    /// Something that says nothing about them.
    Other(PgError),
}

impl ListFault {
    fn of_part(part: &Part, what: impl Into<String>) -> Self {
        Self::Damaged { object: part.key.clone(), what: what.into() }
    }

    /// The error that it is to whoever needs the dump `dump`.
    pub(crate) fn of(self, dump: &str) -> PgError {
        match self {
            Self::Damaged { object, what } => {
                PgError::Integrity { dump: dump.to_owned(), what: format!("`{object}`: {what}") }
            }
            Self::Other(error) => error,
        }
    }
}

/// Reads the tables and sequences of a dump that has them in lists; their frames are known to be there, and not read.
///
/// # Errors
/// [`ListFault`].
pub(crate) async fn read_tables(store: &dyn StoreRead, manifest: &mut Manifest<DumpDetail>) -> Result<(), ListFault> {
    let Some(lists) = manifest.detail.lists.clone() else { return Ok(()) };
    if !manifest.detail.tables.is_empty() || !manifest.detail.sequences.is_empty() {
        return Ok(()); // they were read before
    }
    let (mut tables, mut sequences, mut first) = (Vec::new(), Vec::new(), 0_u64);
    let parts = parts(manifest, ROLE_TABLE_LIST, &lists.tables)?;
    check_text(&parts, manifest)?;
    for (part, lines) in parts {
        for line in read_lines::<Line>(store, part, lines).await? {
            match line {
                Line::Sequence(sequence) => sequences.push(sequence),
                Line::Table(table) => {
                    let next = first.saturating_add(table.frames);
                    tables.push(table.with_frames_from(first));
                    first = next;
                }
            }
        }
    }
    let all = total(&lists);
    let of_objects = lists.metadata.frames.saturating_add(lists.slices.frames);
    if first.saturating_add(of_objects) != all || all > FRAMES_MAX {
        let what = format!("its tables have {first} frames, and large objects {of_objects}, of {all} in the lists");
        return Err(of_manifest(manifest, &what));
    }
    (manifest.detail.tables, manifest.detail.sequences) = (tables, sequences);
    if let Some(objects) = &mut manifest.detail.large_objects {
        objects.metadata.frames = listed(first, lists.metadata);
        objects.slices.frames = listed(first.saturating_add(lists.metadata.frames), lists.slices);
    }
    Ok(())
}

fn listed(first: u64, ListedFrames { frames, stored_bytes }: ListedFrames) -> Frames {
    Frames::listed(Listed { first, count: frames, stored_bytes })
}

/// Reads the frames of all rows that the manifest still speaks of, after [`read_tables`]; lists with no frame of theirs are
/// not read.
///
/// # Errors
/// [`ListFault`], also if a frame lies outside of its object, or two of them over each other.
pub(crate) async fn read_frames(store: &dyn StoreRead, manifest: &mut Manifest<DumpDetail>) -> Result<(), ListFault> {
    let Some(lists) = manifest.detail.lists.clone() else { return Ok(()) };
    let wanted = stretches(manifest.detail.rows().filter_map(|data| data.frames.unread()));
    let count: u64 = wanted.iter().map(|numbers| numbers.end - numbers.start).sum();
    let mut frames: Vec<Frame> = Vec::with_capacity(usize::try_from(count.min(FRAMES_AHEAD_MAX)).unwrap_or(0));
    let mut begin = 0_u64;
    for (part, lines) in parts(manifest, ROLE_FRAME_LIST, &lists.frames)? {
        let numbers = begin..begin.saturating_add(lines);
        begin = numbers.end;
        let cuts = within(&wanted, &numbers);
        if cuts.is_empty() {
            continue;
        }
        check_ratio(part)?;
        let list = read_lines::<Frame>(store, part, lines).await?;
        check_places(&list, part, &manifest.parts)?;
        for cut in cuts {
            frames.extend_from_slice(list.get(cut).unwrap_or_default());
        }
    }
    if frames.len() as u64 != count {
        return Err(of_manifest(manifest, &format!("the lists have {} of {count} frames", frames.len())));
    }
    check_apart(&frames, manifest)?;
    let frames = Arc::new(frames);
    let mut at = 0_usize;
    for data in manifest.detail.rows_mut() {
        let Some(unread) = data.frames.unread() else { continue };
        let end = at.saturating_add(usize::try_from(unread.count).unwrap_or(usize::MAX));
        data.frames = Frames::of(&frames, at..end);
        at = end;
    }
    Ok(())
}

/// Shows `see` all frames that are in lists, of which no more than one is in memory.
///
/// # Errors
/// [`ListFault`], also if a frame lies outside of its object.
pub(crate) async fn each_frame(
    store: &dyn StoreRead,
    manifest: &Manifest<DumpDetail>,
    mut see: impl FnMut(&Frame) + Send,
) -> Result<(), ListFault> {
    let Some(lists) = &manifest.detail.lists else { return Ok(()) };
    for (part, lines) in parts(manifest, ROLE_FRAME_LIST, &lists.frames)? {
        check_ratio(part)?;
        let list = read_lines::<Frame>(store, part, lines).await?;
        check_places(&list, part, &manifest.parts)?;
        list.iter().for_each(&mut see);
    }
    Ok(())
}

/// Both.
///
/// # Errors
/// [`ListFault`].
pub(crate) async fn read(store: &dyn StoreRead, manifest: &mut Manifest<DumpDetail>) -> Result<(), ListFault> {
    read_tables(store, manifest).await?;
    read_frames(store, manifest).await
}

/// What a manifest says of lists that it cannot mean.
pub(crate) fn contradiction(detail: &DumpDetail, requires: &[String]) -> Option<&'static str> {
    detail.lists.as_ref()?;
    if !requires.iter().any(|feature| feature == LISTS) {
        return Some("it has `lists` and does not require them");
    }
    let is_inline =
        !detail.tables.is_empty() || !detail.sequences.is_empty() || detail.rows().any(|data| !data.frames.is_empty());
    is_inline.then_some("it has tables, sequences or frames, and lists of them, too")
}

fn total(lists: &Lists) -> u64 {
    lists.frames.iter().fold(0, |sum, frames| sum.saturating_add(*frames))
}

/// The parts of a role, each with how many lines it has.
fn parts<'a>(manifest: &'a Manifest<DumpDetail>, role: &str, lines: &[u64]) -> Result<Vec<(&'a Part, u64)>, ListFault> {
    let of_role: Vec<&Part> = manifest.parts.iter().filter(|part| part.role == role).collect();
    if of_role.len() != lines.len() {
        let what = format!("it has {} parts of the role `{role}`, and speaks of {}", of_role.len(), lines.len());
        return Err(of_manifest(manifest, &what));
    }
    Ok(of_role.into_iter().zip(lines.iter().copied()).collect())
}

/// What is wrong with the manifest, which is said of the first of its lists: it is no part of itself.
fn of_manifest(manifest: &Manifest<DumpDetail>, what: &str) -> ListFault {
    let is_list = |part: &&Part| part.role == ROLE_TABLE_LIST || part.role == ROLE_FRAME_LIST;
    let what = format!("the manifest does not fit its lists: {what}");
    match manifest.parts.iter().find(is_list).or(manifest.parts.first()) {
        Some(part) => ListFault::of_part(part, what),
        None => ListFault::Other(PgError::Integrity { dump: manifest.id.to_string(), what }),
    }
}

/// Tables take memory in proportion to their text, however well it is compressed.
fn check_text(tables: &[(&Part, u64)], manifest: &Manifest<DumpDetail>) -> Result<(), ListFault> {
    let bytes = tables.iter().fold(0, |sum: u64, (part, _)| sum.saturating_add(part.content_bytes));
    match bytes > TABLES_TEXT_BYTES_MAX {
        true => Err(of_manifest(manifest, &format!("they would have {} of text about tables", units::bytes(bytes)))),
        false => Ok(()),
    }
}

/// Frames take memory in proportion to what is stored of them, and not to what may be unpacked from it.
fn check_ratio(part: &Part) -> Result<(), ListFault> {
    match part.content_bytes > part.stored_bytes.saturating_mul(TEXT_PER_STORED_BYTE_MAX) {
        true => Err(ListFault::of_part(part, "it is compressed more than the places of any frames can be")),
        false => Ok(()),
    }
}

/// The numbers of frames in order, those that follow each other as one.
fn stretches(listed: impl Iterator<Item = Listed>) -> Vec<Range<u64>> {
    let mut stretches: Vec<Range<u64>> = Vec::new();
    for numbers in listed.map(Listed::numbers) {
        match stretches.last_mut().filter(|last| last.end == numbers.start) {
            Some(last) => last.end = numbers.end,
            None => stretches.push(numbers),
        }
    }
    stretches
}

/// Which lines of a list that has the frames `numbers` are wanted.
fn within(wanted: &[Range<u64>], numbers: &Range<u64>) -> Vec<Range<usize>> {
    let from = wanted.partition_point(|stretch| stretch.end <= numbers.start);
    let reached = wanted[from..].iter().take_while(|stretch| stretch.start < numbers.end);
    let line = |number: u64| usize::try_from(number - numbers.start).unwrap_or(usize::MAX);
    reached
        .map(|stretch| line(stretch.start.max(numbers.start))..line(stretch.end.min(numbers.end)))
        .filter(|cut| !cut.is_empty())
        .collect()
}

/// Every frame lies within its object.
fn check_places(frames: &[Frame], list: &Part, parts: &[Part]) -> Result<(), ListFault> {
    let is_outside = |frame: &&Frame| parts.get(frame.part as usize).is_none_or(|part| !frame.is_within(part));
    match frames.iter().find(is_outside) {
        None => Ok(()),
        Some(frame) => {
            let what = format!("it names a frame outside of its object: part {}, offset {}", frame.part, frame.offset);
            Err(ListFault::of_part(list, what))
        }
    }
}

/// No bytes belong to two frames: rows would be restored twice.
fn check_apart(frames: &[Frame], manifest: &Manifest<DumpDetail>) -> Result<(), ListFault> {
    let mut places: Vec<(u32, u64, u64)> =
        frames.iter().map(|frame| (frame.part, frame.offset, frame.offset.saturating_add(frame.length))).collect();
    places.sort_unstable();
    let overlap = places.windows(2).find(|pair| pair[0].0 == pair[1].0 && pair[1].1 < pair[0].2);
    match overlap {
        None => Ok(()),
        Some(pair) => {
            let (part, offset, _) = pair[1];
            Err(of_manifest(manifest, &format!("they name the same bytes of part {part} twice, at offset {offset}")))
        }
    }
}

/// The lines of a list, of which there must be `wanted`.
async fn read_lines<T: DeserializeOwned + Send + 'static>(
    store: &dyn StoreRead,
    part: &Part,
    wanted: u64,
) -> Result<Vec<T>, ListFault> {
    if part.content_bytes > LIST_TEXT_BYTES_MAX {
        let what = format!("it has {} of text, more than any list has", exact_bytes(part.content_bytes));
        return Err(ListFault::of_part(part, what));
    }
    let stored = read_part(store, part, LIST_TEXT_BYTES_MAX).await.map_err(|error| of_store(part, error))?;
    let (codec, bytes) = (part.codec, part.content_bytes);
    // Some milliseconds of work, which other tasks need not wait for.
    let parsed = tokio::task::spawn_blocking(move || parse(&stored, codec, bytes, wanted)).await;
    let parsed = parsed.map_err(|error| {
        ListFault::Other(PgError::died(format!("reading `{}`", part.key), &error, "nothing was changed"))
    })?;
    parsed.map_err(|what| ListFault::of_part(part, what))
}

fn of_store(part: &Part, error: StoreError) -> ListFault {
    match error {
        StoreError::NotFound { .. } => ListFault::of_part(part, "it is missing"),
        StoreError::Damaged { what, .. } => ListFault::of_part(part, what),
        error @ StoreError::NotAnObject { .. } => ListFault::of_part(part, error.to_string()),
        other => ListFault::Other(other.into()),
    }
}

/// The lines of stored bytes whose text has `bytes` bytes.
pub(super) fn parse<T: DeserializeOwned>(
    stored: &Bytes,
    codec: Codec,
    bytes: u64,
    wanted: u64,
) -> Result<Vec<T>, String> {
    let unreadable = |error: std::io::Error| format!("it cannot be decompressed ({error})");
    let text: Box<dyn Read + '_> = match codec {
        Codec::None => Box::new(&stored[..]),
        Codec::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(&stored[..]).map_err(unreadable)?;
            decoder.window_log_max(WINDOW_LOG_MAX).map_err(unreadable)?;
            Box::new(decoder)
        }
        Codec::Gzip => return Err("it is compressed with gzip, as no list is".to_owned()),
    };
    // One byte more shows that there is more.
    let mut text = BufReader::new(text.take(bytes.saturating_add(1)));
    let (mut lines, mut line, mut seen) = (Vec::new(), Vec::new(), 0_u64);
    loop {
        line.clear();
        let read = text.read_until(b'\n', &mut line).map_err(unreadable)?;
        seen += read as u64;
        if seen > bytes {
            return Err(format!("its text is longer than {}", exact_bytes(bytes)));
        }
        if read == 0 {
            break;
        }
        if lines.len() as u64 == wanted {
            return Err(format!("it has more than {wanted} lines"));
        }
        let parsed = serde_json::from_slice(&line).map_err(|error| format!("line {}: {error}", lines.len() + 1))?;
        lines.push(parsed);
    }
    if seen != bytes || lines.len() as u64 != wanted {
        let (found, seen, bytes) = (lines.len(), exact_bytes(seen), exact_bytes(bytes));
        return Err(format!("it has {found} lines in {seen} instead of {wanted} in {bytes}"));
    }
    Ok(lines)
}
