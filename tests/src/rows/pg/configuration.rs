//! What stands in the configuration file is what is done.

use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};

use rustix::fs::{CWD, FileType, Mode};

use crate::harness::failure::Within as _;
use crate::harness::{Failure, RowResult, World};
use crate::{ensure, ensure_eq};

fn write(world: &World, text: &str) -> RowResult {
    let path = world.folder().join("lastgood.toml");
    std::fs::write(&path, text)?;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?)
}

/// Excluded tables of the file, of the configuration and of the command line add up; the rest is overridden.
pub(super) async fn takes_effect(world: &World) -> RowResult {
    let shop = world.create("shop")?;
    let copy = world.name("copy");
    let tables = "CREATE TABLE kept (i int); CREATE TABLE of_all (i int); CREATE TABLE of_nightly (i int); \
                  CREATE TABLE typed (i int); CREATE TABLE typed_too (i int); CREATE TABLE emptied (i int); \
                  INSERT INTO emptied VALUES (1); INSERT INTO kept VALUES (1)";
    world.psql(&shop, tables)?;
    let cluster = world.cluster();
    let (host, port, user) = (cluster.host(), cluster.port(), cluster.superuser());
    write(
        world,
        &format!(
            "[pg]\nurl = \"host={host} port={port} user={user}\"\napplication-name = \"from the file\"\n\
             exclude-table = [\"of_all\"]\nstatement-timeout = \"1h\"\n[pg.configs.nightly]\n\
             exclude-table = [\"of_nightly\"]\nexclude-table-data = [\"emptied\"]\njobs = 1\n"
        ),
    )?;
    let dump = world.lastgood(["pg", "dump", &shop, "--config", "nightly"]);
    // The server of the file counts where no variable names one.
    let dump = dump.env("PGHOST", "").env("PGPORT", "").env("PGUSER", "");
    let plan = ["--exclude-table", "typed", "--exclude-table", "typed_too", "-n", "--json"];
    let planned = plan.iter().fold(dump, |dump, option| dump.arg(*option)).ok().await?.json()?;
    ensure_eq!(planned["jobs"], 1, "jobs of the plan");
    let names =
        |value: &serde_json::Value| -> Vec<String> { serde_json::from_value(value.clone()).unwrap_or_default() };
    let left_out = ["public.of_all", "public.of_nightly", "public.typed", "public.typed_too"];
    ensure_eq!(names(&planned["excluded"]), left_out, "tables the plan leaves out");
    ensure_eq!(names(&planned["emptied"]), ["public.emptied"], "tables the plan empties");

    let typed =
        ["pg", "dump", &shop, "--config", "nightly", "--exclude-table", "typed", "--exclude-table", "typed_too"];
    world.lastgood(typed).env("PGHOST", "").env("PGPORT", "").env("PGUSER", "").ok().await?;
    world.lastgood(["pg", "restore", &shop, "--config", "nightly", "--into", &copy]).ok().await?;
    let there = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    ensure_eq!(world.psql(&copy, there)?, "emptied kept", "tables of the copy");
    ensure_eq!(world.psql(&copy, "SELECT count(*) FROM emptied")?, "0", "rows of the emptied table");
    Ok(())
}

/// Hooks of `[pg.configs.NAME]` run at dump and restore under that name, and those of the command line behind them.
pub(super) async fn hooks(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.psql(&shop, "CREATE TABLE log (id serial PRIMARY KEY, what text, place text)")?;
    let add = |what: &str| format!("INSERT INTO log (what, place) VALUES ('{what}', current_database())");
    for what in ["a", "b", "d"] {
        std::fs::write(world.folder().join(format!("{what}.sql")), add(what))?;
    }
    let psql = world.cluster().bin_dir().join("psql");
    let command = format!("'{}' -XAtq -c \"{}\"", psql.display(), add("c"));
    let hooks = format!("pre-dump = [{{ sql = \"a.sql\" }}]\npre-swap = [{{ command = '''{command}''' }}]");
    write(world, &format!("[pg.configs.nightly]\n{hooks}\n"))?;
    let logged = |database: &str| {
        world.psql(database, "SELECT coalesce(string_agg(what || ':' || place, ' ' ORDER BY id), '') FROM log")
    };

    world.lastgood(["pg", "dump", &shop]).ok().await?;
    ensure_eq!(logged(&shop)?, "", "hooks that ran under another configuration");
    let dump = ["pg", "dump", &shop, "--config", "nightly", "--pre-dump-sql", "b.sql", "--json"];
    let dumped = world.lastgood(dump).ok().await?.json_lines()?.pop().unwrap_or_default();
    let key = dumped["key"].as_str().unwrap_or_default();
    ensure_eq!(logged(&shop)?, format!("a:{shop} b:{shop}"), "hooks of the dump");

    let (with, without) = (world.name("with"), world.name("without"));
    let restore = ["pg", "restore", key, "--config", "nightly", "--into", &with, "--pre-swap-sql", "d.sql"];
    let report = world.lastgood(restore).arg("--json").ok().await?.json()?;
    ensure_eq!(report["hooks"].as_array().map(Vec::len), Some(2), "hooks in the report");
    let places = world.psql(&with, "SELECT DISTINCT place FROM log WHERE what IN ('c', 'd')")?;
    ensure!(places.starts_with("lastgood_") && !places.contains('\n'), "hooks before the swap ran on {places}");
    let expected = format!("a:{shop} b:{shop} c:{places} d:{places}");
    ensure_eq!(logged(&with)?, expected, "what the dump brought and the hooks of the restore");
    world.lastgood(["pg", "restore", key, "--into", &without]).ok().await?;
    ensure_eq!(logged(&without)?, format!("a:{shop} b:{shop}"), "a restore under another configuration");
    ensure_eq!(logged(&shop)?, format!("a:{shop} b:{shop}"), "the source");
    Ok(())
}

/// Sessions carry the name that was asked for, and no statement outlives its limit.
pub(super) async fn sessions(world: &World) -> RowResult {
    let shop = world.create("shop")?;
    // What the restore's own session sees when it fills it.
    world.psql(&shop, "CREATE MATERIALIZED VIEW who AS SELECT current_setting('application_name') AS name, current_setting('statement_timeout') AS timeout")?;
    write(world, "[pg]\napplication-name = \"from the file\"\nstatement-timeout = \"5m\"\n")?;
    world.lastgood(["pg", "dump", &shop, "--allow-empty"]).ok().await?;
    let restored = async |name: &str, variables: &[(&str, &str)], options: &[&str]| -> RowResult<String> {
        let copy = world.name(name);
        let command = options.iter().fold(world.lastgood(["pg", "restore", &shop, "--into", &copy]), |c, o| c.arg(*o));
        variables.iter().fold(command, |command, (name, value)| command.env(*name, *value)).ok().await?;
        world.psql(&copy, "SELECT name, timeout FROM who")
    };
    ensure_eq!(restored("a", &[], &[]).await?, "from the file|5min", "the session that refreshed");
    let named = restored("b", &[("PGAPPNAME", "cron")], &["--statement-timeout", "0"]).await?;
    ensure_eq!(named, "cron|0", "the session that refreshed under PGAPPNAME");
    Ok(())
}

/// A statement that takes too long ends the run, and a lock that does not come does.
pub(super) async fn limits(world: &World) -> RowResult {
    let shop = world.create("shop")?;
    world.psql(&shop, "CREATE TABLE t (i int); INSERT INTO t SELECT generate_series(1, 10)")?;
    let slow = "CREATE MATERIALIZED VIEW napping AS SELECT count(*) FROM t, pg_sleep(3) s";
    world.psql(&shop, slow)?;
    let key = world.dump(&shop).await?;
    let before = world.databases()?;
    let restore = ["pg", "restore", &key, "--into", "never", "--statement-timeout", "500ms"];
    world.lastgood(restore).fails(1).await?.says("statement timeout")?;
    ensure_eq!(world.databases()?, before, "databases after a restore that took too long");
    let client = world.connect(&shop).await?;
    client.batch_execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE").await?;
    world.lastgood(["pg", "dump", &shop, "--lock-timeout", "200ms"]).fails(1).await?.says("--lock-timeout")?;
    write(world, "[pg]\nlock-timeout = \"200ms\"\n")?;
    world.lastgood(["pg", "dump", &shop]).fails(1).await?.says("--lock-timeout")?;
    ensure_eq!(world.keys(&shop).await?, vec![key], "dumps");
    client.batch_execute("ROLLBACK").await?;
    Ok(())
}

/// Some other user.
const NOBODY: u32 = 65_534;

/// A configuration that cannot be used.
const UNUSABLE: i32 = 2;

/// What another user left where a configuration is looked for: a FIFO that is written to, and a link to a file that can be
/// trusted, but whose hooks would then be looked for beside the link.
pub(super) async fn of_strangers(world: &World) -> RowResult {
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::Skipped("files are given to another user only by root".to_owned()));
    }
    let shop = world.sample("shop")?;
    let (folder, ran) = (world.folder(), world.folder().join("ran"));
    let planted = folder.join("lastgood.toml");
    let refused = async |what: &str| -> RowResult {
        for command in [&["pg", "dump", &shop][..], &["pg", "ls"], &["config", "check"]] {
            let output = world.lastgood(command.iter().copied()).fails(UNUSABLE).await.within(what)?;
            output.says("belongs to another user")?;
        }
        ensure!(!ran.exists(), "a hook of another user ran: {what}");
        Ok(())
    };

    let fifo = FileType::Fifo;
    rustix::fs::mknodat(CWD, &planted, fifo, Mode::from_raw_mode(0o600), 0)?;
    chown(&planted, Some(NOBODY), Some(NOBODY))?;
    // Both ends, so that neither side waits for the other.
    let mut writer = std::fs::File::options().read(true).write(true).open(&planted)?;
    std::io::Write::write_all(
        &mut writer,
        format!("[pg]\npre-dump = [{{ command = \"touch '{}'\" }}]\n", ran.display()).as_bytes(),
    )?;
    refused("a FIFO that is written to").await?;
    drop(writer);
    refused("a FIFO that nobody writes to").await?;
    std::fs::remove_file(&planted)?;

    let trusted = folder.join("trusted");
    std::fs::create_dir(&trusted)?;
    let config = trusted.join("lastgood.toml");
    std::fs::write(&config, "[pg]\npre-dump = [{ command = \"./prepare.sh\" }]\n")?;
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600))?;
    let script = folder.join("prepare.sh");
    std::fs::write(&script, format!("#!/bin/sh\ntouch '{}'\n", ran.display()))?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    symlink(&config, &planted)?;
    lchown(&planted, Some(NOBODY), Some(NOBODY))?;
    refused("a link to a file of ours").await?;
    // A link of our own is followed, as ever.
    lchown(&planted, Some(0), Some(0))?;
    world.lastgood(["pg", "dump", &shop]).ok().await?;
    ensure!(ran.exists(), "the hook beside a link of ours did not run");
    Ok(())
}
