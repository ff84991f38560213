//! A11 to A14: databases and folders as people have them.

use std::process::Command;
use std::time::Duration;

use backup_testkit::faults::{Action, Rule};

use super::{read, records};
use crate::harness::{Failure, RowResult, SmallDisk, World};
use crate::{ensure, ensure_eq};

/// Records of the large database: more, compressed, than an upload keeps in memory.
const LARGE_MIB: usize = 160;

/// How long a store keeps a part to itself, and how long a writer of the source waits: much less.
const STORE_MS: u64 = 100_000;
const WRITER_S: u64 = 60;

/// Runs a script of Python in the working directory, and returns what it prints.
pub(crate) fn python(world: &World, script: &str) -> RowResult<String> {
    let run = Command::new("python3").args(["-c", script]).current_dir(world.folder()).output()?;
    ensure!(run.status.success(), "the script failed: {}", String::from_utf8_lossy(&run.stderr));
    Ok(String::from_utf8_lossy(&run.stdout).trim().to_owned())
}

/// A11.
pub(super) async fn odd_databases(world: &World) -> RowResult {
    for encoding in ["UTF-16le", "UTF-16be"] {
        let script = format!(
            "import sqlite3; c = sqlite3.connect('{encoding}.db'); c.execute(\"PRAGMA encoding = '{encoding}'\")\n\
             c.execute('CREATE TABLE users (id text PRIMARY KEY, value text)')\n\
             c.execute('INSERT INTO users VALUES (?, ?)', ('1', '{{\"id\": \"1\", \"name\": \"Zoë\"}}')); c.commit()"
        );
        python(world, &script)?;
        let source = format!("sqlite:{encoding}.db");
        world.lastgood(["app", "backup", "--name", encoding, "--source", &source]).ok().await?.says("1 record")?;
        let restore = ["app", "restore", "--name", encoding, "--to", &format!("ndjson:{encoding}")];
        world.lastgood(restore).ok().await?;
        let restored = read(world, &format!("{encoding}/users--users.json"))?;
        ensure_eq!(restored.as_str(), "{\"id\": \"1\", \"name\": \"Zoë\"}\n", "the record of {encoding}");
    }
    // A generated id, a full-text index with its own tables, and a table of a module that is not there.
    let script = "import sqlite3; c = sqlite3.connect('app.db')\n\
        c.execute(\"CREATE TABLE users (value text, id text GENERATED ALWAYS AS (json_extract(value, '$.id')))\")\n\
        c.execute('INSERT INTO users VALUES (?)', ('{\"id\": \"7\"}',))\n\
        c.execute('CREATE VIRTUAL TABLE docs USING fts5(id, value)'); c.execute('PRAGMA writable_schema = on')\n\
        c.execute(\"INSERT INTO sqlite_schema VALUES ('table', 'near', 'near', 0, 'CREATE VIRTUAL TABLE near USING vec0(a)')\")\n\
        c.commit()";
    python(world, script)?;
    let backup = ["app", "backup", "--name", "app", "--source", "sqlite:app.db"];
    let made = world.lastgood(backup).args(["--json"]).ok().await?;
    let (types, said) = (made.json()?["types"].clone(), made.stderr.clone());
    ensure_eq!(types.as_array().map(Vec::len), Some(1), "types of a database with indexes: {types}");
    ensure_eq!((&types[0]["table"], &types[0]["records"]), (&"users".into(), &1.into()), "the type");
    for expected in
        ["`docs` of the module `fts5` is left out, with the 5 tables", "`near` of the module `vec0` is left out"]
    {
        ensure!(said.contains(expected), "it should say {expected:?}:\n{said}");
    }
    ensure!(!said.contains("docs_"), "tables of the index are told one by one:\n{said}");
    world.lastgood(backup).args(["--type", "users"]).ok().await?;
    world.lastgood(["app", "restore", "--name", "app", "--to", "ndjson:app"]).ok().await?;
    ensure_eq!(read(world, "app/users--users.json")?.as_str(), "{\"id\": \"7\"}\n", "the record with a generated id");
    Ok(())
}

/// A12.
pub(super) async fn writers_go_on(world: &World) -> RowResult {
    let peer = world.place().peer().ok_or_else(|| Failure::new("this row needs the S3 peer"))?;
    let script = format!(
        "import os, sqlite3; c = sqlite3.connect('app.db'); c.execute('CREATE TABLE t (id integer PRIMARY KEY, value text)')\n\
         c.executemany('INSERT INTO t VALUES (?, ?)', ((n, '{{\"id\": %d, \"x\": \"%s\"}}' % (n, os.urandom(1 << 18).hex())) \
         for n in range({})))\nc.commit()",
        LARGE_MIB * 2
    );
    python(world, &script)?;
    peer.faults([Rule::new(Action::Delay { ms: STORE_MS }).on("UploadPart")]);
    let mut backup = world.lastgood(["app", "backup", "--source", "sqlite:app.db"]).start()?;
    for _ in 0..WRITER_S * 20 {
        if peer.state().unfinished > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ensure_eq!(peer.state().unfinished, 1, "uploads begun");
    // The store has not taken anything yet, and will not for long.
    let write = format!(
        "import sqlite3; c = sqlite3.connect('app.db', timeout={WRITER_S}); c.execute(\"INSERT INTO t VALUES (-1, '')\"); c.commit()"
    );
    let folder = world.folder().to_owned();
    let written =
        tokio::task::spawn_blocking(move || Command::new("python3").args(["-c", &write]).current_dir(folder).output());
    let written = written.await.map_err(|error| Failure::new(error.to_string()))??;
    ensure!(written.status.success(), "a writer was kept out: {}", String::from_utf8_lossy(&written.stderr));
    ensure!(!backup.has_ended()?, "the backup ended, so that the row shows nothing");
    ensure!(!peer.log().iter().any(|call| call.op == "UploadPart"), "the store took a part before");
    Ok(())
}

/// A13.
pub(super) async fn no_place_for_a_log(world: &World) -> RowResult {
    let disk = SmallDisk::mount(&world.folder().join("disk"), 8)?;
    let script = "import sqlite3; c = sqlite3.connect('disk/app.db'); c.execute('PRAGMA journal_mode = wal')\n\
                  c.execute('CREATE TABLE t (id, value)'); c.execute(\"INSERT INTO t VALUES ('1', '{\\\"id\\\": \\\"1\\\"}')\")\nc.commit(); c.close()";
    python(world, script)?;
    disk.read_only()?;
    for dry in [&["-n"][..], &[]] {
        let backup = world.lastgood(["app", "backup", "--source", "sqlite:disk/app.db"]).args(dry.iter().copied());
        backup
            .fails(1)
            .await?
            .says("is in WAL mode")?
            .says("`-wal` and `-shm` cannot be created")?
            .says(".backup COPY")?;
    }
    Ok(())
}

/// A14.
pub(super) async fn odd_folders(world: &World) -> RowResult {
    let marked = "\u{feff}{\"id\": 1}\n\n{\"id\": 2}\n";
    records(world, "records", &[("user.json", marked), ("User.JSON", "x"), ("old.json.gz", "x")])?;
    std::fs::create_dir(world.folder().join("records/more"))?;
    let backup = ["app", "backup", "--source", "ndjson:records"];
    let made = world.lastgood(backup).ok().await?;
    made.says("the file `User.JSON` is left out")?
        .says("the file `old.json.gz` is left out")?
        .says("the folder `more`")?;
    world.lastgood(["app", "restore", "--to", "ndjson:out"]).ok().await?;
    ensure_eq!(read(world, "out/user--user.json")?.as_str(), "{\"id\": 1}\n{\"id\": 2}\n", "records behind a mark");

    for (text, said) in [
        (
            "{\"id\": 7}\n\n{\"id\": 8}\n{\"id\": 7}\n",
            "line 4 of `user--user` cannot be backed up: its id 7 is also that of line 1",
        ),
        (
            "{\"id\": 7}\n{\"id\": \"7\"}\n",
            "line 2 of `user--user` cannot be backed up: its id \"7\" and the id 7 of line 1",
        ),
    ] {
        std::fs::write(world.folder().join("records/user.json"), text)?;
        for dry in [&["-n"][..], &[]] {
            world.lastgood(backup).args(dry.iter().copied()).fails(1).await?.says(said)?;
        }
    }
    std::fs::write(
        world.folder().join("records/user.json"),
        b"\xff\xfe{\x00\"\x00i\x00d\x00\"\x00:\x001\x00}\x00\n\x00",
    )?;
    world.lastgood(backup).fails(1).await?.says("UTF-16 by its byte order mark")?;
    Ok(())
}
