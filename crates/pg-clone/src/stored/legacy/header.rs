//! The header of an archive of `pg_dump -Fc`, as PostgreSQL's `pg_backup_archiver.c` lays it out.

use jiff::civil::DateTime;
use serde::Serialize;

/// What every archive begins with.
const MAGIC: &[u8] = b"PGDMP";

/// Format number of `-Fc` (`-Fd` and `-Ft` have others and are no single file, or no stream).
const FORMAT_CUSTOM: u8 = 1;

/// Oldest archive version with a database's name and both versions in its header: 1.10, PostgreSQL 8.0 of 2005.
const VERSION_MIN: (u8, u8) = (1, 10);

/// First archive version with a byte for the compression algorithm instead of a level: 1.15, PostgreSQL 16.
const VERSION_ALGORITHM: (u8, u8) = (1, 15);

/// Newest major archive version read here; `pg_restore` refuses a newer one as well.
const MAJOR_MAX: u8 = 1;

/// Longest string in a header: names have 63 bytes, versions with their package's fewer than 200.
const STRING_BYTES_MAX: usize = 4 * 1024;

/// The header of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ArchiveHeader {
    /// Version of the archive's format, such as `1.14.0`.
    pub archive_version: String,
    /// When it was made, in the unknown time zone of the machine that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_local: Option<DateTime>,
    /// The database that was dumped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Version of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_version: Option<String>,
    /// Version of `pg_dump`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pg_dump_version: Option<String>,
}

/// What came of reading a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// It is complete.
    Header(ArchiveHeader),
    /// So far nothing is wrong.
    NeedsMore,
    /// It is no header.
    Invalid(String),
}

/// Reads the header at the beginning of `bytes`.
#[must_use]
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let magic = &bytes[..bytes.len().min(MAGIC.len())];
    if !MAGIC.starts_with(magic) {
        return Parsed::Invalid("it is not an archive of `pg_dump -Fc`".to_owned());
    }
    let mut reader = Reader { rest: bytes.get(MAGIC.len()..).unwrap_or_default(), int_bytes: 0 };
    match reader.header() {
        Ok(header) => Parsed::Header(header),
        Err(Stop::NeedsMore) => Parsed::NeedsMore,
        Err(Stop::Invalid(what)) => Parsed::Invalid(what),
    }
}

enum Stop {
    NeedsMore,
    Invalid(String),
}

struct Reader<'a> {
    rest: &'a [u8],
    int_bytes: usize,
}

impl<'a> Reader<'a> {
    fn header(&mut self) -> Result<ArchiveHeader, Stop> {
        let version = (self.byte()?, self.byte()?, self.byte()?);
        let known = version.0 <= MAJOR_MAX && (version.0, version.1) >= VERSION_MIN;
        if !known {
            let what = format!("its archive format {}.{}.{} is not known", version.0, version.1, version.2);
            return Err(Stop::Invalid(what));
        }
        self.int_bytes = self.byte()?.into();
        let _offset_bytes = self.byte()?;
        let format = self.byte()?;
        if !(1..=8).contains(&self.int_bytes) || format != FORMAT_CUSTOM {
            return Err(Stop::Invalid("it is not an archive of `pg_dump -Fc`: its header is invalid".to_owned()));
        }
        if (version.0, version.1) >= VERSION_ALGORITHM {
            self.byte()?;
        } else {
            self.int()?;
        }
        let mut time = [0; 7];
        for field in &mut time {
            *field = self.int()?;
        }
        Ok(ArchiveHeader {
            archive_version: format!("{}.{}.{}", version.0, version.1, version.2),
            created_local: local_time(&time),
            database: self.string()?,
            server_version: self.string()?,
            pg_dump_version: self.string()?,
        })
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Stop::NeedsMore)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        Ok(self.take(1)?[0])
    }

    /// A sign byte, then the magnitude, lowest byte first.
    fn int(&mut self) -> Result<i64, Stop> {
        let negative = self.byte()? != 0;
        let magnitude =
            self.take(self.int_bytes)?.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        let value =
            i64::try_from(magnitude).map_err(|_| Stop::Invalid("a number in its header is too large".to_owned()))?;
        Ok(if negative { -value } else { value })
    }

    /// A length, -1 for none, then the bytes.
    fn string(&mut self) -> Result<Option<String>, Stop> {
        let length = self.int()?;
        if length < 0 {
            return Ok(None);
        }
        let length = usize::try_from(length).ok().filter(|length| *length <= STRING_BYTES_MAX);
        let length = length.ok_or_else(|| Stop::Invalid("a string in its header is too long".to_owned()))?;
        Ok(Some(String::from_utf8_lossy(self.take(length)?).into_owned()))
    }
}

/// C's `struct tm`: seconds first, months from 0, years from 1900.
fn local_time(fields: &[i64; 7]) -> Option<DateTime> {
    let [second, minute, hour, day, month, year, _is_dst] = *fields;
    let small = |value: i64| i8::try_from(value).ok();
    // A leap second has no place in civil time here.
    let second = small(second.min(59))?;
    let year = i16::try_from(year.checked_add(1900)?).ok()?;
    DateTime::new(year, small(month.checked_add(1)?)?, small(day)?, small(hour)?, small(minute)?, second, 0).ok()
}
