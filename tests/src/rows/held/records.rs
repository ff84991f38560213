//! H6 to H10: records and stores as people have them.

use std::time::Duration;

use crate::harness::script::Script;
use crate::harness::{RowResult, SmallDisk, World};
use crate::rows::app::sources::python;
use crate::rows::app::{FIXTURES, read, records};
use crate::{ensure, ensure_eq};

/// Exit codes.
const FAILED: i32 = 1;
const INTEGRITY: i32 = 13;

/// A database whose rows are all in its WAL, and a writer that moves one unit from one account to another, for ever; in between
/// it holds what never was true for anybody else.
const WRITER: &str = r#"
import json, os, random, sqlite3
app = sqlite3.connect('app.db', isolation_level=None)
app.execute('PRAGMA journal_mode = WAL'); app.execute('PRAGMA wal_autocheckpoint = 0')
app.execute('CREATE TABLE accounts (id text PRIMARY KEY, value text)')
app.execute('BEGIN')
for n in range(400): app.execute('INSERT INTO accounts VALUES (?, ?)', (str(n), json.dumps({'id': str(n), 'units': 100, 'fill': 'x' * 2000})))
app.execute('COMMIT'); print(1, flush=True)
parent = os.getppid()
while os.getppid() == parent:
    app.execute('BEGIN IMMEDIATE')
    for n, by in zip(random.sample(range(400), 2), (-1, 1)):
        row = json.loads(app.execute('SELECT value FROM accounts WHERE id = ?', (str(n),)).fetchone()[0]); row['units'] += by
        app.execute('UPDATE accounts SET value = ? WHERE id = ?', (json.dumps(row), str(n)))
    app.execute('COMMIT')
"#;

/// H6.
pub(super) async fn under_writers(world: &World) -> RowResult {
    let _writer = Script::start(world, WRITER, &[])?;
    ensure!(std::fs::metadata(world.folder().join("app.db-wal"))?.len() > 0, "nothing is in the WAL");
    for round in 0..3 {
        let before = std::fs::metadata(world.folder().join("app.db-wal"))?.len();
        world.lastgood(["app", "backup", "--source", "sqlite:app.db"]).ok().await?.says("400 records")?;
        let to = format!("ndjson:out{round}");
        world.lastgood(["app", "restore", "--to", &to]).ok().await?;
        let sum = format!(
            "import json; print(sum(json.loads(line)['units'] for line in open('out{round}/accounts--accounts.json')))"
        );
        ensure_eq!(python(world, &sum)?.as_str(), "40000", "units of all accounts");
        let written = std::fs::metadata(world.folder().join("app.db-wal"))?.len();
        ensure!(written > before, "nobody wrote meanwhile, so that the row shows nothing");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// H7.
pub(super) async fn odd_lines(world: &World) -> RowResult {
    let lone = "{\"id\": \"2\", \"x\": \"\\ud800 \\udfff\"}";
    let text = format!("\r\n{{\"id\": \"1\"}}\r\n\n   \n{lone}\r\n{{\"id\": \"3\"}}");
    records(world, "records", &[("users.json", &text)])?;
    world.lastgood(["app", "backup", "--source", "ndjson:records"]).ok().await?.says("3 records")?;
    world.lastgood(["app", "restore", "--to", "ndjson:out"]).ok().await?;
    let expected = format!("{{\"id\": \"1\"}}\n{lone}\n{{\"id\": \"3\"}}\n");
    ensure_eq!(read(world, "out/users--users.json")?.as_str(), expected.as_str(), "the records");
    world.lastgood(["app", "restore", "--to", "sqlite:out.db"]).ok().await?;
    let value = python(
        world,
        "import sqlite3; print(sqlite3.connect('out.db').execute(\"SELECT value FROM users WHERE id = '2'\").fetchone()[0])",
    )?;
    ensure_eq!(value.as_str(), lone, "the record with lone surrogates in SQLite");
    Ok(())
}

/// H8. A tarball of gludb's has no manifest: only gzip itself can tell.
pub(super) async fn damaged_gzip(world: &World) -> RowResult {
    let name = "Backup_UTC_2026-11-21T03_13_45.696797.tar.gz";
    let whole = std::fs::read(format!("{FIXTURES}/plain/{name}"))?;
    let middle = whole.len() / 2;
    let mut flipped = whole.clone();
    // The checksum stands before the last four bytes, which are the length.
    let at = flipped.len() - 6;
    flipped[at] ^= 1;
    let mut body = whole.clone();
    body[middle] ^= 1;
    for (what, bytes) in [
        ("cut", &whole[..whole.len() - 9]),
        ("cut in the middle", &whole[..middle]),
        ("with another checksum", &flipped[..]),
        ("with another byte", &body[..]),
    ] {
        world.place().write(name, bytes).await?;
        for command in [&["app", "verify"][..], &["app", "restore", name, "--to", "ndjson:out"]] {
            let refused = world.lastgood(command.iter().copied()).fails(INTEGRITY).await;
            refused.map_err(|failure| failure.within(what))?;
        }
        ensure!(!world.folder().join("out").exists(), "{what}: something was restored");
    }
    world.place().write(name, &whole).await?;
    world.lastgood(["app", "restore", name, "--to", "ndjson:out"]).ok().await?;
    Ok(())
}

/// H9.
pub(super) async fn full_disk(world: &World) -> RowResult {
    records(world, "records", &[("users.json", "{\"id\": \"1\"}\n")])?;
    python(
        world,
        "import os\nwith open('records/bulk.json', 'w') as file:\n\
        \x20   for n in range(24): file.write('{\"id\": %d, \"x\": \"%s\"}\\n' % (n, os.urandom(1 << 18).hex()))",
    )?;
    world.lastgood(["app", "backup", "--source", "ndjson:records"]).ok().await?;
    let disk = world.folder().join("disk");
    let _disk = SmallDisk::mount(&disk, 8)?;
    std::fs::write(disk.join("note.txt"), "note")?;
    for target in ["ndjson:disk/out", "sqlite:disk/out.db", "ndjson:disk"] {
        world.lastgood(["app", "restore", "--to", target]).fails(FAILED).await?.says("nothing was restored")?;
        let left: Vec<_> =
            std::fs::read_dir(&disk)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<_, _>>()?;
        ensure_eq!(left, ["note.txt"], "what is on the disk after a restore into {target}");
    }
    Ok(())
}

/// Makes, or compares, a store with odd numbers. Python itself refuses that many digits unless it is told to take them.
const NUMBERS: &str = r#"
import json, math, pickle, sys, types
sys.set_int_max_str_digits(0)
class DictDB: pass
class Table: pass
for name, cls in (('dictdb.storage.database', DictDB), ('dictdb.core.table', Table)):
    for part in ('dictdb', 'dictdb.storage', 'dictdb.core'): sys.modules.setdefault(part, types.ModuleType(part))
    sys.modules[name] = types.ModuleType(name); setattr(sys.modules[name], cls.__name__, cls)
numbers = [10 ** 400, -int('7' * 4300), float('nan'), float('inf'), -0.0, 5e-324]
records = [{'id': n, 'v': v} for n, v in enumerate(numbers)]
def same(found):
    key = lambda v: 'nan' if isinstance(v, float) and math.isnan(v) else repr(v)
    assert [(r['id'], key(r['v'])) for r in found] == [(r['id'], key(r['v'])) for r in records], found
if sys.argv[1] == 'make':
    tables = {'t': {'primary_key': 'id', 'schema': None, 'records': records}}
    json.dump({'tables': tables}, open('made.json', 'w'))
    tables['t']['records'] = [{'id': 1, 'v': int('7' * 5000)}]
    json.dump({'tables': tables}, open('digits.json', 'w'))
else:
    same(json.load(open('back.json'))['tables']['t']['records'])
    table = pickle.load(open('there.pickle', 'rb')).tables['t']
    same(list(table.records.values()))
print('same')
"#;

/// H10.
pub(super) async fn odd_numbers(world: &World) -> RowResult {
    let run = |what: &str| python(world, &NUMBERS.replace("sys.argv[1]", &format!("'{what}'")));
    run("make")?;
    world.lastgood(["dict", "convert", "made.json", "there.pickle"]).ok().await?;
    world.lastgood(["dict", "convert", "there.pickle", "back.json"]).ok().await?;
    ensure_eq!(run("compare")?.as_str(), "same", "the numbers");
    // Python, and so DictDB, reads no more than 4,300 digits from a text.
    world.lastgood(["dict", "convert", "digits.json", "x.pickle"]).fails(INTEGRITY).await?.says("4300 digits")?;
    ensure!(!world.folder().join("x.pickle").exists(), "something was written");
    Ok(())
}
