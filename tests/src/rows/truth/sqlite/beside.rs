//! W6: journals and logs that belong to a database by name alone.

use std::fmt::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{picture, python, sqlite};
use crate::harness::{RowResult, World};
use crate::rows::app::{keys, records};
use crate::{ensure, ensure_eq};

const RESTORE: [&str; 4] = ["app", "restore", "--to", "sqlite:app.db"];

/// A database of 2,000 records in `old.db`, all of them still in its log, and `app.db-wal` and `app.db-shm` as it leaves them when
/// only it is lost. And in `cut.db` 3,000 records, a change of which was cut off, and its `app.db-journal`.
const LEAVE: &str = r#"
import os, shutil, sqlite3
old = sqlite3.connect('old.db', isolation_level=None)
old.execute('PRAGMA journal_mode = WAL')
old.execute('CREATE TABLE users (id text PRIMARY KEY, value text)')
old.execute('BEGIN')
old.executemany('INSERT INTO users VALUES (?, ?)', [(str(n), '{"id": "%d", "old": 1}' % n) for n in range(2000)])
old.execute('COMMIT')
for end in ['-wal', '-shm']: shutil.copy('old.db' + end, 'kept' + end)
if os.fork() == 0:
    cut = sqlite3.connect('cut.db', isolation_level=None)
    cut.execute('CREATE TABLE users (id text PRIMARY KEY, value text)')
    cut.execute('BEGIN')
    cut.executemany('INSERT INTO users VALUES (?, ?)', [(str(n), '{"id": "%d", "old": 1}' % n) for n in range(3000)])
    cut.execute('COMMIT')
    cut.execute('PRAGMA cache_size = 5')
    cut.execute('BEGIN')
    cut.execute("UPDATE users SET value = json_set(value, '$.old', 2)")
    os.kill(os.getpid(), 9)
os.wait()
shutil.copy('cut.db-journal', 'kept-journal')
"#;

/// A backup of 300 records.
async fn backed_up(world: &World) -> RowResult {
    let mut users = String::new();
    for number in 0..300 {
        writeln!(users, "{{\"id\": \"{number}\", \"new\": 1}}")?;
    }
    records(world, "records", &[("users.json", &users)])?;
    world.lastgood(["app", "backup", "--source", "ndjson:records"]).ok().await?.says("300 records")?;
    Ok(())
}

/// What is in `app.db`, as another build of SQLite sees it.
fn restored(world: &World) -> RowResult<String> {
    let query = "SELECT count(*), sum(json_extract(value, '$.new') IS NOT NULL) FROM users";
    ensure_eq!(sqlite(world, "app.db", "PRAGMA integrity_check")?.as_str(), "ok", "the integrity of the database");
    sqlite(world, "app.db", query)
}

/// W6.
pub(super) async fn refused(world: &World) -> RowResult {
    backed_up(world).await?;
    python(world, LEAVE)?;
    let at = |name: &str| world.folder().join(name);
    for ends in [&["-wal"][..], &["-shm"], &["-journal"], &["-wal", "-shm", "-journal"]] {
        for end in ends {
            std::fs::copy(at(&format!("kept{end}")), at(&format!("app.db{end}")))?;
        }
        let before = picture(world)?;
        for dry in [&["-n"][..], &[]] {
            let mut said =
                world.lastgood(RESTORE).args(dry.iter().copied()).fails(1).await?.says("nothing was restored")?;
            for end in ends {
                said = said.says(&format!("`app.db{end}`"))?;
            }
            said.says("to another name")?;
            ensure!(picture(world)? == before, "something was touched beside {ends:?}");
        }
        world.lastgood(["app", "restore", "--to", "sqlite:other.db"]).ok().await?;
        std::fs::remove_file(at("other.db"))?;
        for end in ends {
            std::fs::remove_file(at(&format!("app.db{end}")))?;
        }
    }
    std::os::unix::fs::symlink("gone.db", at("link.db"))?;
    world
        .lastgood(["app", "restore", "--to", "sqlite:link.db"])
        .fails(2)
        .await?
        .says("a link to a file that is not there")?;
    world.lastgood(RESTORE).ok().await?;
    ensure_eq!(restored(world)?.as_str(), "300|300", "records, and new ones among them");
    Ok(())
}

/// W6-again.
pub(super) async fn appearing(world: &World) -> RowResult {
    backed_up(world).await?;
    python(world, LEAVE)?;
    let at = |name: &str| world.folder().join(name);
    for end in ["-wal", "-journal"] {
        let pause = at("pause");
        let run = world.lastgood(RESTORE).env("LASTGOOD_PAUSE_AT", "app.commit");
        let mut run = run.env("LASTGOOD_PAUSE_FILE", pause.display().to_string()).start()?;
        while !pause.exists() {
            ensure!(!run.has_ended()?, "the restore did not wait before its end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        std::fs::copy(at(&format!("kept{end}")), at(&format!("app.db{end}")))?;
        std::fs::remove_file(&pause)?;
        run.finish().await?.expect_code(1)?.says(&format!("`app.db{end}`"))?.says("nothing was restored")?;
        let files: Vec<String> = picture(world)?.into_keys().collect();
        let ours = |name: &&String| *name == "app.db" || name.starts_with(".lastgood");
        ensure_eq!(files.iter().find(ours), None, "what the refused restore left");
        std::fs::remove_file(at(&format!("app.db{end}")))?;
    }
    Ok(())
}

/// An application with the database open: 2,000 records of which only its log knows.
struct Application(Child);

impl Application {
    async fn start(world: &World) -> RowResult<Self> {
        let script = "import sqlite3, sys\n\
            app = sqlite3.connect('app.db', isolation_level=None)\n\
            app.execute('PRAGMA journal_mode = WAL'); app.execute('PRAGMA wal_autocheckpoint = 0')\n\
            app.execute('CREATE TABLE users (id text PRIMARY KEY, value text)')\n\
            app.execute('BEGIN')\n\
            for n in range(100, 2100): app.execute('INSERT INTO users VALUES (?, ?)', (str(n), '{\"id\": \"%d\"}' % n))\n\
            app.execute('COMMIT')\n\
            open('ready', 'w').close()\n\
            sys.stdin.read()";
        let mut command = Command::new("python3");
        command.args(["-c", script]).current_dir(world.folder()).stdin(Stdio::piped());
        let mut child = command.spawn()?;
        while !world.folder().join("ready").exists() {
            ensure!(child.try_wait()?.is_none(), "the application ended");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(Self(child))
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// W6-live.
pub(super) async fn live(world: &World) -> RowResult {
    backed_up(world).await?;
    let application = Application::start(world).await?;
    let log = || Ok::<_, std::io::Error>(std::fs::metadata(world.folder().join("app.db-wal"))?.len());
    ensure!(log()? > 0, "the application has no log");
    for dry in [&["-n"][..], &[]] {
        let restore = world.lastgood(RESTORE).args(dry.iter().copied());
        restore.fails(1).await?.says("`users` has a record `100` already")?;
    }
    ensure_eq!(restored(world)?.as_str(), "2000|0", "records after a conflict");
    world.lastgood(RESTORE).args(["--on-conflict", "replace"]).ok().await?.says("200 replaced")?;
    ensure_eq!(restored(world)?.as_str(), "2100|300", "records while the application runs");
    drop(application);
    ensure_eq!(restored(world)?.as_str(), "2100|300", "records after it was killed");

    python(world, LEAVE)?;
    let [from, to] = ["cut.db", "app.db"].map(|name| world.folder().join(name));
    for end in ["", "-journal", "-wal", "-shm"] {
        let name = |path: &std::path::Path| format!("{}{end}", path.display());
        let _absent = std::fs::remove_file(name(&to));
        let _absent = std::fs::copy(name(&from), name(&to));
    }
    world.lastgood(RESTORE).args(["--on-conflict", "replace"]).ok().await?.says("300 replaced")?;
    ensure_eq!(restored(world)?.as_str(), "3000|300", "records of a database that was cut off in a change");
    let changed = "SELECT count(*) FROM users WHERE json_extract(value, '$.old') = 2";
    ensure_eq!(sqlite(world, "app.db", changed)?.as_str(), "0", "records of the change that was cut off");
    Ok(())
}

/// W6-source.
pub(super) async fn source(world: &World) -> RowResult {
    python(world, LEAVE)?;
    let before = picture(world)?;
    let refused = world.lastgood(["app", "backup", "--source", "sqlite:cut.db"]).fails(1).await?;
    refused.says("`cut.db` has an unfinished transaction")?.says("cut.db-journal`")?.says("nothing was published")?;
    ensure!(picture(world)? == before, "the refused backup touched something");
    ensure_eq!(keys(world).await?, Vec::<String>::new(), "backups");
    ensure_eq!(sqlite(world, "cut.db", "SELECT count(*) FROM users")?.as_str(), "3000", "records when it was opened");
    world.lastgood(["app", "backup", "--source", "sqlite:cut.db"]).ok().await?.says("3,000 records")?;
    world.lastgood(["app", "cat", "latest", "users"]).ok().await?.never_says("\"old\":2")?.says("\"old\": 1")?;

    // A log that an application left when it was killed is read, and neither it nor the database is written to.
    std::fs::copy(world.folder().join("kept-wal"), world.folder().join("old.db-wal"))?;
    let bytes = |name: &str| std::fs::read(world.folder().join(name));
    let (database, log) = (bytes("old.db")?, bytes("old.db-wal")?);
    world
        .lastgood(["app", "backup", "--source", "sqlite:old.db", "--name", "old"])
        .ok()
        .await?
        .says("2,000 records")?;
    ensure!(bytes("old.db")? == database && bytes("old.db-wal")? == log, "the source was changed");

    // Where an application has left nothing, the backup leaves nothing: it would be in the way of a restore.
    ensure_eq!(sqlite(world, "old.db", "PRAGMA wal_checkpoint(TRUNCATE)")?.as_str(), "0|0|0", "the checkpoint");
    let before = picture(world)?;
    ensure!(!before.contains_key("old.db-wal"), "the application left its log");
    for dry in [&["-n"][..], &[]] {
        let backup = world.lastgood(["app", "backup", "--source", "sqlite:old.db", "--name", "old"]);
        backup.args(dry.iter().copied()).ok().await?;
        ensure!(picture(world)? == before, "the backup left something beside the database");
    }
    Ok(())
}
