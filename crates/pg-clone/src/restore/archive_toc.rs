//! The table of contents of an archive of `pg_dump -Fc`, as PostgreSQL's `pg_backup_archiver.c` lays it out.
//!
//! `pg_restore --list` prints the same, but one line an entry without quotes, in which a name may look like anything, and
//! without what an entry depends on.

use std::ops::Range;

/// What every archive begins with.
const MAGIC: &[u8] = b"PGDMP";

/// Oldest layout read here: 1.12, in which `pg_dump` of PostgreSQL 9.0 to 11 wrote single files. We run none before 12, of 1.14.
const VERSION_MIN: (u8, u8) = (1, 12);

/// First layout whose entries tell their table's access method: PostgreSQL 12.
const VERSION_ACCESS_METHOD: (u8, u8) = (1, 14);

/// First layout with a byte for the compression algorithm instead of a level: PostgreSQL 16.
const VERSION_ALGORITHM: (u8, u8) = (1, 15);

/// First layout whose entries tell their `relkind`: PostgreSQL 17.
const VERSION_RELKIND: (u8, u8) = (1, 16);

/// One entry: an object, or something said of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its number, unique in the archive.
    pub(crate) id: u32,
    /// What it is: `TABLE`, `FK CONSTRAINT`, `COMMENT`.
    pub(crate) kind: String,
    /// The schema it is in.
    pub(crate) schema: Option<String>,
    /// Its name; of what belongs to a table, the table's name and its own.
    pub(crate) name: String,
    /// Entries that must exist before it.
    pub(crate) needs: Vec<u32>,
}

/// Kind of the entry that holds a table's rows.
pub(crate) const ROWS: &str = "TABLE DATA";

/// Kind of the entry that fills a materialized view.
pub(crate) const VIEW_ROWS: &str = "MATERIALIZED VIEW DATA";

impl Entry {
    /// `view public.v`, for people.
    pub(crate) fn label(&self) -> String {
        let kind = match self.kind.as_str() {
            ROWS => "rows of".to_owned(),
            VIEW_ROWS => "rows of materialized view".to_owned(),
            "SEQUENCE SET" => "value of sequence".to_owned(),
            other => other.to_lowercase(),
        };
        match &self.schema {
            Some(schema) => format!("{kind} {schema}.{}", self.name),
            None => format!("{kind} {}", self.name),
        }
    }
}

/// An entry with its statements, as `pg_restore` sends them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) entry: Entry,
    /// The statements that make it.
    pub(crate) made_by: String,
    /// The statement that would drop it, which names it in full.
    pub(crate) dropped_by: String,
}

/// Everything of an entry that a program makes statements of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) written: Written,
    /// The statement that would give it rows.
    pub(crate) copied_by: String,
    /// Whether something follows the table of contents for it: rows, large objects, or statements.
    pub(crate) has_data: bool,
}

/// What is wrong with an archive of which more is to come.
const ENDS_EARLY: &str = "it ends early";

/// The entry that says the search path under which all others are made (`dumpSearchPath` of `pg_dump.c`).
const SEARCH_PATH: &str = "SEARCHPATH";

/// Reads all entries; the error says what is wrong.
pub(crate) fn parse(archive: &[u8]) -> Result<Vec<Entry>, String> {
    let (mut reader, count) = Reader::at_first_entry(archive)?;
    (0..count).map(|_| reader.entry().map(|read| read.whole.written.entry)).collect()
}

/// Reads all entries with their statements; the error says what is wrong.
pub(crate) fn parse_written(archive: &[u8]) -> Result<Vec<Written>, String> {
    let (mut reader, count) = Reader::at_first_entry(archive)?;
    (0..count).map(|_| reader.entry().map(|read| read.whole.written)).collect()
}

/// Reads all entries with everything that statements are made of; the error says what is wrong.
pub(crate) fn parse_all(archive: &[u8]) -> Result<Vec<Whole>, String> {
    let (mut reader, count) = Reader::at_first_entry(archive)?;
    (0..count).map(|_| reader.entry().map(|read| read.whole)).collect()
}

/// How many bytes an archive's header and table of contents take; none if `beginning` is shorter. Rows come after them.
pub(crate) fn end_of_contents(beginning: &[u8]) -> Result<Option<usize>, String> {
    let end = || -> Result<usize, String> {
        let (mut reader, count) = Reader::at_first_entry(beginning)?;
        for _ in 0..count {
            reader.entry()?;
        }
        Ok(reader.position())
    };
    match end() {
        Ok(end) => Ok(Some(end)),
        Err(what) if what == ENDS_EARLY => Ok(None),
        Err(what) => Err(what),
    }
}

/// The same archive with `statement` in place of the one that sets the search path; none if it sets none, as before
/// PostgreSQL's releases of March 2018. Offsets of rows in it are wrong then, if it holds some: whoever reads it from a pipe
/// does not look at them.
pub(crate) fn with_search_path(archive: &[u8], statement: &str) -> Result<Option<Vec<u8>>, String> {
    let (mut reader, count) = Reader::at_first_entry(archive)?;
    for _ in 0..count {
        let read = reader.entry()?;
        if read.whole.written.entry.kind != SEARCH_PATH {
            continue;
        }
        let length = i64::try_from(statement.len()).map_err(|_| "a search path that is too long".to_owned())?;
        let mut changed = archive[..read.made_by.start].to_vec();
        changed.push(0);
        changed.extend(length.to_le_bytes().into_iter().chain(std::iter::repeat(0)).take(reader.int_bytes));
        changed.extend_from_slice(statement.as_bytes());
        changed.extend_from_slice(&archive[read.made_by.end..]);
        return Ok(Some(changed));
    }
    Ok(None)
}

/// The same archive with other statements where `change` gives some; none if it gives none. An archive of a schema holds no
/// rows, so that no offsets of them change.
pub(crate) fn with_statements(
    archive: &[u8],
    change: impl Fn(&Written) -> Option<String>,
) -> Result<Option<Vec<u8>>, String> {
    let (mut reader, count) = Reader::at_first_entry(archive)?;
    let (mut changed, mut copied) = (Vec::new(), 0);
    for _ in 0..count {
        let read = reader.entry()?;
        let Some(statements) = change(&read.whole.written) else { continue };
        let length = i64::try_from(statements.len()).map_err(|_| "statements that are too long".to_owned())?;
        changed.extend_from_slice(&archive[copied..read.made_by.start]);
        changed.push(0);
        changed.extend(length.to_le_bytes().into_iter().chain(std::iter::repeat(0)).take(reader.int_bytes));
        changed.extend_from_slice(statements.as_bytes());
        copied = read.made_by.end;
    }
    if copied == 0 {
        return Ok(None);
    }
    changed.extend_from_slice(&archive[copied..]);
    Ok(Some(changed))
}

/// An entry, and where in the archive its statements stand, their length included.
struct Read {
    whole: Whole,
    made_by: Range<usize>,
}

struct Reader<'a> {
    rest: &'a [u8],
    /// Bytes of the whole archive.
    bytes: usize,
    int_bytes: usize,
    offset_bytes: usize,
    version: (u8, u8),
}

impl<'a> Reader<'a> {
    /// Reads up to the first entry; returns how many there are.
    fn at_first_entry(archive: &'a [u8]) -> Result<(Self, i64), String> {
        let rest = archive.strip_prefix(MAGIC).ok_or("it is not an archive of `pg_dump -Fc`")?;
        let mut reader = Self { rest, bytes: archive.len(), int_bytes: 0, offset_bytes: 0, version: (0, 0) };
        reader.header()?;
        let count = reader.int()?;
        Ok((reader, count))
    }

    fn position(&self) -> usize {
        self.bytes - self.rest.len()
    }

    fn header(&mut self) -> Result<(), String> {
        self.version = (self.byte()?, self.byte()?);
        if self.version.0 != VERSION_MIN.0 || self.version < VERSION_MIN {
            return Err(format!("its layout {}.{} is not known", self.version.0, self.version.1));
        }
        let _revision = self.byte()?;
        self.int_bytes = self.byte()?.into();
        self.offset_bytes = self.byte()?.into();
        let _format = self.byte()?;
        if self.int_bytes > 8 {
            return Err("its header is invalid".to_owned());
        }
        if self.version >= VERSION_ALGORITHM {
            self.byte()?;
        } else {
            self.int()?;
        }
        for _time_field in 0..7 {
            self.int()?;
        }
        for _database_and_versions in 0..3 {
            self.string()?;
        }
        Ok(())
    }

    fn entry(&mut self) -> Result<Read, String> {
        let id = u32::try_from(self.int()?).map_err(|_| "the number of an entry is invalid".to_owned())?;
        let has_data = self.int()? != 0;
        let _class_and_oid = (self.string()?, self.string()?);
        let name = self.string()?.unwrap_or_default();
        let kind = self.string()?.unwrap_or_default();
        let _section = self.int()?;
        let begin = self.position();
        let made_by = self.string()?.unwrap_or_default();
        let end = self.position();
        let dropped_by = self.string()?.unwrap_or_default();
        let copied_by = self.string()?.unwrap_or_default();
        let schema = self.string()?.filter(|schema| !schema.is_empty());
        let _tablespace = self.string()?;
        if self.version >= VERSION_ACCESS_METHOD {
            self.string()?;
        }
        if self.version >= VERSION_RELKIND {
            self.int()?;
        }
        let _owner_and_oids = (self.string()?, self.string()?);
        let mut needs = Vec::new();
        while let Some(number) = self.string()? {
            needs.push(number.parse().map_err(|_| format!("`{number}` is not the number of an entry"))?);
        }
        let _offset_of_data = self.take(1 + self.offset_bytes)?;
        let entry = Entry { id, kind, schema, name, needs };
        let whole = Whole { written: Written { entry, made_by, dropped_by }, copied_by, has_data };
        Ok(Read { whole, made_by: begin..end })
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(ENDS_EARLY)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    /// A sign byte, then the magnitude, lowest byte first.
    fn int(&mut self) -> Result<i64, String> {
        let negative = self.byte()? != 0;
        let magnitude =
            self.take(self.int_bytes)?.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        let value = i64::try_from(magnitude).map_err(|_| "a number in it is too large".to_owned())?;
        Ok(if negative { -value } else { value })
    }

    /// A length, -1 for none, then the bytes. To `pg_restore` a string ends at a zero byte, and so at another place than here.
    fn string(&mut self) -> Result<Option<String>, String> {
        let length = self.int()?;
        if length < 0 {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| "a string in it is too long".to_owned())?;
        let bytes = self.take(length)?;
        if bytes.contains(&0) {
            return Err("a string in it has a zero byte".to_owned());
        }
        Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An archive of layout 1.14 with these entries.
    pub(crate) fn archive(entries: &[Entry]) -> Vec<u8> {
        archive_of(14, entries)
    }

    /// An archive of layout 1.`minor`: numbers of four bytes, offsets of eight.
    fn archive_of(minor: u8, entries: &[Entry]) -> Vec<u8> {
        let mut bytes = b"PGDMP\x01\x0e\x00\x04\x08\x01".to_vec();
        bytes[6] = minor;
        let int = |bytes: &mut Vec<u8>, value: i32| {
            bytes.push(u8::from(value < 0));
            bytes.extend(value.unsigned_abs().to_le_bytes());
        };
        let text = |bytes: &mut Vec<u8>, value: Option<&str>| match value {
            None => int(bytes, -1),
            Some(value) => {
                int(bytes, value.len().try_into().unwrap());
                bytes.extend(value.as_bytes());
            }
        };
        (0..8).for_each(|_| int(&mut bytes, 0));
        ["db", "15.18", "15.18"].iter().for_each(|value| text(&mut bytes, Some(value)));
        int(&mut bytes, entries.len().try_into().unwrap());
        for entry in entries {
            int(&mut bytes, entry.id.try_into().unwrap());
            int(&mut bytes, 0);
            for value in ["1259", "16385", &entry.name, &entry.kind] {
                text(&mut bytes, Some(value));
            }
            int(&mut bytes, 2);
            for value in ["CREATE …", "DROP …", ""] {
                text(&mut bytes, Some(value));
            }
            let access_method = (minor >= VERSION_ACCESS_METHOD.1).then_some(Some("heap"));
            let last = [Some("postgres"), Some("false")];
            for value in [entry.schema.as_deref(), Some("")].into_iter().chain(access_method).chain(last) {
                text(&mut bytes, value);
            }
            for need in &entry.needs {
                text(&mut bytes, Some(&need.to_string()));
            }
            text(&mut bytes, None);
            bytes.extend([3; 9]);
        }
        bytes
    }

    fn sample() -> Vec<Entry> {
        let entry = |id, kind: &str, schema: Option<&str>, name: &str, needs: &[u32]| Entry {
            id,
            kind: kind.to_owned(),
            schema: schema.map(str::to_owned),
            name: name.to_owned(),
            needs: needs.to_vec(),
        };
        vec![
            entry(6, "SCHEMA", None, "audit", &[]),
            entry(214, "TABLE", Some("audit"), "a TABLE\nb; 7; 1259 VIEW", &[]),
            entry(215, "VIEW", Some("audit"), "v", &[214, 6]),
        ]
    }

    #[test]
    fn entries_are_read_whatever_their_names() {
        assert_eq!(parse(&archive(&sample())).unwrap(), sample());
        assert_eq!(sample()[2].label(), "view audit.v");
    }

    #[test]
    fn statements_are_read_and_the_search_path_is_replaced() {
        let mut entries = sample();
        let path =
            Entry { id: 3, kind: SEARCH_PATH.to_owned(), schema: None, name: SEARCH_PATH.to_owned(), needs: vec![] };
        entries.insert(1, path);
        let original = archive(&entries);
        let statement = "SELECT pg_catalog.set_config('search_path', '\"$user\", public', false);";
        let changed = with_search_path(&original, statement).unwrap().unwrap();
        let written = parse_written(&changed).unwrap();
        assert_eq!(written.iter().map(|one| one.entry.clone()).collect::<Vec<_>>(), entries);
        assert_eq!(written[1].made_by, statement);
        assert_eq!((written[2].made_by.as_str(), written[2].dropped_by.as_str()), ("CREATE …", "DROP …"));
        assert_eq!(with_search_path(&archive(&sample()), statement), Ok(None));
    }

    #[test]
    fn a_cut_archive_is_an_error() {
        let whole = archive(&sample());
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_err(), "{end} of {} bytes", whole.len());
        }
    }

    #[test]
    fn a_string_that_pg_restore_would_cut_is_refused() {
        let mut entries = sample();
        entries[0].name = "au\0dit".to_owned();
        assert_eq!(parse(&archive(&entries)).unwrap_err(), "a string in it has a zero byte");
    }

    #[test]
    fn other_layouts_are_refused() {
        let mut old = archive(&sample());
        old[6] = 11;
        assert_eq!(parse(&old).unwrap_err(), "its layout 1.11 is not known");
    }

    #[test]
    fn single_files_of_older_releases_are_read() {
        for minor in [12, 13] {
            assert_eq!(parse(&archive_of(minor, &sample())).unwrap(), sample(), "1.{minor}");
        }
    }

    #[test]
    fn the_contents_end_where_rows_begin() {
        let contents = archive(&sample());
        let whole = [contents.as_slice(), b"rows"].concat();
        assert_eq!(end_of_contents(&whole), Ok(Some(contents.len())));
        assert_eq!(end_of_contents(&contents[..contents.len() - 1]), Ok(None));
        assert_eq!(end_of_contents(b"PGDMP"), Ok(None));
        assert!(end_of_contents(b"<html>").is_err());
    }

    #[test]
    fn what_holds_rows_is_named_for_them() {
        let label = |kind: &str| {
            let schema = Some("public".to_owned());
            Entry { id: 1, kind: kind.to_owned(), schema, name: "t".to_owned(), needs: Vec::new() }.label()
        };
        assert_eq!(label(ROWS), "rows of public.t");
        assert_eq!(label("MATERIALIZED VIEW DATA"), "rows of materialized view public.t");
        assert_eq!(label("SEQUENCE SET"), "value of sequence public.t");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&[b"PGDMP\x01\x0e\x00\x04\x08\x01".as_slice(), &bytes].concat());
        }
    }
}
