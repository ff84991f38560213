//! What hooks are told, and in which order they run.

use super::{notes, psql, sql_file};
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// Every point, commands and files mixed.
pub(super) async fn order(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let psql = psql(world);
    world.psql(&shop, "CREATE TABLE log (id serial PRIMARY KEY, what text, place text)")?;
    let add = |what: &str| format!("INSERT INTO log (what, place) VALUES ('{what}', current_database())");
    let file = |what: &str| sql_file(world, &format!("{what}.sql"), &add(what));
    let command = |what: &str| format!("{psql} -c \"{}\"", add(what));
    let (a, b, c, d) = (command("a"), file("b")?, command("c"), file("d")?);
    let dump = ["pg", "dump", &shop, "--pre-dump-hook", &a, "--pre-dump-sql", &b];
    let dump = [&dump[..], &["--pre-dump-hook", &c, "--pre-dump-sql", &d]].concat();
    let plan = world.lastgood(dump.clone()).arg("-n").ok().await?;
    ensure_eq!(logged(world, &shop)?, "", "hooks that ran in a dry run");
    let at = |text: &str| plan.stdout.find(text).ok_or_else(|| plan.fault(&format!("the plan lacks `{text}`")));
    ensure!(
        at("'a'")? < at("b.sql")? && at("b.sql")? < at("'c'")? && at("'c'")? < at("d.sql")?,
        "the order of the plan"
    );
    world.lastgood(dump).ok().await?;
    ensure_eq!(logged(world, &shop)?, format!("a:{shop} b:{shop} c:{shop} d:{shop}"), "hooks of the dump");

    let (e, f, g, h) = (file("e")?, command("f"), file("g")?, command("h"));
    // There is no table yet when the database has just been created.
    let early =
        format!("{psql} -c 'CREATE EXTENSION plpgsql' 2>/dev/null; echo \"$PGDATABASE $LASTGOOD_HOOK\" >> early");
    let restore = ["pg", "restore", &shop, "--confirm-database", &shop, "--post-swap-hook", &h, "--pre-swap-sql", &e];
    let restore = [&restore[..], &["--post-create-hook", &early, "--pre-swap-hook", &f, "--pre-swap-sql", &g]].concat();
    let plan = world.lastgood(restore.clone()).args(["-n", "--json"]).ok().await?.json()?;
    let planned: Vec<&str> =
        plan["hooks"].as_array().into_iter().flatten().filter_map(|hook| hook["hook"].as_str()).collect();
    ensure_eq!(planned, [&early, &e, &f, &g, &h], "the planned hooks");
    ensure_eq!(notes(world, "early"), "", "hooks that ran in a dry run");
    let report = world.lastgood(restore).arg("--json").ok().await?.json()?;
    ensure_eq!(report["hooks"].as_array().map(Vec::len), Some(5), "hooks in the report");
    let early = notes(world, "early");
    let (temporary, point) = early.trim().split_once(' ').unwrap_or_default();
    ensure!(temporary.starts_with("lastgood_") && point == "post-create", "the first hook ran on {early}");
    let expected = format!("a:{shop} b:{shop} c:{shop} d:{shop} e:{temporary} f:{temporary} g:{temporary} h:{shop}");
    ensure_eq!(logged(world, &shop)?, expected, "hooks of the restore");
    search_path(world, &shop).await
}

fn logged(world: &World, database: &str) -> RowResult<String> {
    let sql = "SELECT string_agg(what || ':' || place, ' ' ORDER BY id) FROM log";
    Ok(world.psql(database, sql)?.trim().to_owned())
}

/// A migration finds what the live database's own search path makes it find.
async fn search_path(world: &World, shop: &str) -> RowResult {
    world.psql(
        shop,
        &format!(
            "CREATE SCHEMA app; CREATE TABLE app.here (id int); ALTER DATABASE {shop} SET search_path = app, public"
        ),
    )?;
    world.dump(shop).await?;
    let file = sql_file(world, "path.sql", "INSERT INTO here VALUES (1)")?;
    world.lastgood(["pg", "restore", shop, "--confirm-database", shop, "--pre-swap-sql", &file]).ok().await?;
    ensure_eq!(world.psql(shop, "SELECT count(*) FROM app.here")?.trim(), "1", "rows of a hook on the search path");
    Ok(())
}

/// Environment and arguments.
pub(super) async fn told(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let key = world.dump(&shop).await?;
    let cluster = world.cluster();
    let password = cluster.password();
    let url = format!("postgresql://{}:{password}@{}:{}/{shop}", cluster.superuser(), cluster.host(), cluster.port());
    let psql = psql(world);
    // Descriptors are closed, as Python's `subprocess` does for its children: the password is found all the same.
    let hook = format!(
        "env | sort > env; tr '\\0' ' ' < /proc/$$/cmdline > cmdline; tr '\\0' ' ' < /proc/$PPID/cmdline >> cmdline; \
         stat -Lc %a \"$PGPASSFILE\" > mode; {psql} -c 'SELECT current_database()' > there; \
         python3 -c 'import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:], close_fds=True))' \
           {psql} -d \"$DATABASE_URL\" -c 'SELECT current_database()' >> there"
    );
    let run = world.lastgood(["pg", "restore", &key, "--confirm-database", &shop, "--pre-swap-hook", &hook]);
    let run = run.env("LASTGOOD_PG_URL", &url).env("DATABASE_URL", &url).env("PGPASSWORD", password);
    // A service that says nothing of its own; what it or its file is called is nothing for a hook.
    let services = world.folder().join("services");
    std::fs::write(&services, "[nowhere]\n")?;
    let run = run.env("PGSERVICE", "nowhere").env("PGSERVICEFILE", services.display().to_string());
    let run = run.env("PGOPTIONS", "-c search_path=nowhere").env("APP_SETTING", "kept");
    let logged = run.env("LASTGOOD_LOG", "trace").ok().await?.never_says(password)?;
    logged.says("lastgood::step: swap.rename")?.says("pg_clone::sql: done statement=\"ALTER DATABASE\"")?;
    let told = notes(world, "env");
    let get = |name: &str| told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let there = notes(world, "there");
    let temporary = there.lines().next().unwrap_or_default();
    ensure!(temporary.starts_with("lastgood_"), "the hook was in `{there}`");
    ensure_eq!(
        there,
        format!("{temporary}\n{temporary}\n"),
        "the database by variables, and by URL without descriptors"
    );
    for (name, value) in [
        ("PGDATABASE", temporary),
        ("PGHOST", cluster.host()),
        ("PGPORT", &cluster.port().to_string()),
        ("PGUSER", cluster.superuser()),
        ("LASTGOOD_HOOK", "pre-swap"),
        ("LASTGOOD_TARGET", &shop),
        ("LASTGOOD_KEY", &key),
        ("APP_SETTING", "kept"),
    ] {
        ensure_eq!(get(name), Some(value), "the hook's {name}");
    }
    ensure_eq!(get("PGOPTIONS"), Some("-c search_path=nowhere"), "the hook's PGOPTIONS");
    for name in ["PGPASSWORD", "PGSERVICE", "PGSERVICEFILE", "LASTGOOD_PG_URL"] {
        ensure_eq!(get(name), None, "the hook's {name}");
    }
    ensure!(
        get("DATABASE_URL").is_some_and(|url| url.ends_with(temporary)),
        "the hook's URL is {:?}",
        get("DATABASE_URL")
    );
    ensure_eq!(notes(world, "mode").trim(), "600", "the mode of the hook's password file");
    let passfile = get("PGPASSFILE").unwrap_or_default();
    ensure!(!std::path::Path::new(passfile).exists(), "`{passfile}` outlived the run");
    for name in ["env", "cmdline"] {
        ensure!(!notes(world, name).contains(password), "the password is in the {name} of a hook");
    }
    if world.place().peer().is_some() {
        ensure!(get("AWS_SECRET_ACCESS_KEY").is_some(), "a hook has no credentials of the store");
        let tell = "echo \"it is $AWS_SECRET_ACCESS_KEY\"";
        let run = world.lastgood(["pg", "dump", &shop, "--pre-dump-hook", tell]);
        run.ok().await.within("AWS")?.says("it is ****")?;
    }
    Ok(())
}
