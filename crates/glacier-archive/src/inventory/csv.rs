//! An inventory in AWS's CSV, which escapes quotes by backslashes and backslashes not at all.
//!
//! So the end of a quoted value is clear only from what follows: it is the last quote after which the line has as many
//! values as it must have. mt-aws-glacier found this out from what AWS sends, and its vectors are tests here.

use std::io::{BufRead, Read as _};

use super::listed::{Inventory, LINE_BYTES_MAX, ListedArchive, Row, damaged};
use crate::error::GlacierResult;

/// Names of the columns, in any order.
const COLUMNS: [&str; 5] = ["ArchiveId", "ArchiveDescription", "CreationDate", "Size", "SHA256TreeHash"];

pub(super) fn read(
    input: impl BufRead,
    mut each: impl FnMut(ListedArchive) -> GlacierResult<()>,
) -> GlacierResult<Inventory> {
    rows(input, |line, row| each(row.archive().map_err(|why| damaged(format!("line {line}: {why}")))?))
}

/// Gives `each` every row with its line's number.
pub(super) fn rows(
    mut input: impl BufRead,
    mut each: impl FnMut(u64, Row) -> GlacierResult<()>,
) -> GlacierResult<Inventory> {
    let (mut columns, mut inventory, mut number) = (None, Inventory::default(), 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = LINE_BYTES_MAX as u64 + 1;
        if input.by_ref().take(limit).read_until(b'\n', &mut line).map_err(damaged)? == 0 {
            break;
        }
        number += 1;
        let wrong = |why: &str| damaged(format!("line {number}: {why}"));
        if line.len() > LINE_BYTES_MAX {
            return Err(wrong("it is too long"));
        }
        let text = std::str::from_utf8(&line).map_err(|_| wrong("it is not UTF-8"))?.trim_end_matches(['\r', '\n']);
        match &columns {
            None => columns = Some(order(text).ok_or_else(|| wrong("it does not name the columns"))?),
            Some(_) if text.is_empty() => {}
            Some(columns) => {
                let values = values(text, COLUMNS.len()).ok_or_else(|| wrong("it does not have five values"))?;
                each(number, row(columns, values))?;
                inventory.archives += 1;
            }
        }
    }
    if columns.is_none() { Err(damaged("it is empty")) } else { Ok(inventory) }
}

impl Row {
    fn archive(self) -> Result<ListedArchive, String> {
        let created = self.created.parse().map_err(|_| format!("`{}` is no time", self.created))?;
        let tree_hash = self.tree_hash.parse().map_err(|_| format!("`{}` is no tree hash", self.tree_hash))?;
        let bytes = self.size.parse().map_err(|_| format!("`{}` is no size", self.size))?;
        if self.id.is_empty() {
            return Err("an archive has no id".to_owned());
        }
        Ok(ListedArchive { id: self.id, description: self.description, created, bytes, tree_hash })
    }
}

/// Which column each value belongs to.
fn order(header: &str) -> Option<Vec<usize>> {
    let column = |name: &str| COLUMNS.iter().position(|column| *column == name.trim().trim_matches('"'));
    let order: Vec<usize> = header.split(',').map(column).collect::<Option<_>>()?;
    (order.len() == COLUMNS.len() && (0..COLUMNS.len()).all(|column| order.contains(&column))).then_some(order)
}

fn row(columns: &[usize], values: Vec<String>) -> Row {
    let mut row = Row::default();
    for (column, value) in columns.iter().zip(values) {
        match column {
            0 => row.id = value,
            1 => row.description = value,
            2 => row.created = value,
            3 => row.size = value,
            _ => row.tree_hash = value,
        }
    }
    row
}

/// The values of a line that must have `count`.
fn values(line: &str, count: usize) -> Option<Vec<String>> {
    let Some(quoted) = line.strip_prefix('"') else {
        let (value, rest) = plain(line)?;
        return with_rest(value, rest, count, values);
    };
    // From the last end that is possible to the first.
    ends(quoted).rev().find_map(|end| {
        let value = quoted[..end].replace("\\\"", "\"");
        with_rest(value, quoted[end + 1..].strip_prefix(','), count, certain)
    })
}

/// The same, where quotes end at the first one that is not escaped: only one value of a line is free text.
fn certain(line: &str, count: usize) -> Option<Vec<String>> {
    let Some(quoted) = line.strip_prefix('"') else {
        let (value, rest) = plain(line)?;
        return with_rest(value, rest, count, certain);
    };
    let end = ends(quoted).find(|end| !quoted[..*end].ends_with('\\'))?;
    with_rest(quoted[..end].replace("\\\"", "\""), quoted[end + 1..].strip_prefix(','), count, certain)
}

/// A value without quotes, and what follows its comma.
fn plain(line: &str) -> Option<(String, Option<&str>)> {
    let (value, rest) = line.split_once(',').map_or((line, None), |(value, rest)| (value, Some(rest)));
    (!value.contains(['"', '\\'])).then(|| (value.trim().to_owned(), rest))
}

fn with_rest(
    value: String,
    rest: Option<&str>,
    count: usize,
    of_rest: fn(&str, usize) -> Option<Vec<String>>,
) -> Option<Vec<String>> {
    let mut whole = vec![value];
    match (count, rest) {
        (1, None) => {}
        (2.., Some(rest)) => whole.extend(of_rest(rest, count - 1)?),
        _ => return None,
    }
    Some(whole)
}

/// Where a quoted value can end: at a quote before a comma or the end of the line.
fn ends(quoted: &str) -> impl DoubleEndedIterator<Item = usize> {
    let can_end = |after: &str| after.is_empty() || after.starts_with(',');
    quoted.match_indices('"').map(|(at, _)| at).filter(move |at| can_end(&quoted[at + 1..]))
}
