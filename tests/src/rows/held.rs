//! Situations of public bug reports that were tried and held, so that they stay so. `docs/situations.md` names the row of each.

#[cfg(test)]
mod page;
mod records;
mod signing;
mod wire;

use crate::harness::{Area, Locations, Row};

/// The rows.
#[must_use]
pub fn rows() -> Vec<Row> {
    use Locations::{Folder, S3};
    vec![
        Row::new("H1", "301, a malformed region, 200 with an error inside", Area::Core, S3, |world| {
            Box::pin(wire::odd_answers(world))
        }),
        Row::new(
            "H2",
            "prefixes with `+`, blanks, `%41`, quotes; folder markers; empty pages",
            Area::Core,
            S3,
            |world| Box::pin(wire::odd_names(world)),
        ),
        Row::new(
            "H3",
            "through a proxy, and to a server that refuses checksums it does not know",
            Area::Core,
            S3,
            |world| Box::pin(wire::between(world)),
        ),
        Row::new("H4", "credentials that expire within the run", Area::Core, S3, |world| {
            Box::pin(signing::renewed(world))
        }),
        Row::new("H5", "web identity and assumed roles", Area::Core, S3, |world| Box::pin(signing::roles(world))),
        Row::new("H6", "rows that are only in the WAL, while writers go on", Area::App, Folder, |world| {
            Box::pin(records::under_writers(world))
        }),
        Row::new("H7", "blank lines, CRLF, no last newline, lone surrogates", Area::App, Folder, |world| {
            Box::pin(records::odd_lines(world))
        }),
        Row::new("H8", "gludb's tarball cut, and its checksum flipped", Area::App, Folder, |world| {
            Box::pin(records::damaged_gzip(world))
        }),
        Row::new("H9", "a disk that is full at the restore", Area::App, Folder, |world| {
            Box::pin(records::full_disk(world))
        }),
        Row::new("H10", "10^400, 5,000 digits, NaN through JSON and pickle and back", Area::Dict, Folder, |world| {
            Box::pin(records::odd_numbers(world))
        }),
    ]
}
