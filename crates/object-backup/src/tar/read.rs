//! Reads a tarball from front to back: every member, line and digest.

use std::collections::BTreeSet;
use std::io::{BufReader, Read};

use backup_core::digest::{Sha256Digest, Sha256Hasher};
use backup_core::units;

use super::header::{self, Member, unreadable};
use super::padding;
use crate::detail::TypeDetail;
use crate::error::{ObjectError, ObjectResult};
use crate::gunzip::Gunzip;
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
    let decoder = Gunzip::new(BufReader::with_capacity(READ_BYTES, input));
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
            return Err(std::io::Error::other(format!(
                "its content is larger than the limit of {}",
                units::bytes(self.max)
            )));
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
            return Err(ObjectError::damaged(
                file,
                format!("its member `{key}` ends {} too early", units::exact_bytes(left)),
            ));
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
                format!(
                    "record {} of `{}` is larger than the limit of {}",
                    self.records + 1,
                    self.key,
                    units::bytes(RECORD_BYTES_MAX as u64)
                ),
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
        Err(ObjectError::damaged(self.file, format!("the last line of its member `{}` is not terminated", self.key)))
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::tar::write;

    /// Keeps what it is given.
    #[derive(Default)]
    struct Kept(Vec<(TypeKey, Vec<u8>)>);

    impl Sink for Kept {
        fn begin(&mut self, key: &TypeKey) -> ObjectResult<()> {
            self.0.push((key.clone(), Vec::new()));
            Ok(())
        }

        fn record(&mut self, _key: &TypeKey, _id: &str, text: &[u8]) -> ObjectResult<()> {
            let (_, content) = self.0.last_mut().unwrap();
            content.extend_from_slice(text);
            content.push(b'\n');
            Ok(())
        }

        fn end(&mut self, _key: &TypeKey) -> ObjectResult<()> {
            Ok(())
        }
    }

    fn tarball() -> Vec<u8> {
        let mut bytes = Vec::new();
        let long = format!("{}--long.json", "T".repeat(120));
        for (name, content) in
            [("User--users.json", "{\"id\": 1}\n{\"id\": \"2\"}\n"), ("E--e.json", ""), (&long, "{\"id\": 3}\n")]
        {
            bytes.extend(write::member_header(name, content.len() as u64));
            bytes.extend(content.as_bytes());
            bytes.extend(vec![0; padding(content.len() as u64)]);
        }
        bytes.extend(write::END);
        bytes
    }

    fn read_back(content: &[u8]) -> ObjectResult<(Summary, Kept)> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        let mut kept = Kept::default();
        let summary = read(&encoder.finish().unwrap()[..], "x", 1 << 20, &mut kept)?;
        Ok((summary, kept))
    }

    /// Whatever is read is what the summary says, in safe names and whole records; anything else is an error.
    fn holds_together(content: &[u8]) {
        match read_back(content) {
            Ok((summary, kept)) => {
                assert_eq!(summary.content_sha256, Sha256Digest::of(content));
                assert_eq!(summary.types.len(), kept.0.len());
                for (found, (key, text)) in summary.types.iter().zip(&kept.0) {
                    assert_eq!(
                        (&found.key, found.bytes, found.sha256),
                        (key, text.len() as u64, Sha256Digest::of(text))
                    );
                    assert_eq!(TypeKey::of_member(&key.member()).as_ref(), Some(key));
                }
            }
            Err(error) => assert!(error.is_damage(), "{error}"),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let (summary, _) = read_back(&tarball()).unwrap();
        assert_eq!(summary.types.iter().map(|found| found.records).collect::<Vec<_>>(), [2, 0, 1]);
        holds_together(&tarball());
    }

    proptest! {
        #[test]
        fn o4_a_tarball_changed_anywhere_is_read_as_it_is_or_refused(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
            cut in proptest::option::of(any::<prop::sample::Index>()),
            twice in proptest::option::of(0_usize..8),
        ) {
            let mut content = tarball();
            for (at, byte) in changes {
                let at = at.index(content.len());
                content[at] = byte;
            }
            if let Some(block) = twice {
                let block = content[block * 512..(block + 1) * 512].to_vec();
                content.splice(512..512, block);
            }
            if let Some(cut) = cut {
                content.truncate(cut.index(content.len()));
            }
            holds_together(&content);
        }

        #[test]
        fn o4_headers_with_right_checksums_and_any_fields_are_read_or_refused(
            fields in proptest::collection::vec((0_usize..512, any::<u8>()), 0..24),
        ) {
            let mut content = tarball();
            for (at, byte) in fields {
                content[at] = byte;
            }
            let sum: u32 = content[..512].iter().enumerate()
                .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) }).sum();
            content[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            holds_together(&content);
        }

        #[test]
        fn o4_any_bytes_end_in_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
            let mut kept = Kept::default();
            prop_assert!(read(&bytes[..], "x", 1 << 20, &mut kept).is_err());
        }
    }
}
