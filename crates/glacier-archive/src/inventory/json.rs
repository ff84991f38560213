//! An inventory in JSON: its list is read entry by entry, and never held.
//!
//! Given a reader, `serde_json` looks at each byte alone; of bytes in memory it is some times as fast. So it is given a window
//! that moves along the file, and asked for one value after the other.

use std::fmt;
use std::io::BufRead;

use backup_core::digest::Sha256Digest;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, Visitor};

use super::listed::{Inventory, LINE_BYTES_MAX, ListedArchive, damaged};
use crate::error::{GlacierError, GlacierResult};

/// Bytes of the file that are held: many entries, and any one.
const WINDOW_BYTES: usize = 4 * LINE_BYTES_MAX;

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
    let (mut inventory, mut has_list) = (Inventory::default(), false);
    let mut window = Window::new(input);
    window.expect(b'{')?;
    let mut is_first = true;
    while window.has_next(b'}', is_first)? {
        is_first = false;
        let name: String = window.value()?;
        window.expect(b':')?;
        match name.as_str() {
            "VaultARN" => inventory.vault = window.value()?,
            "InventoryDate" => {
                let made: String = window.value()?;
                inventory.made = Some(made.parse().map_err(|_| window.wrong(&format!("`{made}` is no time")))?);
            }
            "ArchiveList" if has_list => return Err(window.wrong("it has two lists")),
            "ArchiveList" => {
                has_list = true;
                inventory.archives = list(&mut window, &mut each)?;
            }
            _ => drop(window.value::<IgnoredAny>()?),
        }
    }
    if window.peek()?.is_some() {
        return Err(window.wrong("trailing characters"));
    }
    if has_list { Ok(inventory) } else { Err(damaged("it has no list")) }
}

/// Gives `each` the entries of the list; returns how many there are.
fn list(
    window: &mut Window<impl BufRead>,
    each: &mut impl FnMut(ListedArchive) -> GlacierResult<()>,
) -> GlacierResult<u64> {
    let mut archives = 0;
    window.expect(b'[')?;
    while window.has_next(b']', archives == 0)? {
        let entry: Entry = window.value()?;
        if entry.archive_id.is_empty() {
            return Err(window.wrong("an archive has no id"));
        }
        each(ListedArchive {
            id: entry.archive_id,
            description: entry.archive_description.unwrap_or_default(),
            created: entry.creation_date,
            bytes: entry.size,
            tree_hash: entry.tree_hash,
        })?;
        archives += 1;
    }
    Ok(archives)
}

/// What is held of a file.
struct Window<R> {
    input: R,
    held: Vec<u8>,
    /// How far it was read.
    at: usize,
    /// Whether nothing comes behind it.
    is_last: bool,
    /// Ends of lines before that.
    lines: usize,
}

impl<R: BufRead> Window<R> {
    fn new(input: R) -> Self {
        Self { input, held: Vec::with_capacity(WINDOW_BYTES), at: 0, is_last: false, lines: 0 }
    }

    /// Moves it on.
    fn fill(&mut self) -> GlacierResult<()> {
        self.held.drain(..self.at);
        self.at = 0;
        while !self.is_last && self.held.len() < WINDOW_BYTES {
            let more = self.input.fill_buf().map_err(damaged)?;
            let taken = more.len().min(WINDOW_BYTES - self.held.len());
            self.is_last = more.is_empty();
            self.held.extend_from_slice(&more[..taken]);
            self.input.consume(taken);
        }
        Ok(())
    }

    fn pass(&mut self, bytes: usize) {
        self.lines += self.held[self.at..self.at + bytes].iter().filter(|byte| **byte == b'\n').count();
        self.at += bytes;
    }

    /// The next byte that is no white space; none at the end.
    fn peek(&mut self) -> GlacierResult<Option<u8>> {
        loop {
            let rest = &self.held[self.at..];
            let blank = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count();
            let next = rest.get(blank).copied();
            self.pass(blank);
            if next.is_some() || self.is_last {
                return Ok(next);
            }
            self.fill()?;
        }
    }

    fn expect(&mut self, wanted: u8) -> GlacierResult<()> {
        match self.peek()? {
            Some(byte) if byte == wanted => {
                self.pass(1);
                Ok(())
            }
            Some(_) => Err(self.wrong(&format!("expected `{}`", char::from(wanted)))),
            None => Err(self.cut()),
        }
    }

    /// Whether another item comes before `end`, which is passed otherwise.
    fn has_next(&mut self, end: u8, is_first: bool) -> GlacierResult<bool> {
        if self.peek()? == Some(end) {
            self.pass(1);
            return Ok(false);
        }
        if !is_first {
            self.expect(b',')?;
        }
        Ok(true)
    }

    /// The next value.
    fn value<T: DeserializeOwned>(&mut self) -> GlacierResult<T> {
        self.peek()?;
        loop {
            let rest = &self.held[self.at..];
            let mut values = serde_json::Deserializer::from_slice(rest).into_iter();
            match values.next() {
                Some(Ok(value)) => {
                    let bytes = values.byte_offset();
                    if bytes > LINE_BYTES_MAX {
                        break;
                    }
                    // A number at the end of what is held may go on.
                    if bytes < rest.len() || self.is_last {
                        self.pass(bytes);
                        return Ok(value);
                    }
                }
                Some(Err(error)) if !error.is_eof() => return Err(self.damaged(&error)),
                Some(Err(_)) | None if self.is_last => return Err(self.cut()),
                Some(Err(_)) | None if rest.len() > LINE_BYTES_MAX => break,
                Some(Err(_)) | None => {}
            }
            self.fill()?;
        }
        Err(self.wrong("an entry is too long"))
    }

    fn cut(&self) -> GlacierError {
        self.wrong("EOF in the middle")
    }

    fn wrong(&self, why: &str) -> GlacierError {
        damaged(format!("line {}: {why}", self.lines + 1))
    }

    /// What `serde_json` says of a value, with the line of the file.
    fn damaged(&self, error: &serde_json::Error) -> GlacierError {
        let (said, place) = (error.to_string(), format!(" at line {} column {}", error.line(), error.column()));
        let why = said.strip_suffix(&place).unwrap_or(&said);
        damaged(format!("line {}: {why}", self.lines + error.line()))
    }
}
