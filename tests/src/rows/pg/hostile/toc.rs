//! Tables of contents of archives, taken apart and put together again with whatever somebody wants them to say.

use crate::harness::{Failure, RowResult};

/// Layouts that are read here: of `pg_dump` 12 to 18.
const ACCESS_METHOD: u8 = 14;
const ALGORITHM: u8 = 15;
const RELKIND: u8 = 16;

/// An archive of `pg_dump -Fc`.
#[derive(Clone)]
pub(super) struct Archive {
    minor: u8,
    offset_bytes: usize,
    /// Up to the number of entries.
    head: Vec<u8>,
    pub(super) entries: Vec<Entry>,
    /// What follows the table of contents.
    data: Vec<u8>,
}

/// An entry, with everything as it stands in the archive.
#[derive(Clone, Default)]
pub(super) struct Entry {
    pub(super) id: i32,
    has_data: i32,
    pub(super) kind: String,
    pub(super) name: String,
    section: i32,
    pub(super) made_by: Vec<u8>,
    pub(super) dropped_by: Vec<u8>,
    pub(super) copied_by: Vec<u8>,
    pub(super) owner: Vec<u8>,
    /// Which of the statements and of the owner are absent rather than empty.
    absent: [bool; 4],
    class: [Text; 2],
    /// Schema, tablespace and access method.
    place: Vec<Text>,
    relkind: i32,
    oids: Text,
    pub(super) needs: Vec<Vec<u8>>,
    offset: Vec<u8>,
}

/// A string, which may be none.
type Text = Option<Vec<u8>>;

impl Archive {
    pub(super) fn read(bytes: &[u8]) -> RowResult<Self> {
        let mut reader = Reader { bytes, at: 5 };
        let [_major, minor, _revision, int_bytes, offset_bytes, _format] = reader.array()?;
        if int_bytes != 4 {
            return Err(Failure::new("the archive's numbers do not have four bytes"));
        }
        if minor >= ALGORITHM {
            reader.take(1)?
        } else {
            reader.take(5)?
        };
        for _time_field in 0..7 {
            reader.int()?;
        }
        for _database_and_versions in 0..3 {
            reader.text()?;
        }
        let head = bytes[..reader.at].to_vec();
        let count = reader.int()?;
        let offset_bytes = usize::from(offset_bytes);
        let entries = (0..count).map(|_| reader.entry(minor, offset_bytes)).collect::<RowResult<Vec<_>>>()?;
        Ok(Self { minor, offset_bytes, head, entries, data: bytes[reader.at..].to_vec() })
    }

    /// The first entry of this kind.
    pub(super) fn first(&mut self, kind: &str) -> RowResult<&mut Entry> {
        let found = self.entries.iter_mut().find(|entry| entry.kind == kind);
        found.ok_or_else(|| Failure::new(format!("the archive has no entry `{kind}`")))
    }

    /// Puts a new entry behind the first table, like it but for what it says.
    pub(super) fn add(&mut self, kind: &str, name: &str) -> RowResult<&mut Entry> {
        const FREE: i32 = 900_000;
        let at = self.entries.iter().position(|entry| entry.kind == "TABLE");
        let at = at.ok_or_else(|| Failure::new("the archive has no table"))?;
        let like = self.entries[at].clone();
        let (kind, name) = (kind.to_owned(), name.to_owned());
        let (made_by, dropped_by, copied_by) = (Vec::new(), Vec::new(), Vec::new());
        let (needs, owner) = (Vec::new(), Vec::new());
        let new = Entry { id: FREE, kind, name, made_by, dropped_by, copied_by, needs, owner, ..like };
        self.entries.insert(at + 1, new);
        Ok(&mut self.entries[at + 1])
    }

    /// Puts a block behind the table of contents, not compressed, as data of the entry `id`.
    pub(super) fn with_block(mut self, id: i32, block: &[u8]) -> RowResult<Vec<u8>> {
        const KNOWN: u8 = 2;
        let offset = (self.bytes().len() as u64).to_le_bytes();
        let offset_bytes = self.offset_bytes;
        let entry = self.entries.iter_mut().find(|entry| entry.id == id);
        let entry = entry.ok_or_else(|| Failure::new(format!("the archive has no entry {id}")))?;
        entry.has_data = 1;
        entry.offset = [[KNOWN].as_slice(), &offset[..offset_bytes]].concat();
        self.data.push(1);
        let length = i32::try_from(block.len()).map_err(|error| Failure::new(error.to_string()))?;
        for (number, bytes) in [(id, [].as_slice()), (length, block), (0, [].as_slice())] {
            put_int(&mut self.data, number);
            self.data.extend_from_slice(bytes);
        }
        Ok(self.bytes())
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head.clone();
        put_int(&mut bytes, i32::try_from(self.entries.len()).unwrap_or(i32::MAX));
        for entry in &self.entries {
            entry.put(&mut bytes, self.minor);
        }
        bytes.extend_from_slice(&self.data);
        bytes
    }
}

impl Entry {
    fn put(&self, bytes: &mut Vec<u8>, minor: u8) {
        put_int(bytes, self.id);
        put_int(bytes, self.has_data);
        let [class, oid] = &self.class;
        for text in [class.as_deref(), oid.as_deref(), Some(self.name.as_bytes()), Some(self.kind.as_bytes())] {
            put_text(bytes, text);
        }
        put_int(bytes, self.section);
        let given = |at: usize, text: &'_ Vec<u8>| !(self.absent[at] && text.is_empty());
        for (at, text) in [&self.made_by, &self.dropped_by, &self.copied_by].into_iter().enumerate() {
            put_text(bytes, given(at, text).then_some(text.as_slice()));
        }
        for text in &self.place {
            put_text(bytes, text.as_deref());
        }
        if minor >= RELKIND {
            put_int(bytes, self.relkind);
        }
        put_text(bytes, given(3, &self.owner).then_some(self.owner.as_slice()));
        put_text(bytes, self.oids.as_deref());
        for need in &self.needs {
            put_text(bytes, Some(need));
        }
        put_text(bytes, None);
        bytes.extend_from_slice(&self.offset);
    }
}

fn put_int(bytes: &mut Vec<u8>, value: i32) {
    bytes.push(u8::from(value < 0));
    bytes.extend(value.unsigned_abs().to_le_bytes());
}

fn put_text(bytes: &mut Vec<u8>, text: Option<&[u8]>) {
    let length = text.map_or(-1, |text| i32::try_from(text.len()).unwrap_or(i32::MAX));
    put_int(bytes, length);
    bytes.extend_from_slice(text.unwrap_or_default());
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> RowResult<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at + count);
        self.at += count;
        taken.ok_or_else(|| Failure::new("the archive ends within its table of contents"))
    }

    fn array<const N: usize>(&mut self) -> RowResult<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn int(&mut self) -> RowResult<i32> {
        let [sign] = self.array()?;
        let value = i32::from_le_bytes(self.array()?);
        Ok(if sign == 0 { value } else { -value })
    }

    fn text(&mut self) -> RowResult<Text> {
        match usize::try_from(self.int()?) {
            Ok(length) => Ok(Some(self.take(length)?.to_vec())),
            Err(_) => Ok(None),
        }
    }

    fn entry(&mut self, minor: u8, offset_bytes: usize) -> RowResult<Entry> {
        let name = |text: Text| String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
        let (id, has_data) = (self.int()?, self.int()?);
        let class = [self.text()?, self.text()?];
        let (object, kind) = (name(self.text()?), name(self.text()?));
        let section = self.int()?;
        let statements = [self.text()?, self.text()?, self.text()?];
        let texts = if minor >= ACCESS_METHOD { 3 } else { 2 };
        let place = (0..texts).map(|_| self.text()).collect::<RowResult<Vec<_>>>()?;
        let relkind = if minor >= RELKIND { self.int()? } else { 0 };
        let (owner, oids) = (self.text()?, self.text()?);
        let [made_by, dropped_by, copied_by] = statements;
        let absent = [made_by.is_none(), dropped_by.is_none(), copied_by.is_none(), owner.is_none()];
        let [made_by, dropped_by, copied_by, owner] =
            [made_by, dropped_by, copied_by, owner].map(Option::unwrap_or_default);
        let mut needs = Vec::new();
        while let Some(need) = self.text()? {
            needs.push(need);
        }
        let offset = self.take(1 + offset_bytes)?.to_vec();
        Ok(Entry {
            id,
            has_data,
            kind,
            name: object,
            section,
            made_by,
            dropped_by,
            copied_by,
            owner,
            absent,
            class,
            place,
            relkind,
            oids,
            needs,
            offset,
        })
    }
}
