//! Turns one view of a source into a tarball, on one thread and in bounded memory.
//!
//! A member's size stands before its content. What a view cannot tell is found by reading a type twice; what fits
//! [`SPOOL_BYTES`] is read once.

use std::borrow::Cow;

use backup_core::digest::{Sha256Digest, Sha256Hasher};
use backup_core::progress::{Event, Progress};
use backup_core::units;
use tokio::sync::mpsc;

use crate::detail::{FailedType, TypeDetail};
use crate::error::{ObjectError, ObjectResult};
use crate::ids::Ids;
use crate::json;
use crate::source::{Size, View};
use crate::tar::read::RECORD_BYTES_MAX;
use crate::tar::{padding, write};
use crate::type_key::TypeKey;

/// Bytes of a type kept while its end is not known.
const SPOOL_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of tarball compressed as one gzip member. Fixed: what is stored must not depend on the machine. At this size the
/// members cost less than one part in a thousand.
pub(crate) const BLOCK_BYTES: usize = 1024 * 1024;

/// Progress is told after so many bytes.
const TELL_BYTES: u64 = 4 * 1024 * 1024;

/// What was encoded.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) types: Vec<TypeDetail>,
    pub(crate) failed: Vec<FailedType>,
    pub(crate) content_bytes: u64,
    pub(crate) content_sha256: Sha256Digest,
}

/// Encodes `types` of `view` and sends the tarball in blocks. With `allow_partial` types that cannot be read are left out.
///
/// # Errors
/// What the source says; [`ObjectError::Record`], [`ObjectError::Changed`]; [`ObjectError::Interrupted`] when nobody
/// takes the blocks any more.
pub(crate) fn encode(
    view: &mut dyn View,
    types: &[TypeKey],
    allow_partial: bool,
    blocks: mpsc::Sender<Vec<u8>>,
    progress: &dyn Progress,
) -> ObjectResult<Encoded> {
    let mut out =
        Blocks { blocks, filling: Vec::with_capacity(BLOCK_BYTES), bytes: 0, hasher: Sha256Hasher::default() };
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for key in types {
        progress.step("app.type", &key.to_string());
        match member(view, key, allow_partial, &mut out, progress)? {
            Ok(detail) => done.push(detail),
            Err(error) => failed.push(FailedType { key: key.clone(), what: said(&error) }),
        }
        progress.event(Event::Advance { bytes: 0, items: 1 });
    }
    out.write(&write::END)?;
    let (content_bytes, content_sha256) = out.finish()?;
    Ok(Encoded { types: done, failed, content_bytes, content_sha256 })
}

/// The error with what caused it: manifests have no chain.
fn said(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", said(cause)),
        None => error.to_string(),
    }
}

/// One member; inside, the error of a type that may be left out, of which nothing was written.
fn member(
    view: &mut dyn View,
    key: &TypeKey,
    allow_partial: bool,
    out: &mut Blocks,
    progress: &dyn Progress,
) -> ObjectResult<Result<TypeDetail, ObjectError>> {
    match first_reading(view, key, allow_partial) {
        Err(error) if allow_partial => Ok(Err(error)),
        Err(error) => Err(error),
        Ok(FirstReading { size, spool, columns, ids }) => {
            out.write(&write::member_header(&key.member(), size.bytes))?;
            let (seen, hasher) = (Size::default(), Sha256Hasher::default());
            let mut content = Content { key, out, progress, size, seen, told: 0, hasher, ids };
            match spool {
                Some(spool) => content.spooled(&spool, size.records)?,
                None => view.read(key, &mut |id, record| content.record(id, record))?,
            }
            let (mut detail, ids) = content.finish()?;
            refuse_twice(view, key, ids)?;
            detail.columns = columns.map_or_else(|| view.columns(key), Ok)?;
            Ok(Ok(detail))
        }
    }
}

/// What is known of a type before its member begins.
struct FirstReading {
    size: Size,
    /// The content, if it is small.
    spool: Option<Vec<u8>>,
    /// The columns, if the records were read.
    columns: Option<Vec<crate::detail::Column>>,
    /// Set if the ids are yet to be compared.
    ids: Option<Ids>,
}

/// The size, and the content too if it is small. With `whole` everything is read and checked in any case.
fn first_reading(view: &mut dyn View, key: &TypeKey, whole: bool) -> ObjectResult<FirstReading> {
    let mut ids = if view.ids_are_unique(key)? { None } else { Some(Ids::default()) };
    if !whole && let Some(size) = view.size(key)? {
        return Ok(FirstReading { size, spool: None, columns: None, ids });
    }
    let mut size = Size::default();
    let mut spool = Some(Vec::new());
    view.read(key, &mut |id, record| {
        let id = check(key, size.records, id, record)?;
        keep(&mut ids, &id)?;
        size.records += 1;
        size.bytes += record.len() as u64 + 1;
        match &mut spool {
            Some(kept) if kept.len() + record.len() < SPOOL_BYTES => line(record, |part| kept.extend_from_slice(part)),
            _ => spool = None,
        }
        Ok(())
    })?;
    refuse_twice(view, key, ids)?;
    let columns = Some(view.columns(key)?);
    Ok(FirstReading { size, spool, columns, ids: None })
}

fn keep(ids: &mut Option<Ids>, id: &str) -> ObjectResult<()> {
    let kept = ids.as_mut().map_or(Ok(()), |ids| ids.add(id));
    kept.map_err(uncompared)
}

fn uncompared(error: std::io::Error) -> ObjectError {
    ObjectError::source("compare the ids of records in", std::env::temp_dir().display(), error)
}

/// Refuses a type of which two records have one id: a restore could keep only one of them.
fn refuse_twice(view: &mut dyn View, key: &TypeKey, ids: Option<Ids>) -> ObjectResult<()> {
    let twice = ids.map_or(Ok(None), Ids::twice).map_err(uncompared)?;
    let Some((first, second)) = twice else { return Ok(()) };
    // Read once more, up to there: ids are not kept, only what they are told apart by.
    let (mut number, mut written) = (0, [String::new(), String::new()]);
    let read = view.read(key, &mut |_, record| {
        number += 1;
        for (at, slot) in [first, second].into_iter().zip(&mut written) {
            if at == number {
                *slot = json::written_id(record).unwrap_or_default().to_owned();
            }
        }
        if number < second { Ok(()) } else { Err(ObjectError::Interrupted) }
    });
    match read {
        Ok(()) | Err(ObjectError::Interrupted) => {}
        Err(error) => return Err(error),
    }
    let [before, again] = written;
    let (earlier, record) = (view.position(key, first)?, view.position(key, second)?);
    let what = match before == again {
        true => format!("its id {again} is also that of {earlier}"),
        false => format!("its id {again} and the id {before} of {earlier} are one when they are restored"),
    };
    Err(ObjectError::Record { member: key.to_string(), record, what })
}

/// Refuses what could not be restored, and returns the id of what could.
fn check<'r>(key: &TypeKey, before: u64, known: Option<&str>, record: &'r [u8]) -> ObjectResult<Cow<'r, str>> {
    let fault = |name: String, what: String| Err(ObjectError::Record { member: key.to_string(), record: name, what });
    let position = || format!("record {}", before + 1);
    if record.len() > RECORD_BYTES_MAX {
        return fault(
            position(),
            format!(
                "it has {}, more than the limit of {}",
                units::exact_bytes(record.len() as u64),
                units::bytes(RECORD_BYTES_MAX as u64)
            ),
        );
    }
    match json::record_id(record) {
        Ok(id) => match known.filter(|known| *known != id) {
            None => Ok(id),
            Some(known) => fault(format!("the record `{known}`"), format!("its text has the id `{id}`")),
        },
        Err(wrong) => {
            let id = wrong.id.or_else(|| known.map(str::to_owned));
            let name = id.map_or_else(position, |id| format!("the record `{id}`"));
            fault(name, format!("{} at byte {}", wrong.what, wrong.at))
        }
    }
}

/// The record as one line. Its line breaks are blanks between tokens, where one blank is as good as another.
fn line(record: &[u8], mut take: impl FnMut(&[u8])) {
    if memchr::memchr2(b'\n', b'\r', record).is_none() {
        take(record);
    } else {
        let flat: Vec<u8> =
            record.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect();
        take(&flat);
    }
    take(b"\n");
}

/// The content of one member on its way out.
struct Content<'a> {
    key: &'a TypeKey,
    out: &'a mut Blocks,
    progress: &'a dyn Progress,
    size: Size,
    seen: Size,
    told: u64,
    hasher: Sha256Hasher,
    ids: Option<Ids>,
}

impl Content<'_> {
    fn record(&mut self, id: Option<&str>, record: &[u8]) -> ObjectResult<()> {
        let id = check(self.key, self.seen.records, id, record)?;
        keep(&mut self.ids, &id)?;
        self.seen.records += 1;
        self.seen.bytes += record.len() as u64 + 1;
        if self.seen.bytes > self.size.bytes {
            return Err(self.changed());
        }
        let mut written = Ok(());
        line(record, |part| {
            self.hasher.update(part);
            written = std::mem::replace(&mut written, Ok(())).and_then(|()| self.out.write(part));
        });
        written?;
        self.tell(TELL_BYTES);
        Ok(())
    }

    fn spooled(&mut self, content: &[u8], records: u64) -> ObjectResult<()> {
        self.hasher.update(content);
        self.seen = Size { records, bytes: content.len() as u64 };
        self.out.write(content)
    }

    fn tell(&mut self, least: u64) {
        let bytes = self.seen.bytes - self.told;
        if bytes >= least {
            self.told = self.seen.bytes;
            self.progress.event(Event::Advance { bytes, items: 0 });
        }
    }

    fn changed(&self) -> ObjectError {
        ObjectError::Changed { what: self.key.to_string() }
    }

    /// What was written, and the ids that are yet to be compared.
    fn finish(mut self) -> ObjectResult<(TypeDetail, Option<Ids>)> {
        if self.seen != self.size {
            return Err(self.changed());
        }
        self.tell(1);
        self.out.write(&[0; crate::tar::BLOCK_BYTES][..padding(self.size.bytes)])?;
        let detail = TypeDetail {
            key: self.key.clone(),
            records: self.size.records,
            bytes: self.size.bytes,
            sha256: self.hasher.finish(),
            columns: Vec::new(),
        };
        Ok((detail, self.ids))
    }
}

/// Cuts the tarball into blocks, and hashes it.
struct Blocks {
    blocks: mpsc::Sender<Vec<u8>>,
    filling: Vec<u8>,
    bytes: u64,
    hasher: Sha256Hasher,
}

impl Blocks {
    fn write(&mut self, mut bytes: &[u8]) -> ObjectResult<()> {
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let (fits, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.filling.len()));
            self.filling.extend_from_slice(fits);
            bytes = rest;
            if self.filling.len() == BLOCK_BYTES {
                self.send(Vec::with_capacity(BLOCK_BYTES))?;
            }
        }
        Ok(())
    }

    fn send(&mut self, next: Vec<u8>) -> ObjectResult<()> {
        let block = std::mem::replace(&mut self.filling, next);
        self.hasher.update(&block);
        self.blocks.blocking_send(block).map_err(|_| ObjectError::Interrupted)
    }

    fn finish(mut self) -> ObjectResult<(u64, Sha256Digest)> {
        if !self.filling.is_empty() {
            self.send(Vec::new())?;
        }
        Ok((self.bytes, self.hasher.finish()))
    }
}
