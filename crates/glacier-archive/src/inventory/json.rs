//! An inventory in JSON: its list is read entry by entry, and never held.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, Read};

use backup_core::digest::Sha256Digest;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::listed::{Inventory, LINE_BYTES_MAX, ListedArchive, damaged};
use crate::error::{GlacierError, GlacierResult};

/// One entry of the list.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    archive_id: String,
    #[serde(default)]
    archive_description: Option<String>,
    #[serde(deserialize_with = "time")]
    creation_date: Timestamp,
    size: u64,
    #[serde(rename = "SHA256TreeHash")]
    tree_hash: Sha256Digest,
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    struct Text;
    impl Visitor<'_> for Text {
        type Value = Timestamp;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a time")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Timestamp, E> {
            text.parse().map_err(|_| E::custom(format_args!("`{text}` is no time")))
        }
    }
    deserializer.deserialize_str(Text)
}

pub(super) fn read(
    input: impl BufRead,
    mut each: impl FnMut(ListedArchive) -> GlacierResult<()>,
) -> GlacierResult<Inventory> {
    let (mut stopped, left) = (None, Cell::new(LINE_BYTES_MAX));
    let mut json = serde_json::Deserializer::from_reader(Limited { inner: input, left: &left });
    let whole = Whole { each: &mut each, stopped: &mut stopped, left: &left };
    let read = whole.deserialize(&mut json).and_then(|inventory| json.end().map(|()| inventory));
    match (stopped, read) {
        (Some(error), _) => Err(error),
        (None, Ok(inventory)) => Ok(inventory),
        (None, Err(error)) => Err(damaged(error)),
    }
}

/// Reads no more than is left for one entry: a text without an end would be held whole.
struct Limited<'a, R> {
    inner: R,
    left: &'a Cell<usize>,
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.left.get());
        if most == 0 && !buffer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an entry is too long"));
        }
        let read = self.inner.read(&mut buffer[..most])?;
        self.left.set(self.left.get() - read);
        Ok(read)
    }
}

/// The whole document.
struct Whole<'a, F> {
    each: &'a mut F,
    stopped: &'a mut Option<GlacierError>,
    left: &'a Cell<usize>,
}

impl<'de, F: FnMut(ListedArchive) -> GlacierResult<()>> DeserializeSeed<'de> for Whole<'_, F> {
    type Value = Inventory;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Inventory, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: FnMut(ListedArchive) -> GlacierResult<()>> Visitor<'de> for Whole<'_, F> {
    type Value = Inventory;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an inventory")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Inventory, A::Error> {
        let Self { each, stopped, left } = self;
        let (mut inventory, mut has_list) = (Inventory::default(), false);
        while let Some(name) = map.next_key::<String>()? {
            left.set(LINE_BYTES_MAX);
            match name.as_str() {
                "VaultARN" => inventory.vault = map.next_value()?,
                "InventoryDate" => {
                    let made: String = map.next_value()?;
                    inventory.made = Some(made.parse().map_err(|_| A::Error::custom(format!("`{made}` is no time")))?);
                }
                "ArchiveList" if has_list => return Err(A::Error::custom("it has two lists")),
                "ArchiveList" => {
                    has_list = true;
                    let list = List { each: &mut *each, stopped: &mut *stopped, left };
                    inventory.archives = map.next_value_seed(list)?;
                    left.set(LINE_BYTES_MAX);
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if has_list { Ok(inventory) } else { Err(A::Error::custom("it has no list")) }
    }
}

/// The list of archives.
struct List<'a, F> {
    each: &'a mut F,
    stopped: &'a mut Option<GlacierError>,
    left: &'a Cell<usize>,
}

impl<'de, F: FnMut(ListedArchive) -> GlacierResult<()>> DeserializeSeed<'de> for List<'_, F> {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(ListedArchive) -> GlacierResult<()>> Visitor<'de> for List<'_, F> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of archives")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<u64, A::Error> {
        let mut archives = 0;
        while let Some(entry) = list.next_element::<Entry>()? {
            if entry.archive_id.is_empty() {
                return Err(A::Error::custom("an archive has no id"));
            }
            let archive = ListedArchive {
                id: entry.archive_id,
                description: entry.archive_description.unwrap_or_default(),
                created: entry.creation_date,
                bytes: entry.size,
                tree_hash: entry.tree_hash,
            };
            if let Err(error) = (self.each)(archive) {
                *self.stopped = Some(error);
                return Err(A::Error::custom("stopped"));
            }
            archives += 1;
            self.left.set(LINE_BYTES_MAX);
        }
        Ok(archives)
    }
}
