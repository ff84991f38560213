//! Archives of schemas that somebody changed, and gave the manifest their digest. What they would do is harmless.

use std::os::unix::fs::PermissionsExt as _;

use super::resealed::replace_part;
use crate::harness::failure::Within as _;
use crate::harness::{Failure, RowResult, World};
use crate::{ensure, ensure_eq};

/// A configuration that cannot be used.
const USAGE: i32 = 2;

/// Beginning of the statements that make the row's table.
const TABLE: &str = "CREATE TABLE public.mark ";

/// The archive with more statements behind those that make the table. A string stands behind its length: a sign, and four
/// bytes, the lowest first.
fn injected(archive: &[u8], statements: &str) -> RowResult<Vec<u8>> {
    const LENGTH_BYTES: usize = 4;
    let at = archive.windows(TABLE.len()).position(|window| window == TABLE.as_bytes());
    let at = at.filter(|at| *at > LENGTH_BYTES).ok_or_else(|| Failure::new("the archive does not make the table"))?;
    let mut length = [0; LENGTH_BYTES];
    length.copy_from_slice(&archive[at - LENGTH_BYTES..at]);
    let end = at + u32::from_le_bytes(length) as usize;
    let made_by = [&archive[at..end], statements.as_bytes()].concat();
    let length = u32::try_from(made_by.len()).map_err(|error| Failure::new(error.to_string()))?;
    Ok([&archive[..at - LENGTH_BYTES], &length.to_le_bytes(), &made_by, &archive[end..]].concat())
}

/// A statement that acts outside stops the restore before anything is made, and is allowed by name.
pub(super) async fn acts_outside(world: &World) -> RowResult {
    let shop = world.create("shop")?;
    world.psql(&shop, "CREATE TABLE mark AS SELECT 'genuine'::text AS word")?;
    let key = world.dump(&shop).await?;
    let genuine = world.place().read(&format!("pg/{key}/schema.pgdump")).await?;
    let (copy, role) = (world.name("copy"), world.name("role"));
    let restore = ["pg", "restore", &key, "--into", &copy];
    // Whatever else is wrong with the way it is changed would stop it too.
    replace_part(world, &key, "schema", &injected(&genuine, "COMMENT ON TABLE public.mark IS 'changed';")?).await?;
    world.lastgood(restore).ok().await.within("a comment on its own table")?;
    world.drop_database(&copy)?;

    let there = world.databases()?;
    let hostile = [
        ("roles", format!("CREATE ROLE {role};")),
        ("roles", format!("/* a */ grant pg_monitor\nto {role};")),
        ("configuration", "ALTER SYSTEM SET log_min_duration_statement = 12345;".to_owned()),
        ("databases", format!("COMMENT ON DATABASE {shop} IS 'x';")),
        ("tablespaces", "CREATE TABLESPACE t LOCATION '/nowhere';".to_owned()),
        ("programs", "COPY public.mark FROM PROGRAM 'echo x';".to_owned()),
        ("programs", "\n\\! true\n".to_owned()),
        ("languages", "CREATE FUNCTION public.f() RETURNS integer LANGUAGE internal AS 'pg_backend_pid';".to_owned()),
        ("languages", "ALTER LANGUAGE internal RENAME TO plv8;".to_owned()),
        ("roles", "CREATE USER mapping SUPERUSER;".to_owned()),
        ("commands", "CREATE SCHEMA e GRANT ALL ON DATABASE postgres TO PUBLIC;".to_owned()),
        ("programs", "ALTER TABLE public.mark OPTIONS (ADD program 'true');".to_owned()),
        ("connections", "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p;".to_owned()),
        ("commands", "DO $$ BEGIN NULL; END $$;".to_owned()),
        ("commands", "SELECT pg_catalog.pg_sleep(0);".to_owned()),
        ("commands", "SET standard_conforming_strings = off;".to_owned()),
    ];
    for (what, statement) in &hostile {
        replace_part(world, &key, "schema", &injected(&genuine, statement)?).await?;
        for dry in [true, false] {
            let refused = world.lastgood(restore).args(dry.then_some("-n")).fails(1).await.within(statement)?;
            let refused = refused.says("outside of the new database")?.says("table public.mark")?;
            refused.says(&format!("--allow-outside {what}"))?;
        }
        ensure_eq!(world.databases()?, there, "databases after {statement}");
        let roles = world.psql("postgres", &format!("SELECT count(*) FROM pg_roles WHERE rolname = '{role}'"))?;
        ensure_eq!(roles.trim(), "0", "roles after {statement}");
    }
    replace_part(world, &key, "schema", &injected(&genuine, &format!("CREATE ROLE {role};"))?).await?;
    world.lastgood(restore).args(["--allow-outside", "languages"]).fails(1).await?.says("--allow-outside roles")?;
    world.lastgood(restore).args(["--allow-outside", "roles"]).ok().await?;
    world.psql("postgres", &format!("DROP ROLE {role}"))?;
    world.drop_database(&copy)?;
    replace_part(world, &key, "schema", &genuine).await?;
    world.lastgood(restore).ok().await?.never_says("superuser")?;

    // Functions do what their caller may.
    world.psql(&shop, "CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'")?;
    let key = world.dump(&shop).await?;
    let told = world.lastgood(["pg", "restore", &key, "--into", &world.name("told")]).ok().await?;
    told.says("is a superuser")?;
    Ok(())
}

/// A setting that was left out is nowhere in the location, and stays where there is one.
pub(super) async fn settings_left_out(world: &World) -> RowResult {
    const SECRET: &str = "not-to-be-seen";
    let shop = world.sample("shop")?;
    world.psql(
        "postgres",
        &format!("ALTER DATABASE {shop} SET app.jwt_secret = '{SECRET}'; ALTER DATABASE {shop} SET work_mem = '7MB'"),
    )?;
    let in_manifest = async |key: &str| -> RowResult<bool> {
        let manifest = world.place().read(&format!("pg/{key}/manifest.json")).await?;
        Ok(String::from_utf8_lossy(&manifest).contains(SECRET))
    };
    let with = world.dump(&shop).await?;
    ensure!(in_manifest(&with).await?, "the row looks for something that is nowhere");
    let dump = ["pg", "dump", &shop, "--exclude-setting", "App.*secret", "--exclude-setting", "nothing.*", "--json"];
    let output = world.lastgood(dump).ok().await?;
    output.says("no setting of the database matches `nothing.*`")?;
    let keys = world.keys(&shop).await?;
    let key = keys.last().ok_or_else(|| Failure::new("there is no dump"))?;
    ensure!(!in_manifest(key).await?, "the manifest holds what was to be left out");
    let copy = world.name("copy");
    let restored = world.lastgood(["pg", "restore", key, "--into", &copy]).ok().await?;
    restored.says("without these settings of the database: app.jwt_secret")?;
    ensure_eq!(world.psql(&copy, "SHOW work_mem")?.trim(), "7MB", "a setting that was not left out");
    // What a configuration leaves out, every dump with it does; what cannot be a name is found before.
    let file = world.folder().join("lastgood.toml");
    let configured = |pattern: &str| -> RowResult {
        std::fs::write(&file, format!("[pg]\nexclude-setting = [\"{pattern}\"]\n"))?;
        Ok(std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?)
    };
    configured("")?;
    world.lastgood(["config", "check"]).fails(USAGE).await?.says("pg.exclude-setting")?;
    configured("app.jwt_*")?;
    let shown = world.lastgood(["config", "show", "--origin", "--json"]).ok().await?;
    shown.says("pg.exclude-setting")?.says("app.jwt_*")?;
    let configured_key = world.dump(&shop).await?;
    ensure!(!in_manifest(&configured_key).await?, "the manifest holds what the configuration leaves out");
    std::fs::remove_file(&file)?;
    let shown = |database: &str| world.psql(database, "SELECT current_setting('app.jwt_secret', true)");
    ensure_eq!(shown(&copy)?.trim(), "", "a setting that was left out");
    world.lastgood(["pg", "restore", key, "--confirm-database", &shop]).ok().await?;
    ensure_eq!(shown(&shop)?.trim(), SECRET, "the live database's own setting");
    Ok(())
}
