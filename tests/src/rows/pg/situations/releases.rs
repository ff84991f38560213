//! What servers and clients of different releases make of each other.

use std::process::Command;
use std::sync::Arc;

use backup_testkit::postgres::{Cluster, ClusterOptions, Install, Programs};

use crate::harness::failure::Within as _;
use crate::harness::world::cluster_options;
use crate::harness::{Failure, RowResult, World};
use crate::{ensure, ensure_eq};

/// The folder of the clients of this major version; the row is skipped where there are none.
fn clients(major: u32) -> RowResult<String> {
    let all = Install::all();
    let found = all.iter().rev().find(|install| install.has_clients && install.major == major);
    let found = found.ok_or_else(|| Failure::Skipped(format!("there are no clients of PostgreSQL {major} here")))?;
    Ok(found.bin_dir.display().to_string())
}

/// A publication where the server writes too little for it: the server warns, from 13 on, and does it. Servers and clients
/// of 13 are not everywhere.
pub(super) async fn warnings(world: &World) -> RowResult {
    hands_on(&world.on_version(14)?, 14).await?;
    match (clients(13), world.on_version(13)) {
        (Ok(_), Ok(world)) => hands_on(&world, 13).await,
        _ => Ok(()),
    }
}

async fn hands_on(world: &World, client: u32) -> RowResult {
    let bin = clients(client)?;
    let source = world.create("source")?;
    world.psql(
        &source,
        "CREATE TABLE t (i integer PRIMARY KEY); INSERT INTO t VALUES (1); CREATE PUBLICATION p FOR TABLE t",
    )?;
    world.lastgood(["pg", "dump", &source, "--pg-bin", &bin]).ok().await?;
    let copy = world.name("copy");
    let restored = world.lastgood(["pg", "restore", &source, "--into", &copy, "--pg-bin", &bin]).ok().await?;
    restored.says("wal_level is insufficient to publish logical changes")?;
    ensure_eq!(world.psql(&copy, "SELECT pubname FROM pg_publication")?, "p", "the publication");
    Ok(())
}

/// An identity sequence of an unlogged table, and a subscription that nobody connects.
const OF_14: &str = "CREATE UNLOGGED TABLE cache (id integer GENERATED ALWAYS AS IDENTITY, v text); \
    INSERT INTO cache (v) VALUES ('x'), ('y'); \
    CREATE SUBSCRIPTION s CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE)";

/// The schema archives of newer clients hold what 15 and older do not know.
pub(super) async fn newer_clients(world: &World) -> RowResult {
    for (server, newer) in [(12, [15, 16, 18].as_slice()), (14, &[15, 16, 18]), (15, &[16, 18])] {
        let majors: Vec<u32> = newer.iter().copied().filter(|major| clients(*major).is_ok()).collect();
        ensure!(!majors.is_empty(), "there are no clients here that are newer than {server}");
        by_newer_clients(&world.on_version(server)?, server, majors).await.within(&format!("a server of {server}"))?;
    }
    Ok(())
}

async fn by_newer_clients(world: &World, server: u32, majors: Vec<u32>) -> RowResult {
    let source = world.create("source")?;
    world.psql(&source, OF_14)?;
    for major in majors {
        let bin = clients(major)?;
        let dumped = world.lastgood(["pg", "dump", &source, "--pg-bin", &bin, "--json"]).ok().await?;
        let dumped = dumped.says(&format!("PostgreSQL {server} does not know"))?;
        let dumped = dumped.says(&format!("dump with the programs of version {server}"))?;
        let key = dumped.json()?["key"].as_str().unwrap_or_default().to_owned();
        let copy = world.name(&format!("by_{major}"));
        world.lastgood(["pg", "restore", &key, "--into", &copy, "--pg-bin", &bin]).ok().await?;
        let next = "INSERT INTO cache (v) VALUES ('z') RETURNING id";
        ensure_eq!(world.psql(&copy, next)?, "3", "the next identity by clients of {major}");
        let kind =
            "SELECT string_agg(relpersistence::text, '' ORDER BY relname) FROM pg_class WHERE relname LIKE 'cache%'";
        ensure_eq!(world.psql(&copy, kind)?, world.psql(&source, kind)?, "how they are stored, by clients of {major}");
        let copied = world.psql("postgres", "SELECT count(*) FROM pg_subscription")?;
        ensure!(copied != "1", "the subscription is missing by clients of {major}");
        world.psql(&copy, "ALTER SUBSCRIPTION s SET (slot_name = NONE); DROP SUBSCRIPTION s")?;
    }
    Ok(())
}

/// What servers note in columns since November 2026.
const NOTE: &str = "pg_attver";

/// Columns that get such a note, one beside an option of the user's.
const NOTED: &str = "CREATE TABLE t (a integer PRIMARY KEY, c numeric(12, 3)); ALTER TABLE t ALTER a SET (n_distinct = 5); \
    INSERT INTO t SELECT g, g FROM generate_series(1, 20) g; ALTER TABLE t ALTER c TYPE numeric(13, 3)";

/// Options of the columns that are the user's.
const OPTIONS: &str = "SELECT string_agg(option, ' ') FROM pg_attribute, unnest(attoptions) option \
    WHERE attrelid = 't'::regclass AND option NOT LIKE 'pg_attver=%'";

/// A `pg_dump` of the release before writes the note, which servers before refuse: it goes when dumping.
pub(super) async fn notes_of_servers(world: &World) -> RowResult {
    let all = Install::all();
    let knows = |install: &Install, program: &str| {
        let bytes = std::fs::read(install.bin_dir.join(program)).unwrap_or_default();
        bytes.windows(NOTE.len()).any(|window| window == NOTE.as_bytes())
    };
    let mut seen = 0;
    for server in all.iter().filter(|install| install.has_server && knows(install, "postgres")) {
        let mut same = all.iter().filter(|other| other.major == server.major);
        let before = same.find(|other| other.has_server && other.has_clients && !knows(other, "postgres"));
        let Some(before) = before else { continue };
        let there = on(world, server, before)?;
        noted(&there, &on(world, before, before)?, before).await.within(&server.name)?;
        seen += 1;
    }
    if seen == 0 {
        let needed =
            "it takes a server of November 2026 or later and the programs of a release before, of one major version";
        return Err(Failure::Skipped(needed.to_owned()));
    }
    Ok(())
}

/// A server of exactly this installation, and clients of another.
fn on(world: &World, server: &Install, clients: &Install) -> RowResult<World> {
    let programs = Programs { server: server.bin_dir.clone(), client: clients.bin_dir.clone() };
    world.beside(Arc::new(Cluster::start(ClusterOptions { programs: Some(programs), ..cluster_options() })?))
}

async fn noted(there: &World, older: &World, clients: &Install) -> RowResult {
    let bin = clients.bin_dir.display().to_string();
    let source = there.create("source")?;
    there.psql(&source, NOTED)?;
    let mut stock = Command::new(clients.bin_dir.join("pg_dump"));
    stock.arg("--schema-only").env_clear().envs(there.cluster().env()).env("PGDATABASE", &source);
    let written = String::from_utf8_lossy(&stock.output()?.stdout).into_owned();
    ensure!(written.contains(&format!("SET ({NOTE}=")), "stock pg_dump writes no note: {written}");
    there.lastgood(["pg", "dump", &source, "--pg-bin", &bin]).ok().await?;
    let copy = there.name("copy");
    for server in [there, older] {
        server.lastgood(["pg", "restore", &source, "--into", &copy, "--pg-bin", &bin]).ok().await?;
        ensure_eq!(server.psql(&copy, OPTIONS)?, "n_distinct=5", "options of the copy's columns");
        ensure_eq!(server.psql(&copy, "SELECT count(*), sum(c) FROM t")?, "20|210.000", "rows of the copy");
    }
    Ok(())
}

/// A key for people's eyes, between two tables of which one has a trigger.
const UNENFORCED: &str = "CREATE TABLE parent (id integer PRIMARY KEY); \
    CREATE TABLE child (id integer CONSTRAINT noted REFERENCES parent NOT ENFORCED); \
    CREATE TABLE strict (id integer CONSTRAINT kept REFERENCES parent); \
    INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (1), (99); INSERT INTO strict VALUES (2); \
    CREATE FUNCTION same() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'; \
    CREATE TRIGGER same BEFORE INSERT ON parent FOR EACH ROW EXECUTE FUNCTION same()";

/// The plan promises that the rows are replaced, and they are.
pub(super) async fn not_enforced(world: &World) -> RowResult {
    let world = world.on_version(18)?;
    let live = world.create("live")?;
    world.psql(&live, UNENFORCED)?;
    let key = world.dump(&live).await?;
    let copy = world.name("copy");
    world.lastgood(["pg", "restore", &key, "--into", &copy]).ok().await?;
    ensure_eq!(
        world.psql(&copy, "SELECT string_agg(id::text, ' ' ORDER BY id) FROM child")?,
        "1 99",
        "rows of the copy"
    );
    world.psql(&live, "DELETE FROM strict; DELETE FROM parent WHERE id = 2; INSERT INTO child VALUES (3)")?;
    let replace =
        ["pg", "restore", &key, "--into", &live, "--data-only", "--replace-rows", "--confirm-database", &live];
    world.lastgood(replace).arg("-n").ok().await?.never_says("noted")?;
    world.lastgood(replace).ok().await?;
    let rows = "SELECT (SELECT string_agg(id::text, ' ' ORDER BY id) FROM child), (SELECT count(*) FROM parent), \
        (SELECT count(*) FROM strict)";
    ensure_eq!(world.psql(&live, rows)?, "1 99|2|1", "rows put into the live tables");
    let keys = "SELECT string_agg(concat_ws(' ', conname, conenforced, condeferrable), ', ' ORDER BY conname) \
        FROM pg_constraint WHERE contype = 'f'";
    ensure_eq!(world.psql(&live, keys)?, "kept t f, noted f f", "the keys");
    Ok(())
}

/// A trigger that notes down every login, as somebody's audit does.
const LOGIN: &str = "CREATE TABLE logins (at timestamptz DEFAULT now()); \
    CREATE FUNCTION login() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS \
      'BEGIN INSERT INTO public.logins DEFAULT VALUES; END'; \
    CREATE EVENT TRIGGER login ON login EXECUTE FUNCTION login(); ALTER EVENT TRIGGER login ENABLE ALWAYS";

/// Lets nobody of ours in.
const CLOSED: &str = "CREATE FUNCTION closed() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN \
      IF pg_catalog.current_setting('application_name') LIKE 'lastgood%' THEN RAISE EXCEPTION 'closed'; END IF; END $$; \
    CREATE EVENT TRIGGER closed ON login EXECUTE FUNCTION closed()";

/// Where the role may keep them from it, such triggers do not fire for sessions of ours, nor for those of programs.
pub(super) async fn login_trigger(world: &World) -> RowResult {
    for major in [17, 18] {
        let server = world.on_version(major)?;
        logged_in(&server).await.within(&format!("a server of {major}"))?;
        logged_in_without_power(&server).await.within(&format!("a server of {major}, without power"))?;
    }
    Ok(())
}

async fn logged_in(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.psql(&shop, LOGIN)?;
    let count = || world.psql(&shop, "SELECT count(*) FROM logins");
    let alone = count()?.parse::<u32>()?;
    ensure_eq!(count()?.parse::<u32>()?, alone + 1, "logins with one session between");
    let dumped = world.lastgood(["pg", "dump", &shop, "--json", "--jobs", "3"]).ok().await?;
    let dumped = dumped.never_says("event trigger")?;
    ensure_eq!(count()?.parse::<u32>()?, alone + 2, "logins after a dump");
    let key = dumped.json()?["key"].as_str().unwrap_or_default().to_owned();
    let copy = world.name("copy");
    world.lastgood(["pg", "restore", &key, "--into", &copy]).ok().await?;
    let rows = "SELECT (SELECT count(*) FROM logins) - 1";
    ensure_eq!(
        world.psql(&copy, rows)?.parse::<u32>()?,
        alone + 1,
        "logins in the copy, whose trigger notes down ours"
    );
    // A trigger that lets nobody in keeps nobody from restoring.
    world.psql(&shop, CLOSED)?;
    let (closed, quiet) = (world.name("closed"), ("PGOPTIONS", "-c event_triggers=off"));
    world.lastgood(["pg", "dump", &shop]).ok().await?;
    world.lastgood(["pg", "restore", &shop, "--into", &closed]).ok().await?.never_says("cannot be connected to")?;
    world.lastgood(["pg", "drop-local", &closed, "--confirm-database", &closed]).env(quiet.0, quiet.1).ok().await?;
    Ok(())
}

/// Whom a login trigger fires for that may not choose is told.
async fn logged_in_without_power(world: &World) -> RowResult {
    // Without large objects: pg_read_all_data reads none of them.
    let shop = world.create("told")?;
    world.psql(&shop, LOGIN)?;
    world.psql(
        &shop,
        "CREATE ROLE reader LOGIN PASSWORD 'pw' IN ROLE pg_read_all_data; GRANT INSERT ON logins TO reader",
    )?;
    let dump = world.lastgood(["pg", "dump", &shop]).env("PGUSER", "reader").env("PGPASSWORD", "pw");
    dump.ok().await?.says("the event trigger `login` ran at each login")?;
    Ok(())
}

/// What every role could do in `public` up to 14, and nobody said.
pub(super) async fn public_schema(world: &World) -> RowResult {
    for (from, to) in [(14, 16), (12, 18)] {
        let (old, new) = (world.on_version(from)?, world.on_version(to)?);
        closed(&old, &new).await.within(&format!("from {from} to {to}"))?;
    }
    Ok(())
}

async fn closed(old: &World, new: &World) -> RowResult {
    let bin = clients(14)?;
    let source = old.create(&format!("source_{}", old.major()?))?;
    old.psql(&source, "CREATE TABLE t AS SELECT 1 AS i")?;
    old.lastgood(["pg", "dump", &source, "--pg-bin", &bin]).ok().await?;
    let copy = new.name("copy");
    let restored = new.lastgood(["pg", "restore", &source, "--into", &copy]).ok().await?;
    restored.says("every role could create objects in the schema `public`")?;
    // Clients of 15 and newer say who can, and it stays so.
    let newer = clients(16)?;
    old.lastgood(["pg", "dump", &source, "--pg-bin", &newer]).ok().await?;
    let copy = new.name("again");
    let restored = new.lastgood(["pg", "restore", &source, "--into", &copy]).ok().await?;
    restored.never_says("every role could create")?;
    let right = "SELECT has_schema_privilege('pg_monitor', 'public', 'CREATE')";
    ensure_eq!(new.psql(&copy, right)?, "t", "whether everybody can create in `public`");
    Ok(())
}
