//! Reads a tarball from front to back: every member, every line, every digest, to the very end.

use std::collections::BTreeSet;
use std::io::{BufReader, Read};

use backup_core::digest::{Sha256Digest, Sha256Hasher};

use super::header::{self, Member, unreadable};
use super::padding;
use crate::detail::TypeDetail;
use crate::error::{ObjectError, ObjectResult};
use crate::json;
use crate::plan::TYPES_MAX;
use crate::type_key::TypeKey;

/// Longest record in bytes. The databases that gludb speaks to take 16 MiB at most (MongoDB, "Limits and Thresholds").
pub(crate) const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes read at a time.
const READ_BYTES: usize = 64 * 1024;

/// Padding a tarball may have behind its end: Python fills up to 10,240 bytes, `tar -b` to more.
const TAIL_BYTES_MAX: u64 = 1024 * 1024;

/// Takes what a tarball holds, in its order.
pub(crate) trait Sink: Send {
    /// A member begins.
    fn begin(&mut self, key: &TypeKey) -> ObjectResult<()>;

    /// The text of one of its records, and its id.
    fn record(&mut self, key: &TypeKey, id: &str, text: &[u8]) -> ObjectResult<()>;

    /// The member is over.
    fn end(&mut self, key: &TypeKey) -> ObjectResult<()>;
}

/// Takes everything and does nothing with it.
#[derive(Debug)]
pub(crate) struct Nowhere;

impl Sink for Nowhere {
    fn begin(&mut self, _key: &TypeKey) -> ObjectResult<()> {
        Ok(())
    }

    fn record(&mut self, _key: &TypeKey, _id: &str, _text: &[u8]) -> ObjectResult<()> {
        Ok(())
    }

    fn end(&mut self, _key: &TypeKey) -> ObjectResult<()> {
        Ok(())
    }
}

/// What a tarball was found to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) types: Vec<TypeDetail>,
    pub(crate) content_bytes: u64,
    pub(crate) content_sha256: Sha256Digest,
}

/// Reads the gzipped tarball `input`, called `file` in errors, whose content may have `content_bytes_max` bytes.
///
/// # Errors
/// [`ObjectError::Damaged`] and [`ObjectError::Refused`]; whatever `sink` says.
pub(crate) fn read(input: impl Read, file: &str, content_bytes_max: u64, sink: &mut dyn Sink) -> ObjectResult<Summary> {
    let decoder = flate2::read::MultiGzDecoder::new(input);
    let mut input = Counted { inner: decoder, bytes: 0, max: content_bytes_max, hasher: Sha256Hasher::default() };
    let mut input = BufReader::with_capacity(READ_BYTES, &mut input);
    let mut types: Vec<TypeDetail> = Vec::new();
    let mut seen = BTreeSet::new();
    while let Some(member) = header::next(&mut input, file)? {
        if types.len() == TYPES_MAX {
            return Err(ObjectError::refused(file, format!("it has more than {TYPES_MAX} members")));
        }
        if !seen.insert(member.key.clone()) {
            return Err(ObjectError::refused(file, format!("it has the member `{}` twice", member.key)));
        }
        types.push(content(&mut input, &member, file, sink)?);
    }
    tail(&mut input, file)?;
    let counted = input.into_inner();
    let hasher = std::mem::take(&mut counted.hasher);
    Ok(Summary { types, content_bytes: counted.bytes, content_sha256: hasher.finish() })
}

/// Hashes what passes, and ends where there is more than there may be.
struct Counted<R> {
    inner: R,
    bytes: u64,
    max: u64,
    hasher: Sha256Hasher,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        self.bytes += read as u64;
        if self.bytes > self.max {
            return Err(std::io::Error::other(format!("its content has more than the {} bytes it may have", self.max)));
        }
        Ok(read)
    }
}

fn content(input: &mut impl Read, member: &Member, file: &str, sink: &mut dyn Sink) -> ObjectResult<TypeDetail> {
    let key = &member.key;
    sink.begin(key)?;
    let mut lines = Lines { key, file, sink, records: 0, begun: Vec::new() };
    let mut hasher = Sha256Hasher::default();
    let mut buffer = vec![0; READ_BYTES];
    let mut left = member.bytes;
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(READ_BYTES).min(READ_BYTES);
        let read = input.read(&mut buffer[..wanted]).map_err(|error| unreadable(file, &error))?;
        if read == 0 {
            return Err(ObjectError::damaged(file, format!("its member `{key}` ends {left} bytes too early")));
        }
        hasher.update(&buffer[..read]);
        lines.take(&buffer[..read])?;
        left -= read as u64;
    }
    let records = lines.finish()?;
    let mut zeros = [0; super::BLOCK_BYTES];
    input.read_exact(&mut zeros[..padding(member.bytes)]).map_err(|error| unreadable(file, &error))?;
    sink.end(key)?;
    Ok(TypeDetail { key: key.clone(), records, bytes: member.bytes, sha256: hasher.finish(), columns: Vec::new() })
}

/// Cuts content into lines.
struct Lines<'a> {
    key: &'a TypeKey,
    file: &'a str,
    sink: &'a mut dyn Sink,
    records: u64,
    /// A line whose end has not come yet.
    begun: Vec<u8>,
}

impl Lines<'_> {
    fn take(&mut self, mut bytes: &[u8]) -> ObjectResult<()> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let line = &bytes[..end];
            bytes = &bytes[end + 1..];
            if self.begun.is_empty() {
                self.record(line)?;
            } else {
                self.keep(line)?;
                let line = std::mem::take(&mut self.begun);
                self.record(&line)?;
                // Its memory serves the next one.
                self.begun = line;
                self.begun.clear();
            }
        }
        self.keep(bytes)
    }

    fn keep(&mut self, bytes: &[u8]) -> ObjectResult<()> {
        if self.begun.len() + bytes.len() > RECORD_BYTES_MAX {
            return Err(ObjectError::refused(
                self.file,
                format!("record {} of `{}` has more than {RECORD_BYTES_MAX} bytes", self.records + 1, self.key),
            ));
        }
        self.begun.extend_from_slice(bytes);
        Ok(())
    }

    fn record(&mut self, line: &[u8]) -> ObjectResult<()> {
        self.records += 1;
        let id = json::record_id(line).map_err(|fault| {
            let (number, key) = (self.records, self.key);
            let what = format!("record {number} of `{key}`: {} at byte {}", fault.what, fault.at);
            ObjectError::damaged(self.file, what)
        })?;
        self.sink.record(self.key, &id, line)
    }

    fn finish(self) -> ObjectResult<u64> {
        if self.begun.is_empty() {
            return Ok(self.records);
        }
        Err(ObjectError::damaged(self.file, format!("the last line of its member `{}` has no end", self.key)))
    }
}

/// Nothing but zeros may follow. Read to the end, so that the checksum of the gzip is compared.
fn tail(input: &mut impl Read, file: &str) -> ObjectResult<()> {
    let mut buffer = [0; 4096];
    let mut bytes = 0;
    loop {
        let read = input.read(&mut buffer).map_err(|error| unreadable(file, &error))?;
        bytes += read as u64;
        if read == 0 {
            return Ok(());
        }
        if bytes > TAIL_BYTES_MAX || buffer[..read].iter().any(|byte| *byte != 0) {
            return Err(ObjectError::refused(file, "something follows its end"));
        }
    }
}
