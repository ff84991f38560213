//! `pg hooks`: trying hooks, and the file that comes along.

use super::{TOOL, notes, psql, sql_file};
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// `pg hooks test`.
pub(super) async fn test(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let key = world.dump(&shop).await?;
    world.set_version(&shop, 2)?;
    let before = (world.checksum(&shop)?, world.databases()?, world.place().picture().await?);
    let psql = psql(world);
    let note = format!("echo \"$LASTGOOD_HOOK $LASTGOOD_TARGET $({psql} -c 'SELECT current_database()')\" >> ran");
    let hooks =
        ["--pre-dump-hook", &note, "--post-create-hook", &note, "--pre-swap-hook", &note, "--post-swap-hook", &note];
    let empty = world.lastgood([&["pg", "hooks", "test", &shop][..], &hooks].concat());
    let output = empty.arg("--pre-swap-hook").arg("echo done; echo here").ok().await?;
    output.says("5 hooks")?.says("here")?.says("nothing was swapped")?;
    let ran = notes(world, "ran");
    let lines: Vec<Vec<&str>> = ran.lines().map(|line| line.split(' ').collect()).collect();
    let points: Vec<&str> = lines.iter().map(|line| line[0]).collect();
    ensure_eq!(points, ["pre-dump", "post-create", "pre-swap", "post-swap"], "the hooks that ran");
    for line in &lines {
        ensure!(line[1] == shop && line[2].starts_with("lastgood_"), "a hook ran on {line:?}");
    }
    // On what a dump holds.
    let file = sql_file(
        world,
        "anonymise.sql",
        "UPDATE customers SET name = 'x', version = 5;
        DO $$ BEGIN IF (SELECT count(*) FROM customers WHERE version = 5) <> 500 THEN RAISE 'no rows'; END IF; END $$",
    )?;
    let trial = ["pg", "hooks", "test", "--json", "--pre-swap-sql", &file];
    for from in [&shop, &key] {
        let report = world.lastgood(trial).args(["--from", from]).ok().await?.json()?;
        ensure_eq!(report["key"].as_str(), Some(key.as_str()), "the dump that was tried");
        ensure_eq!(report["hooks"][0]["point"].as_str(), Some("pre-swap"), "the hook that was tried");
    }
    // Without a dump there are no tables, and that is told.
    let failed = world.lastgood(trial).fails(TOOL).await?;
    ensure!(
        failed.json()?["failure"]["what"].as_str().is_some_and(|what| what.contains("customers")),
        "{}",
        failed.stdout
    );
    world.lastgood(["pg", "hooks", "test", "--pre-swap-hook", "sleep 99", "--hook-timeout", "1s"]).fails(TOOL).await?;
    let mut run = world
        .lastgood(["pg", "hooks", "test", "--pre-swap-hook", "echo running; sleep 99"])
        .env("LASTGOOD_PROGRESS", "json")
        .start()?;
    run.wait_for("\"line\":\"running\"").await?;
    run.signal(rustix::process::Signal::TERM)?;
    run.finish().await?.expect_code(143)?;
    let run =
        world.lastgood(["pg", "hooks", "test", "--pre-swap-hook", "true"]).env("LASTGOOD_CRASH_AT", "hook.pre_swap");
    run.run().await?.expect_killed()?;
    world.lastgood(["pg", "recover"]).ok().await?;
    let after = (world.checksum(&shop)?, world.databases()?, world.place().picture().await?);
    ensure_eq!(after, before, "the server and the location");
    Ok(())
}

/// A server that looks like RDS with PostGIS: relations of the administrator's that the dumping role may not read.
const RDS: &str = r#"
CREATE ROLE rds_superuser; CREATE ROLE rdsadmin;
CREATE ROLE master LOGIN PASSWORD 'a:b'; GRANT rds_superuser TO master; GRANT rdsadmin TO master WITH ADMIN OPTION;
CREATE SCHEMA tiger AUTHORIZATION rds_superuser; CREATE SCHEMA topology AUTHORIZATION rds_superuser;
CREATE TABLE tiger.county (gid serial PRIMARY KEY, name text); CREATE SEQUENCE tiger.alone;
CREATE TABLE tiger."we""ird é; drop" (id int); CREATE VIEW topology."A view" AS SELECT * FROM tiger.county;
CREATE TABLE topology.layer (id int) PARTITION BY RANGE (id); CREATE TABLE topology.layer_1 PARTITION OF topology.layer DEFAULT;
ALTER TABLE tiger.county OWNER TO rdsadmin; ALTER SEQUENCE tiger.alone OWNER TO rdsadmin;
ALTER TABLE tiger."we""ird é; drop" OWNER TO rdsadmin; ALTER VIEW topology."A view" OWNER TO rdsadmin;
ALTER TABLE topology.layer OWNER TO rdsadmin; ALTER TABLE topology.layer_1 OWNER TO rdsadmin;
CREATE TABLE public.mine (id int); ALTER TABLE public.mine OWNER TO master;
"#;

/// Owners of everything in those schemas, and how many there are.
const OWNERS: &str = "SELECT string_agg(DISTINCT pg_get_userbyid(relowner)::text, ','), count(*) FROM pg_class \
    WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('tiger', 'topology')) AND relkind IN ('r', \
    'p', 'S', 'v')";

/// `pg hooks rds-prep`.
pub(super) async fn rds_prep(world: &World) -> RowResult {
    let printed = world.lastgood(["pg", "hooks", "rds-prep"]).ok().await?;
    let file = sql_file(world, "rds-prep.sql", &printed.stdout)?;
    // Elsewhere than on RDS it does nothing.
    let plain = world.sample("plain")?;
    world.lastgood(["pg", "dump", &plain, "--pre-dump-sql", &file]).ok().await?;
    let gis = world.create("gis")?;
    world.psql(&gis, RDS)?;
    ensure_eq!(world.psql(&gis, OWNERS)?.trim(), "rdsadmin|7", "owners before");
    let functions = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace";
    let before = world.psql(&gis, functions)?;
    let dump = |options: &[&str]| {
        let passfile = world.folder().join("master.pgpass").display().to_string();
        let run = world.lastgood(["pg", "dump", &gis]).env("PGUSER", "master").env("PGPASSFILE", passfile);
        options.iter().fold(run, |run, option| run.arg(*option))
    };
    let passfile = sql_file(world, "master.pgpass", "*:*:*:*:a\\:b\n")?;
    std::fs::set_permissions(passfile, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    // Twice: what it did once it need not do again.
    for _ in 0..2 {
        dump(&["--pre-dump-sql", &file]).ok().await?;
        ensure_eq!(world.psql(&gis, OWNERS)?.trim(), "rds_superuser|7", "owners after");
    }
    ensure_eq!(world.psql(&gis, functions)?, before, "functions left behind");
    ensure_eq!(
        world.psql(&gis, "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'mine'")?.trim(),
        "master",
        "others' tables"
    );
    Ok(())
}
