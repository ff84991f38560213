//! Reads records, one per line, each of bounded length.

use std::io::{self, BufRead, BufReader, Read};

use crate::error::ObjectResult;
use crate::source::Take;
use crate::tar::read::RECORD_BYTES_MAX;

/// Bytes read at a time.
const READ_BYTES: usize = 256 * 1024;

/// What some editors put before the first character of UTF-8, where it means nothing (RFC 8259, section 8.1: it may be ignored).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Gives each line of `input` that is not blank to `take`. A line too long is given cut, which no record survives.
pub(super) fn each(
    input: impl Read,
    take: &mut Take<'_>,
    unreadable: impl Fn(io::Error) -> crate::ObjectError,
) -> ObjectResult<()> {
    numbered(input, unreadable, &mut |_, record| take(None, record))
}

/// As [`each`], with the number of each line, from 1.
pub(super) fn numbered(
    input: impl Read,
    unreadable: impl Fn(io::Error) -> crate::ObjectError,
    take: &mut dyn FnMut(u64, &[u8]) -> ObjectResult<()>,
) -> ObjectResult<()> {
    let mut input = BufReader::with_capacity(READ_BYTES, input);
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        number += 1;
        let longest = RECORD_BYTES_MAX as u64 + 2;
        if input.by_ref().take(longest).read_until(b'\n', &mut line).map_err(&unreadable)? == 0 {
            return Ok(());
        }
        let record = line.strip_suffix(b"\n").unwrap_or(&line);
        let record = record.strip_suffix(b"\r").unwrap_or(record);
        let record = if number == 1 { record.strip_prefix(BYTE_ORDER_MARK).unwrap_or(record) } else { record };
        if !record.trim_ascii().is_empty() {
            take(number, record)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_numbers_and_lose_a_mark_before_the_first() {
        let mut seen = Vec::new();
        let input = &b"\xef\xbb\xbf{1}\r\n\n \n\xef\xbb\xbf{2}\n{3}"[..];
        let mut take = |number, record: &[u8]| {
            seen.push((number, record.to_vec()));
            Ok(())
        };
        numbered(input, |error| crate::ObjectError::source("read", "x", error), &mut take).unwrap();
        assert_eq!(seen, [(1, b"{1}".to_vec()), (4, b"\xef\xbb\xbf{2}".to_vec()), (5, b"{3}".to_vec())]);
    }
}
