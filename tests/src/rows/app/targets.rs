//! A15 to A18: what records are restored into, and tarballs of others.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;

use super::sources::python;
use super::{read, records};
use crate::harness::{RowResult, SmallDisk, World};
use crate::{ensure, ensure_eq};

const BACKUP: [&str; 4] = ["app", "backup", "--source", "ndjson:records"];

const USER: &str = "{\"id\": \"1\", \"name\": \"Zoë\"}\n";

/// What `tar` and others make of a folder of records, in ways that GNU tar reads.
const TARBALLS: &str = r#"
import gzip, io, sys, tarfile
how, path = sys.argv[1:]
record = b'{"id": "1", "name": "Zo\xc3\xab"}\n'
whole = io.BytesIO()
options = {"pax_headers": {"comment": "4b825dc642cb6eb9a060e54bf8d69288fbee4904"}, "format": tarfile.PAX_FORMAT} if how == "global" else {}
with tarfile.open(fileobj=whole, mode="w", **options) as tar:
    if how == "here":
        here = tarfile.TarInfo("./"); here.type = tarfile.DIRTYPE; here.mode = 0o755
        tar.addfile(here)
    member = tarfile.TarInfo("./User--users.json" if how == "here" else "User--users.json"); member.size = len(record)
    tar.addfile(member, io.BytesIO(record))
packed = gzip.compress(whole.getvalue())
open(path, "wb").write(packed + (b"\0" * 3000 if how == "padded" else b""))
"#;

/// A15.
pub(super) async fn folders(world: &World) -> RowResult {
    records(world, "records", &[("User--users.json", USER)])?;
    world.lastgood(BACKUP).ok().await?;
    // A volume, with what a file system keeps at its root.
    let volume = world.folder().join("volume");
    let _disk = SmallDisk::mount(&volume, 8)?;
    std::fs::create_dir(volume.join("lost+found"))?;
    std::fs::write(volume.join("note.txt"), "note")?;
    let into = ["app", "restore", "--to", "ndjson:volume"];
    world.lastgood(into).args(["-n"]).ok().await?;
    world.lastgood(into).ok().await?;
    ensure_eq!(read(world, "volume/User--users.json")?.as_str(), USER, "the records in the volume");
    world.lastgood(into).fails(1).await?.says("User--users.json` already exists")?;
    std::fs::write(volume.join("User--users.json"), "old")?;
    world.lastgood(into).args(["--on-conflict", "replace"]).ok().await?.says("1 replaced")?;
    ensure_eq!(read(world, "volume/User--users.json")?.as_str(), USER, "the records in the volume, replaced");
    let mut left: Vec<_> =
        std::fs::read_dir(&volume)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<_, _>>()?;
    left.sort();
    ensure_eq!(left, ["User--users.json", "lost+found", "note.txt"], "what is in the volume");

    // A folder of somebody else's stays theirs.
    let theirs = world.folder().join("theirs");
    std::fs::create_dir(&theirs)?;
    std::fs::set_permissions(&theirs, std::fs::Permissions::from_mode(0o2750))?;
    std::os::unix::fs::chown(&theirs, Some(65534), Some(65534))?;
    std::fs::set_permissions(&theirs, std::fs::Permissions::from_mode(0o2750))?;
    python(world, ATTRIBUTES)?;
    let listed =
        || python(world, "import os; print({n: os.getxattr('theirs', n) for n in sorted(os.listxattr('theirs'))})");
    let attributes = listed()?;
    ensure!(attributes.contains("posix_acl_default") && attributes.contains("user.note"), "it has {attributes}");
    world.lastgood(["app", "restore", "--to", "ndjson:theirs"]).ok().await?;
    ensure_eq!(listed()?, attributes, "its access control lists and extended attributes");
    let about = std::fs::metadata(&theirs)?;
    ensure_eq!(
        (about.uid(), about.gid(), about.mode() & 0o7777),
        (65534, 65534, 0o2750),
        "owner and mode of the folder"
    );
    ensure_eq!(read(world, "theirs/User--users.json")?.as_str(), USER, "the records in it");
    Ok(())
}

/// Lets one more user in, and notes something.
const ATTRIBUTES: &str = "import os, struct\nnobody = 0xffffffff\n\
    entries = [(1, 7, nobody), (2, 5, 1234), (4, 5, nobody), (16, 5, nobody), (32, 0, nobody)]\n\
    acl = struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *entry) for entry in entries)\n\
    for name in 'access', 'default': os.setxattr('theirs', 'system.posix_acl_' + name, acl)\n\
    os.setxattr('theirs', 'user.note', b'kept')";

/// A16.
pub(super) async fn tables(world: &World) -> RowResult {
    records(world, "records", &[("User--users.json", USER)])?;
    world.lastgood(BACKUP).ok().await?;
    for (table, said) in [
        ("users (id text, value text)", "`users` has neither a primary key nor a unique index on `id`"),
        ("users (id text PRIMARY KEY, value blob) STRICT", "its column `value` takes only BLOB"),
        ("users (id integer PRIMARY KEY, value text, name integer) STRICT", "does not take the record `1`"),
    ] {
        python(
            world,
            &format!(
                "import os, sqlite3\nif os.path.exists('t.db'): os.remove('t.db')\nc = sqlite3.connect('t.db'); c.execute('CREATE TABLE {table}'); c.commit()"
            ),
        )?;
        // A field that is not there has no value of any kind.
        for dry in [&["-n"][..], &[]] {
            let restore = world.lastgood(["app", "restore", "--to", "sqlite:t.db"]).args(dry.iter().copied());
            let refused = restore.fails(1).await?.says(said)?.says("nothing was restored")?;
            ensure!(!refused.stderr.contains("ON CONFLICT"), "raw SQL: {}", refused.stderr);
        }
        ensure_eq!(
            python(
                world,
                "import sqlite3; print(sqlite3.connect('t.db').execute('SELECT count(*) FROM users').fetchone()[0])"
            )?,
            "0",
            "records of a refused restore"
        );
    }
    // What SQLite computes is left to it.
    python(
        world,
        "import os, sqlite3; os.remove('t.db'); c = sqlite3.connect('t.db'); c.execute(\"CREATE TABLE users (value text, id text AS (json_extract(value, '$.id')) UNIQUE)\"); c.commit()",
    )?;
    world.lastgood(["app", "restore", "--to", "sqlite:t.db"]).ok().await?;
    ensure_eq!(
        python(world, "import sqlite3; print(sqlite3.connect('t.db').execute('SELECT id FROM users').fetchone()[0])")?,
        "1",
        "the id that SQLite computes"
    );

    let database = world.create("generated")?;
    world.psql(&database, "CREATE TABLE users (value json, id text GENERATED ALWAYS AS (value ->> 'id') STORED UNIQUE, name text GENERATED ALWAYS AS (value ->> 'name') STORED)")?;
    world.lastgood(["app", "restore", "--to", &format!("postgres:{database}")]).ok().await?;
    ensure_eq!(world.psql(&database, "SELECT id, name FROM users")?.as_str(), "1|Zoë", "what PostgreSQL computes");
    Ok(())
}

/// A17.
pub(super) async fn as_tar_reads_them(world: &World) -> RowResult {
    let key = "Backup_UTC_2026-11-21T03_13_45.tar.gz";
    for how in ["padded", "here", "global"] {
        let path = world.folder().join("made.tar.gz");
        let made = Command::new("python3").args(["-c", TARBALLS, how]).arg(&path).output()?;
        ensure!(made.status.success(), "{how}: {}", String::from_utf8_lossy(&made.stderr));
        let tar = Command::new("tar").args(["-tzf"]).arg(&path).output()?;
        ensure!(tar.status.success(), "GNU tar does not read {how}: {}", String::from_utf8_lossy(&tar.stderr));
        world.place().write(key, &std::fs::read(&path)?).await?;
        let to = format!("ndjson:{how}");
        world.lastgood(["app", "restore", key, "--to", &to]).ok().await?;
        ensure_eq!(read(world, &format!("{how}/User--users.json"))?.as_str(), USER, "the records of {how}");
        world.lastgood(["app", "verify"]).ok().await?;
    }
    // Two records of one id, which gludb could write and no table can hold.
    let twice = "import gzip, io, tarfile\nrecords = b'{\"id\": 1}\\n{\"id\": 2}\\n{\"id\": \"1\"}\\n'; whole = io.BytesIO()\n\
        tar = tarfile.open(fileobj=whole, mode='w'); member = tarfile.TarInfo('User--users.json'); member.size = len(records)\n\
        tar.addfile(member, io.BytesIO(records)); tar.close(); open('made.tar.gz', 'wb').write(gzip.compress(whole.getvalue()))";
    python(world, twice)?;
    world.place().write(key, &std::fs::read(world.folder().join("made.tar.gz"))?).await?;
    let into = ["app", "restore", key, "--to", "sqlite:new.db"];
    for dry in [&["-n"][..], &[]] {
        let refused = world.lastgood(into).args(dry.iter().copied()).fails(1).await?;
        refused.says("the backup itself has the id `1` twice in `User--users`, in its records 1 and 3")?;
    }
    ensure!(!world.folder().join("new.db").exists(), "a database of a refused restore");
    world.lastgood(into).args(["--on-conflict", "replace"]).ok().await?;
    world.lastgood(["app", "restore", key, "--to", "ndjson:twice"]).ok().await?;
    Ok(())
}

/// A18.
pub(super) async fn misplaced(world: &World) -> RowResult {
    records(world, "records", &[("User--users.json", USER)])?;
    let made = world.lastgood(BACKUP).args(["--json"]).ok().await?.json()?;
    let ours = made["key"].as_str().unwrap_or_default().to_owned();
    let tarball = world.place().read(&format!("app/{ours}")).await?;
    let file = "Backup_UTC_2026-11-21T03_13_45.tar.gz";
    // As the store has it.
    world.lastgood(["app", "show", &format!("app/{ours}")]).ok().await?;

    world.place().write(&format!("app/old/{file}"), &tarball).await?;
    world.lastgood(["app", "ls"]).ok().await?.says(&format!("old/{file}"))?;
    std::fs::write(world.folder().join(file), &tarball)?;
    let local = world.folder().join(file).display().to_string();
    for which in [format!("old/{file}"), local, format!("./{file}")] {
        let refused = world.lastgood(["app", "restore", &which, "--to", "ndjson:out"]).fails(1).await?;
        refused.says("is no backup where it is")?.says(&format!("give the key `{file}`"))?;
        ensure!(!world.folder().join("out").exists(), "a refused restore wrote");
    }
    world.place().write(file, &tarball).await?;
    world.lastgood(["app", "restore", file, "--to", "ndjson:out"]).ok().await?;
    ensure_eq!(read(world, "out/User--users.json")?.as_str(), USER, "the records");
    Ok(())
}
