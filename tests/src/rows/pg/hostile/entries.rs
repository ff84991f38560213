//! What `pg_restore` makes of an entry beside its statements, and single files, which hold rows too.

use super::resealed::{replace_part, reseal};
use super::toc::Archive;
use crate::harness::failure::Within as _;
use crate::harness::{Failure, RowResult, World};
use crate::rows::pg::damage::pg_dump;
use crate::{ensure, ensure_eq};

/// Where the parts of an archive are that lead `pg_restore` to a statement which nobody wrote down. Each would give the role
/// `victim` a right that it can be asked for.
fn hostile(genuine: &Archive, victim: &str) -> RowResult<Vec<(&'static str, Vec<u8>)>> {
    let evil = format!("ALTER ROLE {victim} CREATEDB");
    let mut all = Vec::new();

    let mut archive = genuine.clone();
    let id = archive.add("CHECK CONSTRAINT", "c")?.id;
    all.push(("a block of data that is statements", archive.with_block(id, format!("{evil};\n").as_bytes())?));

    let mut archive = genuine.clone();
    let owned = archive.add("FUNCTION", "f()")?;
    owned.made_by = b"CREATE FUNCTION public.f() RETURNS integer LANGUAGE sql AS $$SELECT 1$$;\n".to_vec();
    owned.dropped_by = format!("SET \"ROLE {victim} CREATEDB; --\"").into_bytes();
    owned.owner = b"postgres".to_vec();
    all.push(("an owner that is set by what would drop", archive.bytes()));

    let mut archive = genuine.clone();
    archive.first("ENCODING")?.made_by = b"SET work_mem = 'SJIS'; SET client_encoding = 'UTF8';\n".to_vec();
    let comment = [b"COMMENT ON TABLE public.mark IS E'\x81\\'; ".as_slice(), evil.as_bytes(), b"; --';\n"].concat();
    archive.first("TABLE")?.made_by.extend(comment);
    all.push(("an encoding in the first quotes", archive.bytes()));

    let mut archive = genuine.clone();
    let strings = archive.first("STDSTRINGS")?;
    strings.made_by = b"SET application_name = 'off'; SET standard_conforming_strings = 'on';\n".to_vec();
    strings.dropped_by = b"DROP TABLE public.nothing;".to_vec();
    archive.first("TABLE")?.made_by.extend(format!("SET search_path = '\\' , '; {evil}; --';\n").bytes());
    all.push(("a meaning of backslashes in the first quotes", archive.bytes()));

    let mut archive = genuine.clone();
    let object = archive.add("BLOB", &format!("1 OWNER TO postgres; {evil}; ALTER LARGE OBJECT 1"))?;
    object.dropped_by = b"SELECT pg_catalog.lo_unlink('1');".to_vec();
    object.owner = b"postgres".to_vec();
    all.push(("a large object of another name than a number", archive.bytes()));

    let mut archive = genuine.clone();
    archive.first("TABLE")?.made_by.extend(b"ALTER TABLE public.mark ADD b text;\0");
    all.push(("a string that ends before its end", archive.bytes()));
    Ok(all)
}

fn may_create(world: &World, victim: &str) -> RowResult<String> {
    world.psql("postgres", &format!("SELECT rolcreatedb FROM pg_roles WHERE rolname = '{victim}'"))
}

/// The schema of a dump of ours.
pub(super) async fn of_schemas(world: &World) -> RowResult {
    let (shop, victim) = (world.create("shop")?, world.name("victim"));
    world.psql(&shop, "CREATE TABLE mark AS SELECT 'genuine'::text AS word")?;
    world.psql("postgres", &format!("CREATE ROLE {victim}"))?;
    let key = world.dump(&shop).await?;
    let bytes = world.place().read(&format!("pg/{key}/schema.pgdump")).await?;
    let genuine = Archive::read(&bytes)?;
    ensure!(genuine.bytes() == bytes, "the row does not write archives as `pg_dump` does");
    let copy = world.name("copy");
    let there = world.databases()?;
    let mut all = hostile(&genuine, &victim)?;
    // A line that only newer servers can read is left out, and here it ends a string.
    let mut lines = genuine.clone();
    lines.first("TABLE")?.made_by.extend(
        format!(
            "CREATE VIEW public.v AS SELECT 'x\nALTER TABLE ONLY x ALTER COLUMN y SET (pg_attver=' || (1);\n\
             COMMENT ON TABLE public.mark IS '; ALTER ROLE {victim} CREATEDB; --';\n"
        )
        .bytes(),
    );
    all.push(("a line that is left out for the server", lines.bytes()));
    for (how, archive) in &all {
        replace_part(world, &key, "schema", archive).await?;
        for dry in [true, false] {
            let restore = world.lastgood(["pg", "restore", &key, "--into", &copy]).args(dry.then_some("-n"));
            let output = restore.run().await?;
            ensure!(output.code() != Some(0), "{how}: restored");
        }
        ensure_eq!(may_create(world, &victim)?.trim(), "f", "what the role may do after {how}");
        ensure_eq!(world.databases()?, there, "databases after {how}");
    }
    // The first is an obstacle with a name that lifts it.
    replace_part(world, &key, "schema", &all[0].1).await?;
    let restore = ["pg", "restore", &key, "--into", &copy];
    world.lastgood(restore).fails(1).await?.says("--allow-outside commands")?;
    world.lastgood(restore).args(["--allow-outside", "commands"]).ok().await?;
    ensure_eq!(may_create(world, &victim)?.trim(), "t", "what the role may do once it was allowed");
    world.psql("postgres", &format!("DROP ROLE {victim}"))?;
    replace_part(world, &key, "schema", &bytes).await?;
    world.drop_database(&copy)?;
    world.lastgood(restore).ok().await?;
    Ok(())
}

/// A single file, with rows, large objects and sequences, as `pg_dump` of this server writes it.
pub(super) async fn of_files(world: &World) -> RowResult {
    let (shop, victim) = (world.create("shop")?, world.name("victim"));
    world.psql(
        &shop,
        &format!(
            "CREATE ROLE {victim}; CREATE TABLE mark AS SELECT 'genuine'::text AS word; \
             CREATE TABLE \"Odd name\" (id serial, \"a, b\" text); INSERT INTO \"Odd name\" (\"a, b\") VALUES ('x'); \
             CREATE SEQUENCE down INCREMENT -1; SELECT nextval('down'); \
             CREATE MATERIALIZED VIEW words AS SELECT word FROM mark; \
             SELECT lo_from_bytea(0, 'one'); SELECT lo_from_bytea(0, 'two'); SELECT lo_from_bytea(70001, 'three'); \
             COMMENT ON LARGE OBJECT 70001 IS 'it''s'; GRANT SELECT ON LARGE OBJECT 70001 TO {victim}; \
             CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'"
        ),
    )?;
    let genuine = pg_dump(world, &shop)?;
    let key = format!("{shop}/2021-01-02-03-04-05-000002.default.dump");
    let (copy, there) = (world.name("copy"), world.databases()?);
    let restore = ["pg", "restore", &key, "--into", &copy];
    let written = async |bytes: &[u8]| world.place().write(&key, bytes).await;

    // What `pg_dump` writes is restored, and a superuser is told of its functions.
    written(&genuine).await?;
    world.lastgood(restore).ok().await?.says("is a superuser")?;
    let held = "SELECT (SELECT word FROM words) || (SELECT \"a, b\" FROM \"Odd name\") || count(*) FROM pg_largeobject_metadata";
    ensure_eq!(world.psql(&copy, held)?.trim(), "genuinex3", "what the copy holds");
    world.drop_database(&copy)?;

    let archive = Archive::read(&genuine)?;
    ensure!(archive.bytes() == genuine, "the row does not write archives as `pg_dump` does");
    let evil = format!("ALTER ROLE {victim} CREATEDB;\n");
    let mut all = hostile(&archive, &victim)?;
    let mut made = archive.clone();
    made.first("TABLE")?.made_by.extend(evil.bytes());
    all.push(("a statement behind that of a table", made.bytes()));
    let mut copied = archive.clone();
    copied.first("TABLE DATA")?.copied_by = evil.clone().into_bytes();
    all.push(("a statement in the place of COPY", copied.bytes()));
    let mut rows = archive.clone();
    rows.first("TABLE DATA")?.copied_by.clear();
    all.push(("rows that are sent as statements", rows.bytes()));
    let mut set = archive.clone();
    set.first("SEQUENCE SET")?.made_by =
        b"SELECT pg_catalog.setval('public.down', length(pg_read_file('PG_VERSION')), true);".to_vec();
    all.push(("a sequence with a value that is asked for", set.bytes()));
    // From 16 on the header itself is another one, and no layout of before.
    if genuine[6] < 15 {
        all.push(("a layout of before 9.0", [&genuine[..6], &[11], &genuine[7..]].concat()));
    }
    for (how, bytes) in &all {
        written(bytes).await?;
        for dry in [true, false] {
            let restored = world.lastgood(restore).args(dry.then_some("-n")).fails(1).await.within(how)?;
            restored.says("outside of the new database").within(how)?.says("--allow-outside").within(how)?;
        }
        ensure_eq!(may_create(world, &victim)?.trim(), "f", "what the role may do after {how}");
        ensure_eq!(world.databases()?, there, "databases after {how}");
    }
    let made = all.iter().find(|(how, _)| how.starts_with("a statement behind"));
    let (_, made) = made.ok_or_else(|| Failure::new("the row lost its archive"))?;
    written(made).await?;
    world.lastgood(restore).fails(1).await?.says("--allow-outside roles")?;
    world.lastgood(restore).args(["--allow-outside", "roles"]).ok().await?;
    ensure_eq!(may_create(world, &victim)?.trim(), "t", "what the role may do once it was allowed");
    for database in [&copy, &shop] {
        world.drop_database(database)?;
    }
    world.psql("postgres", &format!("DROP ROLE {victim}"))?;
    Ok(())
}

/// Words of a manifest that become words of SQL, and settings that have the server load what is no installed library.
pub(super) async fn of_manifests(world: &World) -> RowResult {
    let (shop, victim) = (world.create("shop")?, world.name("victim"));
    world.psql(&shop, "CREATE TABLE mark AS SELECT 'genuine'::text AS word")?;
    world.psql("postgres", &format!("CREATE ROLE {victim}; GRANT CONNECT ON DATABASE {shop} TO {victim}"))?;
    let key = world.dump(&shop).await?;
    let manifest = format!("pg/{key}/manifest.json");
    let genuine = world.place().read(&manifest).await?;
    let (copy, there) = (world.name("copy"), world.databases()?);
    let restore = ["pg", "restore", &key, "--into", &copy];
    let evil = format!("CONNECT ON DATABASE {shop} TO {victim}; ALTER ROLE {victim} CREATEDB; GRANT CONNECT");
    let grants = serde_json::json!([{"privilege": evil, "grantable": false}]);
    let parameters = serde_json::json!([{"name": "session_preload_libraries", "value": "/tmp/evil.so"}]);
    for (field, value, what) in [("grants", grants, "commands"), ("parameters", parameters, "programs")] {
        world.place().write(&manifest, &genuine).await?;
        reseal(world, &key, |manifest| manifest.detail["database"][field] = value).await?;
        for dry in [true, false] {
            let refused = world.lastgood(restore).args(dry.then_some("-n")).fails(1).await.within(field)?;
            let refused = refused.says("its manifest acts outside of the new database")?;
            refused.says(&format!("--allow-outside {what}"))?;
        }
        ensure_eq!(may_create(world, &victim)?.trim(), "f", "what the role may do");
        ensure_eq!(world.databases()?, there, "databases");
    }
    world.place().write(&manifest, &genuine).await?;
    world.lastgood(restore).ok().await?;
    let may = format!("SELECT has_database_privilege('{victim}', '{copy}', 'CONNECT')");
    ensure_eq!(world.psql("postgres", &may)?.trim(), "t", "a privilege that the dump has");
    for database in [&copy, &shop] {
        world.drop_database(database)?;
    }
    world.psql("postgres", &format!("DROP ROLE {victim}"))?;
    Ok(())
}
