//! Hooks that fail.

use super::{TOOL, notes, psql, sql_file};
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// What a failure before the switch must say.
const SAFE: &str = "the live database was not touched";

/// P10.
pub(super) async fn before_the_swap(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.dump(&shop).await?;
    world.set_version(&shop, 2)?;
    let before = world.checksum(&shop)?;
    let password = world.cluster().password();
    let psql = psql(world);
    let tell = "cat \"$PGPASSFILE\"; echo \"password=$(cut -d: -f5 \"$PGPASSFILE\")\" >&2";
    let ways = [
        ("exits 1", "echo the last words; exit 1".to_owned(), "ended with exit code 1"),
        ("is not there", "no-such-program-anywhere".to_owned(), "ended with exit code 127"),
        ("is killed", "kill -9 $$".to_owned(), "was killed by signal 9"),
        ("hangs", "echo the last words; sleep 1000".to_owned(), "took longer than 2 s"),
        (
            "hangs and ignores signals",
            "trap '' TERM INT; sleep 1000 & wait; sleep 1000".to_owned(),
            "took longer than 2 s",
        ),
        ("hangs in the server", format!("{psql} -c 'SELECT pg_sleep(1000)'"), "took longer than 2 s"),
        ("prints the password", format!("{tell}; exit 3"), "ended with exit code 3"),
    ];
    for point in ["--post-create-hook", "--pre-swap-hook"] {
        // What differs between the points shows in the first of the ways.
        let tried = if point == "--post-create-hook" { 3 } else { ways.len() };
        for (way, line, says) in &ways[..tried] {
            let place = format!("{point}: a hook that {way}");
            let run = world.lastgood(["pg", "restore", &shop, "--confirm-database", &shop, "--hook-timeout", "2s"]);
            // The one after a failed one does not run.
            let output =
                run.arg(point).arg(line.as_str()).arg(point).arg("echo ran >> ran").fails(TOOL).await.within(&place)?;
            let output = output.says(says)?.says(SAFE)?.never_says(password).within(&place)?;
            if line.contains("the last words") {
                output.says("the last words").within(&place)?;
            }
            ensure_eq!(world.checksum(&shop)?, before, "the live database after {place}");
            ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left after {place}");
            ensure_eq!(notes(world, "ran"), "", "hooks after {place}");
        }
    }
    kept(world, &shop).await?;
    // In every form of output, and when all ends well.
    for more in [&[][..], &["--json"], &["-vvv"]] {
        let run = world.lastgood(["pg", "restore", &shop, "--confirm-database", &shop, "--pre-swap-hook", tell]);
        let run = more.iter().fold(run, |run, option| run.arg(*option)).env("LASTGOOD_PROGRESS", "json");
        run.ok().await?.says("password=****")?.never_says(password)?;
    }
    Ok(())
}

/// `--keep-failed` keeps the copy that a hook refused.
async fn kept(world: &World, shop: &str) -> RowResult {
    let before = world.checksum(shop)?;
    let restore = ["pg", "restore", shop, "--confirm-database", shop, "--keep-failed", "--pre-swap-hook", "exit 1"];
    let output = world.lastgood(restore).fails(TOOL).await?;
    let kept = world.leftovers()?;
    ensure_eq!(kept.len(), 1, "copies kept by --keep-failed");
    output.says(&kept[0])?;
    ensure!(world.checksum(&kept[0])? != before, "the kept copy is not what was dumped");
    world.psql("postgres", &format!("DROP DATABASE {}", kept[0]))?;
    Ok(())
}

/// SQL files.
pub(super) async fn sql_files(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.dump(&shop).await?;
    world.set_version(&shop, 2)?;
    let before = world.checksum(&shop)?;
    let password = world.cluster().password();
    let ways = [
        ("has a syntax error", "SELECT 1;\n\nSELEKT 2;".to_owned(), "at line 3: syntax error"),
        ("fails half-way", "UPDATE customers SET version = 7;\nSELECT 1 / 0;".to_owned(), "division by zero"),
        ("hangs", "SELECT pg_sleep(1000)".to_owned(), "took longer than 2 s"),
        (
            "leaves a transaction open",
            "BEGIN; UPDATE customers SET version = 7".to_owned(),
            "leaves a transaction open",
        ),
        ("waits for rows", "COPY customers FROM stdin".to_owned(), "failed"),
        (
            "says the password",
            format!("DO $$BEGIN RAISE NOTICE 'it is {password}'; RAISE 'or {password}'; END$$"),
            "it is ****",
        ),
    ];
    for (way, text, says) in &ways {
        let file = sql_file(world, "hook.sql", text)?;
        let restore =
            ["pg", "restore", &shop, "--confirm-database", &shop, "--hook-timeout", "2s", "--pre-swap-sql", &file];
        let output = world.lastgood(restore).fails(TOOL).await.within(way)?;
        output.says(says)?.says(&file)?.says(SAFE)?.never_says(password).within(way)?;
        ensure_eq!(world.checksum(&shop)?, before, "the live database after a file that {way}");
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left after a file that {way}");
    }
    // Files that cannot be used are known before anything is begun.
    let psqls = sql_file(world, "psql.sql", "\\set x 1\nSELECT :x")?;
    for file in ["/nonexistent/x.sql", ".", &psqls] {
        let restore = ["pg", "restore", &shop, "--confirm-database", &shop, "--post-swap-sql", file];
        world.lastgood(restore).fails(2).await.within(file)?.says(file)?;
        world.lastgood(["pg", "dump", &shop, "-n", "--pre-dump-sql", file]).fails(2).await.within(file)?;
    }
    ensure_eq!(world.checksum(&shop)?, before, "the live database");
    // A statement that cannot be in a transaction, alone in its file; and one whose time is up does not go on.
    let vacuum = sql_file(world, "vacuum.sql", "VACUUM customers")?;
    world.lastgood(["pg", "dump", &shop, "--pre-dump-sql", &vacuum]).ok().await?;
    let sleep = sql_file(world, "sleep.sql", "SELECT pg_sleep(777)")?;
    world.lastgood(["pg", "dump", &shop, "--hook-timeout", "1s", "--pre-dump-sql", &sleep]).fails(TOOL).await?;
    let running =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(777)%' AND pid <> pg_backend_pid()";
    ensure_eq!(world.psql("postgres", running)?.trim(), "0", "statements of a hook whose time was up");
    Ok(())
}

/// Before a dump.
pub(super) async fn before_the_dump(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let good = world.dump(&shop).await?;
    let before = world.place().picture().await?;
    let file = sql_file(world, "bad.sql", "SELEKT")?;
    for options in [
        &["--pre-dump-hook", "exit 1"][..],
        &["--pre-dump-hook", "kill -9 $$"],
        &["--pre-dump-sql", &file],
        &["--pre-dump-hook", "true", "--pre-dump-hook", "sleep 1000", "--hook-timeout", "1s"],
    ] {
        let run = world.lastgood(["pg", "dump", &shop]);
        let run = options.iter().fold(run, |run, option| run.arg(*option));
        run.fails(TOOL).await?.says("nothing was dumped")?;
        ensure_eq!(world.place().picture().await?, before, "the location after {options:?}");
        ensure_eq!(world.keys(&shop).await?, vec![good.clone()], "dumps after {options:?}");
    }
    let missing = ["pg", "dump", "no_such_database", "--pre-dump-hook", "echo ran > ran"];
    world.lastgood(missing).fails(1).await?;
    ensure_eq!(notes(world, "ran"), "", "a hook of a database that is not there");
    // What a hook does is in the dump: it ran before the snapshot, and holds no lock the dump waits for.
    let psql = psql(world);
    let change = format!("{psql} -c 'UPDATE customers SET version = 9'");
    let output = world.lastgood(["pg", "dump", &shop, "--pre-dump-hook", &change, "--json"]).ok().await?;
    ensure_eq!(output.json()?["hooks"][0]["point"].as_str(), Some("pre-dump"), "the hook in the report");
    let copy = world.name("copy");
    world.lastgood(["pg", "restore", &shop, "--into", &copy]).ok().await?;
    ensure_eq!(world.psql(&copy, "SELECT DISTINCT version FROM customers")?.trim(), "9", "the dumped version");
    Ok(())
}

/// After the switch.
pub(super) async fn after_the_switch(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let dumped = world.checksum(&shop)?;
    world.dump(&shop).await?;
    let file = sql_file(world, "bad.sql", "SELEKT")?;
    for options in [
        &["--post-swap-hook", "echo the last words; exit 5"][..],
        &["--post-swap-sql", &file],
        &["--post-swap-hook", "sleep 1000", "--hook-timeout", "1s"],
        // Whoever throws the server's connections out is told so, and the restore stays.
        &["--post-swap-hook", "kill -9 $$"],
    ] {
        world.set_version(&shop, 2)?;
        let run = world.lastgood(["pg", "restore", &shop, "--confirm-database", &shop, "--json"]);
        let run = options.iter().fold(run, |run, option| run.arg(*option));
        let output = run.fails(TOOL).await?.says("was not undone")?;
        let report = output.json()?;
        ensure_eq!(report["replaced"].as_bool(), Some(true), "the report after {options:?}");
        ensure_eq!(report["hook_failure"]["point"].as_str(), Some("post-swap"), "the failure after {options:?}");
        ensure_eq!(world.checksum(&shop)?, dumped, "the live database after {options:?}");
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left after {options:?}");
    }
    let psql = psql(world);
    let live = format!("{psql} -c 'SELECT current_database()' > where");
    world.lastgood(["pg", "restore", &shop, "--confirm-database", &shop, "--post-swap-hook", &live]).ok().await?;
    ensure_eq!(notes(world, "where").trim(), shop, "the database of a hook after the switch");
    Ok(())
}
