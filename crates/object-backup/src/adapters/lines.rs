//! Reads records, one per line, each of bounded length.

use std::io::{self, BufRead, BufReader, Read};

use crate::error::ObjectResult;
use crate::source::Take;
use crate::tar::read::RECORD_BYTES_MAX;

/// Bytes read at a time.
const READ_BYTES: usize = 256 * 1024;

/// Gives each line of `input` that is not blank to `take`. A line too long is given cut, which no record survives.
pub(super) fn each(
    input: impl Read,
    take: &mut Take<'_>,
    unreadable: impl Fn(io::Error) -> crate::ObjectError,
) -> ObjectResult<()> {
    let mut input = BufReader::with_capacity(READ_BYTES, input);
    let mut line = Vec::new();
    loop {
        line.clear();
        let longest = RECORD_BYTES_MAX as u64 + 2;
        if input.by_ref().take(longest).read_until(b'\n', &mut line).map_err(&unreadable)? == 0 {
            return Ok(());
        }
        let record = line.strip_suffix(b"\n").unwrap_or(&line);
        let record = record.strip_suffix(b"\r").unwrap_or(record);
        if !record.trim_ascii().is_empty() {
            take(None, record)?;
        }
    }
}
