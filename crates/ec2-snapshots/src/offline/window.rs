//! A document of any size, value by value: a window onto a reader that holds one value whole and no more than it must.
//!
//! `serde_json` reads a slice several times as fast as it reads a reader, byte by byte. Here the ends of values are found,
//! and nothing else is decided: what is between them is read by `serde_json`, which also says what is wrong with it.

use std::io::{self, Read};

use memchr::{memchr_iter, memchr2, memrchr};

/// Read at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// Longest value: a snapshot as EC2 describes it has a few KiB. What is longer is no such document.
const VALUE_BYTES_MAX: usize = 64 << 20;

/// Why there is no value.
#[derive(Debug)]
pub(super) enum Fault {
    /// The reader failed.
    Io(io::Error),
    /// The document ended within a value.
    End,
    /// A value is longer than any that is read.
    TooLong,
}

/// The window. Lines and columns count from 1.
pub(super) struct Window<R> {
    reader: R,
    bytes: Vec<u8>,
    /// Where the next value is looked for.
    at: usize,
    /// How much of `bytes` was read.
    filled: usize,
    is_whole: bool,
    line: usize,
    /// Bytes of this line before `at`.
    column: usize,
}

impl<R: Read> Window<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, bytes: Vec::new(), at: 0, filled: 0, is_whole: false, line: 1, column: 0 }
    }

    /// Line and column of the next byte.
    pub(super) fn place(&self) -> (usize, usize) {
        (self.line, self.column + 1)
    }

    /// The next byte that is no white space, which stays; none at the end.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            let rest = &self.bytes[self.at..self.filled];
            let found = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
            let blank = found.unwrap_or(rest.len());
            self.pass(blank);
            if found.is_some() {
                return Ok(Some(self.bytes[self.at]));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Goes on behind the byte that [`Window::peek`] found.
    pub(super) fn skip(&mut self) {
        self.pass(1);
    }

    /// The bytes of the next value with its line and the column before it, and goes on behind it.
    pub(super) fn value(&mut self) -> Result<(&[u8], usize, usize), Fault> {
        if self.peek()?.is_none() {
            return Err(Fault::End);
        }
        let mut scan = Scan::default();
        let length = loop {
            if let Some(length) = scan.end(&self.bytes[self.at..self.filled]) {
                break length;
            }
            if self.filled - self.at > VALUE_BYTES_MAX {
                return Err(Fault::TooLong);
            }
            if !self.fill()? {
                // A number or a word ends with the document.
                if scan.is_scalar() {
                    break self.filled - self.at;
                }
                return Err(Fault::End);
            }
        };
        let (from, line, column) = (self.at, self.line, self.column);
        self.pass(length);
        Ok((&self.bytes[from..from + length], line, column))
    }

    /// Counts the lines of what is left behind.
    fn pass(&mut self, count: usize) {
        let passed = &self.bytes[self.at..self.at + count];
        match memrchr(b'\n', passed) {
            None => self.column += count,
            Some(last) => {
                self.line += memchr_iter(b'\n', passed).count();
                self.column = count - last - 1;
            }
        }
        self.at += count;
    }

    /// Reads on; false at the end.
    fn fill(&mut self) -> Result<bool, Fault> {
        if self.is_whole {
            return Ok(false);
        }
        self.bytes.copy_within(self.at..self.filled, 0);
        self.filled -= self.at;
        self.at = 0;
        let wanted = self.filled + CHUNK_BYTES;
        if self.bytes.len() < wanted {
            self.bytes.resize(wanted, 0);
        }
        loop {
            match self.reader.read(&mut self.bytes[self.filled..]) {
                Ok(0) => self.is_whole = true,
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Fault::Io(error)),
            }
            return Ok(!self.is_whole);
        }
    }
}

/// Looks for the end of a value that arrives in pieces.
#[derive(Debug, Default)]
struct Scan {
    /// How much was looked at.
    seen: usize,
    depth: usize,
    in_string: bool,
    /// Whether it is a number or a word.
    scalar: bool,
}

impl Scan {
    fn is_scalar(&self) -> bool {
        self.scalar
    }

    /// The length of the value that `bytes` begin with, as soon as all of it is there. `bytes` only grows from call to call.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        while self.seen < bytes.len() {
            if self.in_string {
                self.seen += self.within(&bytes[self.seen..])?;
                if self.depth == 0 && !self.in_string {
                    return Some(self.seen);
                }
                continue;
            }
            let byte = bytes[self.seen];
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(self.seen + 1);
                    }
                }
                // What ends a number or a word is behind it.
                b'}' | b']' | b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 => {
                    return Some(self.seen.max(1));
                }
                _ => self.scalar |= self.depth == 0,
            }
            self.seen += 1;
        }
        None
    }

    /// How far a string goes that `rest` is inside of; `None` if its end is not there yet.
    fn within(&mut self, rest: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            match memchr2(b'"', b'\\', &rest[at..]) {
                Some(found) if rest[at + found] == b'"' => {
                    self.in_string = false;
                    return Some(at + found + 1);
                }
                // What follows a backslash ends nothing.
                Some(found) if at + found + 1 < rest.len() => at += found + 2,
                Some(found) => {
                    self.seen += at + found;
                    return None;
                }
                None => {
                    self.seen += rest.len();
                    return None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives a few bytes at a time, so that values arrive in pieces.
    struct Drops<'b>(&'b [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(into.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn values(text: &str, drops: usize) -> Vec<String> {
        let mut window = Window::new(Drops(text.as_bytes(), drops));
        let mut found = Vec::new();
        while window.peek().unwrap().is_some() {
            found.push(String::from_utf8(window.value().unwrap().0.to_vec()).unwrap());
        }
        found
    }

    #[test]
    fn values_end_where_they_end_however_they_arrive() {
        let text = " {\"a\": \"}\\\"\\\\\", \"b\": [1, {}]}\n[]\"x\\\\\" 12 true\n null";
        for drops in 1..20 {
            assert_eq!(
                values(text, drops),
                ["{\"a\": \"}\\\"\\\\\", \"b\": [1, {}]}", "[]", "\"x\\\\\"", "12", "true", "null"],
                "{drops} at a time"
            );
        }
    }

    #[test]
    fn places_count_lines_and_bytes() {
        let mut window = Window::new(Drops(b"\n\n  {\"a\":\n1} x", 3));
        let (value, line, column) = window.value().unwrap();
        assert_eq!((value, line, column), (&b"{\"a\":\n1}"[..], 3, 2));
        window.peek().unwrap();
        assert_eq!(window.place(), (4, 4));
    }

    #[test]
    fn what_is_cut_off_has_no_value() {
        for text in ["{\"a\": [1", "\"abc", "\"abc\\", "{", ""] {
            let ended = Window::new(Drops(text.as_bytes(), 2)).value().map(|_| ());
            assert!(matches!(ended, Err(Fault::End)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_value_is_found_whole(
            strings in prop::collection::vec("\\PC*", 0..5), numbers in prop::collection::vec(any::<i32>(), 0..5), drops in 1usize..9,
        ) {
            let one = serde_json::json!({ "strings": strings, "numbers": numbers }).to_string();
            let other = serde_json::to_string_pretty(&serde_json::json!([strings, { "n": numbers }])).unwrap();
            prop_assert_eq!(values(&format!("{one}{other}\n{one}"), drops), [one.clone(), other, one]);
        }
    }
}
