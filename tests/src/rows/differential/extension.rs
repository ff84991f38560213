//! An extension with configuration tables: their definition is the extension's, their rows are the user's.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::compare_copy;
use crate::ensure_eq;
use crate::harness::compare::Picture;
use crate::harness::{Failure, RowResult, World};

/// Tables that refer to each other against the order of their names; one row of the extension's own among the user's.
const SCRIPT: &str = r"
CREATE TABLE z_settings (key text PRIMARY KEY, value text, builtin boolean DEFAULT false);
INSERT INTO z_settings VALUES ('shipped', 'with the extension', true);
CREATE TABLE a_links (id serial PRIMARY KEY, key text REFERENCES z_settings, parent integer REFERENCES a_links);
CREATE TABLE not_dumped (id integer);
SELECT pg_catalog.pg_extension_config_dump('z_settings', 'WHERE NOT builtin');
SELECT pg_catalog.pg_extension_config_dump('a_links', '');
SELECT pg_catalog.pg_extension_config_dump('a_links_id_seq', '');
";

/// Rows of the user's, and a table of the user's that refers to one of the extension's.
const ROWS: &str = r"
INSERT INTO ext.z_settings SELECT 'k' || g, E'v\t' || g FROM generate_series(1, 50) g;
INSERT INTO ext.a_links (key) SELECT 'k' || g FROM generate_series(1, 50) g;
UPDATE ext.a_links SET parent = id - 1 WHERE id > 1;
CREATE TABLE uses (id integer PRIMARY KEY, key text REFERENCES ext.z_settings);
INSERT INTO uses VALUES (1, 'k1'), (2, 'shipped');
";

/// Files of an extension in the server's own folder, gone on drop.
struct Installed {
    name: String,
    files: Vec<PathBuf>,
}

impl Installed {
    /// `more` lines of its control file say what else it is.
    fn new(folder: &Path, more: &str, script: &str) -> std::io::Result<Self> {
        let name = format!("lastgood_acceptance_{}", std::process::id());
        let mut installed = Self { name: name.clone(), files: Vec::new() };
        let control = format!("default_version = '1.0'\nrelocatable = false\n{more}");
        for (suffix, text) in [(".control", control.as_str()), ("--1.0.sql", script)] {
            installed.put(folder, suffix, text)?;
        }
        Ok(installed)
    }

    fn put(&mut self, folder: &Path, suffix: &str, text: &str) -> std::io::Result<()> {
        let file = folder.join(format!("{}{suffix}", self.name));
        fs::write(&file, text)?;
        self.files.push(file);
        Ok(())
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        for file in &self.files {
            // Best effort: what is left is a file of an extension that nobody creates.
            let _ = fs::remove_file(file);
        }
    }
}

/// The server's folder of extensions with ours in it.
fn install(world: &World, script: &str) -> RowResult<(PathBuf, Installed)> {
    install_as(world, "", script)
}

fn install_as(world: &World, more: &str, script: &str) -> RowResult<(PathBuf, Installed)> {
    let shared = world.psql("postgres", "SELECT setting FROM pg_config WHERE name = 'SHAREDIR'")?;
    let folder = PathBuf::from(shared).join("extension");
    let installed = Installed::new(&folder, more, script)
        .map_err(|error| Failure::Skipped(format!("no extension can be put into {}: {error}", folder.display())))?;
    Ok((folder, installed))
}

/// The target's default is older than the source's version, then newer, then there is none at all.
pub(super) async fn other_version(world: &World) -> RowResult {
    let (folder, mut installed) = install(world, SCRIPT)?;
    let name = installed.name.clone();
    installed.put(&folder, "--1.0--1.1.sql", "CREATE TABLE since_1_1 (id integer);")?;
    let version =
        |database: &str| world.psql(database, &format!("SELECT extversion FROM pg_extension WHERE extname = '{name}'"));
    let source = world.create("source")?;
    world.psql(
        &source,
        &format!("CREATE EXTENSION {name} VERSION '1.1'; CREATE TABLE t (id integer); INSERT INTO t VALUES (1)"),
    )?;
    world.lastgood(["pg", "dump", &source]).ok().await?;

    let older = world.name("older");
    let plan = world.lastgood(["pg", "restore", &source, "--into", &older, "-n"]).ok().await?;
    plan.says(&format!("`{name}` is 1.1 in the dump and will be 1.0 in the copy; "))?;
    world.lastgood(["pg", "restore", &source, "--into", &older]).ok().await?;
    ensure_eq!(version(&older)?, "1.0", "the version in a copy");
    let kept = world.name("kept");
    let file = world.folder().join("extensions.sql");
    fs::write(&file, format!("CREATE EXTENSION {name} VERSION '1.1'"))?;
    let file = file.display().to_string();
    world.lastgood(["pg", "restore", &source, "--into", &kept, "--post-create-sql", &file]).ok().await?;
    ensure_eq!(version(&kept)?, "1.1", "the version that a hook made");

    fs::remove_file(folder.join(format!("{name}--1.0--1.1.sql")))?;
    let gone = world.name("gone");
    let restored = world.lastgood(["pg", "restore", &source, "--into", &gone]).ok().await?;
    restored.says("will be 1.0 in the copy: the server does not offer 1.1")?;
    ensure_eq!(world.psql(&gone, "SELECT id FROM t")?, "1", "rows beside an extension of another version");

    fs::remove_file(folder.join(format!("{name}.control")))?;
    let before = world.databases()?;
    let refused = world.lastgood(["pg", "restore", &source, "--into", "nowhere"]).fails(1).await?;
    refused.says(&format!("the server does not offer the extensions `{name}`"))?.says("install")?;
    ensure_eq!(world.databases()?, before, "databases after the refusal");
    Ok(())
}

/// Its rows come back, once, in an order that its foreign keys allow.
pub(super) async fn configuration_rows(world: &World) -> RowResult {
    let (_folder, installed) = install(world, SCRIPT)?;
    let source = world.create("source")?;
    let name = &installed.name;
    world.psql(&source, &format!("CREATE SCHEMA ext; CREATE EXTENSION {name} SCHEMA ext; {ROWS}"))?;
    compare_copy(world, &source).await?;
    // The extension's own row is there once, as the extension made it.
    let shipped = world.psql(&world.name("copy"), "SELECT count(*) FROM ext.z_settings WHERE builtin")?;
    ensure_eq!(shipped, "1", "rows that the extension itself brings");
    Ok(())
}

/// Tables that number their rows by sequences of which the extension says nothing.
const NUMBERED: &str = r"
CREATE TABLE queues (id serial PRIMARY KEY, name text);
CREATE TABLE readers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
CREATE TABLE unused (id serial PRIMARY KEY);
SELECT pg_catalog.pg_extension_config_dump('queues', '');
SELECT pg_catalog.pg_extension_config_dump('readers', '');
SELECT pg_catalog.pg_extension_config_dump('unused', '');
";

/// The next row of a copy gets a number that is not taken.
pub(super) async fn numbers(world: &World) -> RowResult {
    let (_folder, installed) = install(world, NUMBERED)?;
    let source = world.create("source")?;
    let rows = "INSERT INTO ext.queues (name) SELECT 'q' || g FROM generate_series(1, 7) g; DELETE FROM ext.queues WHERE id = 2; \
        INSERT INTO ext.readers (name) SELECT 'r' || g FROM generate_series(1, 3) g; CREATE TABLE t (id integer)";
    world.psql(&source, &format!("CREATE SCHEMA ext; CREATE EXTENSION {} SCHEMA ext; {rows}", installed.name))?;
    compare_copy(world, &source).await?;
    let next = "INSERT INTO ext.queues (name) VALUES ('new') RETURNING id; INSERT INTO ext.readers (name) VALUES ('new') RETURNING id; \
        INSERT INTO ext.unused DEFAULT VALUES RETURNING id";
    ensure_eq!(world.psql(&world.name("copy"), next)?, "8\n4\n1", "the numbers of the next rows");
    Ok(())
}

/// Reference systems that a function of the extension needs, all of them dumped, those that it brings itself too.
const REFERENCES: &str = r"
CREATE TABLE systems (id integer PRIMARY KEY, factor integer NOT NULL, built_in json);
INSERT INTO systems VALUES (1, 10, '{}'), (2, 20, NULL);
SELECT pg_catalog.pg_extension_config_dump('systems', '');
CREATE FUNCTION scaled(v integer, s integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE f integer;
BEGIN
  SELECT factor INTO f FROM @extschema@.systems WHERE id = s;
  IF NOT FOUND THEN RAISE EXCEPTION 'cannot find system %', s; END IF;
  RETURN v * f;
END $$;
";

/// Rows of the user's in the extension's table, which a stored column of the user's needs.
const MEASURED: &str = r"
INSERT INTO ext.systems VALUES (900, 3, '[1]');
CREATE TABLE measured (v integer, s integer GENERATED ALWAYS AS (ext.scaled(v, 900)) STORED);
INSERT INTO measured SELECT generate_series(1, 200);
CREATE TABLE a_large (v integer CHECK (ext.scaled(v, 2) >= 0), note text);
INSERT INTO a_large SELECT g, repeat(md5(g::text), 8) FROM generate_series(1, 20000) g;
";

/// Rows of extensions come before those of users; those that the extension has put there itself are no obstacle.
pub(super) async fn configuration_first(world: &World) -> RowResult {
    let (_folder, installed) = install(world, REFERENCES)?;
    let source = world.create("source")?;
    world.psql(&source, &format!("CREATE SCHEMA ext; CREATE EXTENSION {} SCHEMA ext; {MEASURED}", installed.name))?;
    compare_copy(world, &source).await?;
    // A row that is another one under the same key is not taken for it.
    world.psql(&source, "UPDATE ext.systems SET factor = 11 WHERE id = 1")?;
    let key = world.dump(&source).await?;
    let refused = world.lastgood(["pg", "restore", &key, "--into", &world.name("nowhere")]).fails(1).await?;
    refused
        .says("rows of ext.systems: duplicate key value violates unique constraint")?
        .says("(id)=(1) already exists")?;
    Ok(())
}

/// Writes down every command, into a table whose rows are dumped; fires for us, too, unless it is kept from it.
const WATCHING: &str = r"
CREATE TABLE journal (command text);
SELECT pg_catalog.pg_extension_config_dump('journal', '');
CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
  -- Which the extension would write of itself.
  IF tg_tag <> 'CREATE EXTENSION' THEN
    LOCK TABLE @extschema@.journal IN EXCLUSIVE MODE;
    INSERT INTO @extschema@.journal VALUES (tg_tag);
  END IF;
END $$;
CREATE EVENT TRIGGER {name}_note ON ddl_command_end EXECUTE FUNCTION note();
";

/// The user's own: nobody changes a definition any more.
const FORBIDDING: &str = r"
CREATE FUNCTION forbid() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no changes on Fridays'; END $$;
CREATE EVENT TRIGGER forbid ON ddl_command_start EXECUTE FUNCTION forbid()";

/// Nothing of what a restore does fires an event trigger.
pub(super) async fn event_triggers(world: &World) -> RowResult {
    let name = format!("lastgood_acceptance_{}", std::process::id());
    let (_folder, installed) = install(world, &WATCHING.replace("{name}", &name))?;
    let source = world.create("source")?;
    let tables: String = (1..=12)
        .map(|at| {
            format!(
                "CREATE TABLE t{at} (id integer PRIMARY KEY, a integer, b integer); \
                 INSERT INTO t{at} SELECT g, g, g FROM generate_series(1, 100) g; \
                 CREATE INDEX ON t{at} (a); CREATE INDEX ON t{at} (b); \
                 CREATE MATERIALIZED VIEW v{at} AS SELECT count(*) FROM t{at}; "
            )
        })
        .collect();
    let extension = format!("CREATE SCHEMA ext; CREATE EXTENSION {} SCHEMA ext", installed.name);
    let lone = "CREATE TABLE lone AS SELECT generate_series(1, 10) AS id";
    world.psql(&source, &format!("{extension}; {tables}; {lone}; {FORBIDDING}"))?;
    let journal = "SELECT command, count(*) FROM ext.journal GROUP BY 1 ORDER BY 1";
    let before = world.psql(&source, journal)?;
    ensure_eq!(before.lines().count() >= 4, true, "what the row set up: {before}");
    world.lastgood(["pg", "dump", &source]).ok().await?;
    ensure_eq!(world.psql(&source, journal)?, before, "the journal after a dump");
    for jobs in ["1", "4"] {
        let copy = world.name(&format!("copy_{jobs}"));
        let restore = ["pg", "restore", &source, "--into", &copy, "--jobs", jobs];
        world.lastgood(restore).ok().await?;
        ensure_eq!(world.psql(&copy, journal)?, before, "the journal of a copy, {jobs} jobs");
        let picture = Picture::of(world.cluster(), &source)?;
        picture.expect(&Picture::of(world.cluster(), &copy)?, "the copy")?;
    }
    // Tables that are carried over are made in a copy that has all of them.
    world.psql(
        &source,
        "ALTER EVENT TRIGGER forbid DISABLE; ALTER TABLE lone ADD c integer; ALTER EVENT TRIGGER forbid ENABLE",
    )?;
    let today = world.psql(&source, "SELECT count(*) FROM lone")?;
    let over = ["pg", "restore", &source, "--confirm-database", &source, "--carry-over", "public.lone"];
    world.lastgood(over).ok().await?;
    ensure_eq!(world.psql(&source, journal)?, before, "the journal after tables were carried over");
    ensure_eq!(world.psql(&source, "SELECT count(c IS NULL) FROM lone")?, today, "rows that were carried over");
    Ok(())
}

/// A package of another extension comes and goes: the server cannot even list what it has, for moments.
pub(super) async fn installed_meanwhile(world: &World) -> RowResult {
    let source = world.create("source")?;
    world.psql(&source, "CREATE EXTENSION hstore; CREATE TABLE t AS SELECT 'a=>1'::hstore AS h")?;
    let key = world.dump(&source).await?;
    let (folder, other) = install(world, "SELECT 1")?;
    let files: Vec<PathBuf> = (0..40).map(|at| folder.join(format!("{}_{at}.control", other.name))).collect();
    let busy = Arc::new(AtomicBool::new(true));
    let packages = {
        let (busy, files) = (Arc::clone(&busy), files.clone());
        std::thread::spawn(move || {
            while busy.load(Ordering::Relaxed) {
                for file in &files {
                    // Best effort: the row is about whoever reads the folder meanwhile.
                    let _ = fs::write(file, "default_version = '1.0'\n");
                }
                for file in &files {
                    let _ = fs::remove_file(file);
                }
                // Packages come seldom; a server that fails each time cannot be helped by asking again.
                std::thread::sleep(Duration::from_millis(100));
            }
        })
    };
    let mut planned = Ok(());
    for at in 0..25 {
        let copy = world.name(&format!("copy_{at}"));
        planned = world.lastgood(["pg", "restore", &key, "--into", &copy, "-n"]).ok().await.map(drop);
        if planned.is_err() {
            break;
        }
    }
    busy.store(false, Ordering::Relaxed);
    packages.join().map_err(|_| Failure::Failed("the packages' thread died".into()))?;
    planned
}

/// Looks at every table after a command, as an extension does that watches over its own: whoever alters one meanwhile waits
/// for whoever alters another.
const LOOKING: &str = r"
CREATE FUNCTION look() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE t pg_catalog.regclass;
BEGIN
  IF tg_tag <> 'ALTER TABLE' THEN RETURN; END IF;
  PERFORM pg_catalog.pg_sleep(0.3);
  FOR t IN SELECT oid FROM pg_catalog.pg_class WHERE relkind = 'r' AND relnamespace = 'public'::pg_catalog.regnamespace LOOP
    EXECUTE pg_catalog.format('SELECT FROM %s LIMIT 1', t);
  END LOOP;
END $$;
CREATE EVENT TRIGGER {name}_look ON ddl_command_end EXECUTE FUNCTION look();
";

/// A role without power cannot keep an extension's event trigger from firing, and may create an extension that is trusted.
pub(super) async fn event_triggers_of_others(world: &World) -> RowResult {
    let name = format!("lastgood_acceptance_{}", std::process::id());
    let (_folder, installed) = install_as(world, "trusted = true\n", &LOOKING.replace("{name}", &name))?;
    let source = world.create("source")?;
    let tables: String = (1..=6)
        .map(|at| {
            format!("CREATE TABLE t{at} (id integer); INSERT INTO t{at} SELECT g FROM generate_series(1, 50) g; ALTER TABLE t{at} ADD PRIMARY KEY (id); ")
        })
        .collect();
    let keys = "ALTER TABLE t2 ADD CONSTRAINT to_first FOREIGN KEY (id) REFERENCES t1; COMMENT ON CONSTRAINT t3_pkey ON t3 IS 'the third'";
    world.psql(
        &source,
        &format!("{tables} {keys}; CREATE SCHEMA ext; CREATE EXTENSION {} SCHEMA ext", installed.name),
    )?;
    let key = world.dump(&source).await?;
    let keeper = world.name("keeper");
    world.psql("postgres", &format!("CREATE ROLE {keeper} LOGIN PASSWORD 'pw' CREATEDB"))?;
    let copy = world.name("copy");
    let restore = ["pg", "restore", &key, "--into", &copy, "--jobs", "4", "--no-owner", "--no-acl"];
    let restored = world.lastgood(restore).env("PGUSER", &keeper).env("PGPASSWORD", "pw").ok().await?;
    restored.says("stood in each other's way (deadlock detected)")?;
    let look = "SELECT conrelid::regclass, conname, convalidated, obj_description(oid, 'pg_constraint') FROM pg_constraint \
        WHERE conrelid::regclass::text ~ '^t[1-6]$' AND contype <> 'n' ORDER BY 1, 2; SELECT count(*) FROM t6; SELECT evtenabled FROM pg_event_trigger";
    ensure_eq!(world.psql(&copy, look)?, world.psql(&source, look)?, "keys, rows and the event trigger of the copy");
    Ok(())
}
