//! Reversible restores, local copies, and the way back.

use std::time::{Duration, Instant};

use backup_testkit::postgres::quote_identifier;
use serde_json::Value;

use crate::harness::compare::Picture;
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// The live database and its two copies.
pub(crate) struct Trio {
    pub(crate) live: String,
    pub(crate) previous: String,
    pub(crate) current: String,
}

impl Trio {
    pub(crate) fn of(live: &str) -> Self {
        Self { live: live.to_owned(), previous: format!("{live}__previous"), current: format!("{live}__current") }
    }

    /// What the three hold.
    pub(crate) fn hold(&self, world: &World) -> RowResult<[String; 3]> {
        Ok([world.checksum(&self.live)?, world.checksum(&self.previous)?, world.checksum(&self.current)?])
    }
}

/// P16.
pub(super) async fn reversible(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let trio = Trio::of(&shop);
    let new = world.checksum(&shop)?;
    let key = world.dump(&shop).await?;
    world.set_version(&shop, 2)?;
    let old = world.checksum(&shop)?;
    let restore = ["pg", "restore", &key, "--confirm-database", &shop];
    world
        .lastgood(restore)
        .arg("--reversible")
        .arg("-n")
        .ok()
        .await?
        .says(&format!("`:previous` (`{}`) will be created", trio.previous))?;
    ensure_eq!(world.databases()?, vec![shop.clone()], "databases after a dry run");
    world.lastgood(restore).arg("--reversible").ok().await?.says(&trio.previous)?.says(&trio.current)?;
    ensure_eq!(trio.hold(world)?, [new.clone(), old.clone(), new.clone()], "live, previous, current");

    let undo = ["pg", "restore", ":previous", "--into", &shop];
    world.lastgood(undo).fails(15).await?.says("nothing was changed")?;
    world.lastgood(["pg", "restore", ":previous"]).fails(2).await?.says("--into")?;
    for (round, name) in [":previous", ":pre", ":previous", ":pre"].into_iter().enumerate() {
        let output = world.lastgood(["pg", "restore", name, "--into", &shop, "--confirm-database", &shop]).ok().await?;
        let (live, previous) = if round % 2 == 0 { (&old, &new) } else { (&new, &old) };
        let expected = [live.clone(), previous.clone(), new.clone()];
        ensure_eq!(trio.hold(world)?, expected, "live, previous, current after toggle {round}");
        output.says(&format!("is now `:previous` (`{}`)", trio.previous))?;
    }
    pristine(world, &trio, &new, &old).await?;

    // Without the flag both go, and that is said before and after.
    world
        .lastgood(restore)
        .arg("-n")
        .ok()
        .await?
        .says(&format!("`:previous` (`{}`)", trio.previous))?
        .says("will be dropped")?;
    world.lastgood(restore).ok().await?.says(&format!("`:current` (`{}`) was dropped", trio.current))?;
    ensure_eq!(world.databases()?, vec![shop.clone()], "databases after a restore without --reversible");
    world.lastgood(undo).arg("--confirm-database").arg(&shop).fails(1).await?.says("has no :previous")?;
    ensure_eq!(world.checksum(&shop)?, new, "the database after a refusal");
    Ok(())
}

/// `:current` stays as it was restored, whatever is written later, and however often it is restored.
async fn pristine(world: &World, trio: &Trio, new: &str, old: &str) -> RowResult {
    for (name, version) in [(":current", 3), (":post", 4)] {
        world.set_version(&trio.live, version)?;
        let restore = ["pg", "restore", name, "--into", &trio.live, "--confirm-database", &trio.live, "--reversible"];
        world.lastgood(restore).ok().await?;
        ensure_eq!(trio.hold(world)?, [new, old, new].map(str::to_owned), "live, previous, current after {name}");
        world.set_version(&trio.live, 5)?;
        ensure_eq!(world.checksum(&trio.current)?, new, "`:current` after a write to what was restored from it");
    }
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    Ok(())
}

/// The settings belong to the place: they stay with the live name however often it changes what is behind it.
pub(super) async fn settings(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let (owner, reader) = (world.name("owner"), world.name("reader"));
    world.psql("postgres", &format!("CREATE ROLE {owner}; CREATE ROLE {reader}"))?;
    let key = world.dump(&shop).await?;
    let restore = ["pg", "restore", &key, "--confirm-database", &shop, "--reversible"];
    world.lastgood(restore).ok().await?;
    world.psql("postgres", &format!(
        "ALTER DATABASE {shop} SET work_mem = '7MB'; ALTER ROLE {reader} IN DATABASE {shop} SET statement_timeout = \
         '3s'; \
         ALTER DATABASE {shop} CONNECTION LIMIT 17; ALTER DATABASE {shop} OWNER TO {owner}; REVOKE ALL ON DATABASE \
         {shop} FROM PUBLIC; \
         GRANT CONNECT ON DATABASE {shop} TO {reader} WITH GRANT OPTION; COMMENT ON DATABASE {shop} IS 'the shop''s'"
    ))?;
    let settings = |name: &str| -> RowResult<Vec<String>> {
        Ok(Picture::of(world.cluster(), name)?.parts.remove("settings").unwrap_or_default())
    };
    let wanted = settings(&shop)?;
    ensure!(wanted.iter().any(|line| line.contains("7MB")), "the row set nothing up: {wanted:?}");
    for step in [":previous", ":previous", ":current", ":previous"] {
        world.lastgood(["pg", "restore", step, "--into", &shop, "--confirm-database", &shop]).ok().await?;
        ensure_eq!(settings(&shop)?, wanted, "the settings after {step}");
    }
    // Fewer settings than what comes back has of its own.
    world.psql(
        "postgres",
        &format!(
            "ALTER DATABASE {shop} RESET ALL; ALTER ROLE {reader} IN DATABASE {shop} RESET ALL; COMMENT ON DATABASE \
         {shop} IS NULL; \
         REVOKE ALL ON DATABASE {shop} FROM {reader} CASCADE; GRANT CONNECT, TEMPORARY ON DATABASE {shop} TO PUBLIC; \
         ALTER DATABASE {shop} CONNECTION LIMIT -1"
        ),
    )?;
    let wanted = settings(&shop)?;
    for step in [":previous", ":previous"] {
        world.lastgood(["pg", "restore", step, "--into", &shop, "--confirm-database", &shop]).ok().await?;
        ensure_eq!(settings(&shop)?, wanted, "the settings after {step}, with fewer");
    }
    // A mark of ours is no property of the contents: a dump of a copy restores as a database like any other.
    let copy = format!("{shop}__previous");
    let key = world.dump(&copy).await?;
    let rescued = world.name("rescued");
    world.lastgood(["pg", "restore", &key, "--into", &rescued]).ok().await?;
    ensure_eq!(role(world, &rescued).await?.as_deref(), Some("live"), "the role of a restored copy");
    Ok(())
}

/// `:current` is what was restored, before any hook; a local restore runs hooks on its copy, a toggle only afterwards.
pub(super) async fn hooks(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let trio = Trio::of(&shop);
    let dumped = world.checksum(&shop)?;
    let key = world.dump(&shop).await?;
    world.set_version(&shop, 2)?;
    let old = world.checksum(&shop)?;
    let mark = world.folder().join("mark.sql");
    std::fs::write(&mark, "UPDATE customers SET version = 7")?;
    let mark = mark.display().to_string();
    let over = ["--confirm-database", &shop, "--pre-swap-sql", &mark];
    world.lastgood(["pg", "restore", &key, "--reversible"].into_iter().chain(over)).ok().await?;
    let [live, previous, current] = trio.hold(world)?;
    ensure!(live != dumped && live != old, "the hook changed nothing");
    ensure_eq!([previous, current], [old.clone(), dumped.clone()], "previous and current");

    world.set_version(&shop, 3)?;
    let into = ["--into", &shop];
    world.lastgood(["pg", "restore", ":current"].into_iter().chain(into).chain(over)).ok().await?;
    ensure_eq!(trio.hold(world)?, [live.clone(), old.clone(), dumped.clone()], "after `:current` with a hook");
    let fail = ["pg", "restore", ":current", "--pre-swap-hook", "exit 3"];
    let failed = world.lastgood(fail.into_iter().chain(into).chain(over)).run().await?;
    ensure!(failed.code() == Some(22), "a failed hook ended with {:?}", failed.code());
    ensure_eq!(trio.hold(world)?, [live.clone(), old.clone(), dumped.clone()], "after a hook that failed");
    // What comes back was live before, and is not touched on the way.
    let undo = ["pg", "restore", ":previous", "--post-swap-hook", "exit 3"];
    let undone = world.lastgood(undo.into_iter().chain(into).chain(over)).run().await?;
    ensure!(undone.code() == Some(22), "a failed hook after the switch ended with {:?}", undone.code());
    ensure_eq!(trio.hold(world)?, [old, live, dumped], "after a toggle");
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    Ok(())
}

/// `pg copy`, `ls --local`, `drop-local`, `restore :NAME`.
pub(super) async fn copies(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let content = world.checksum(&shop)?;
    world.psql("postgres", &format!("ALTER DATABASE {shop} SET work_mem = '7MB'"))?;
    let test = world.name("shop_test");
    let copy = ["pg", "copy", &shop, &test];
    world.lastgood(copy).arg("-n").ok().await?.says("until then nobody can connect to it")?;
    ensure_eq!(world.databases()?, vec![shop.clone()], "databases after a dry run");

    // Whoever is connected is asked about, and then ended.
    let client = world.connect(&shop).await?;
    world.lastgood(copy).fails(15).await?.says("1 session")?;
    client.simple_query("SELECT 1").await?;
    world.lastgood(copy).arg("--yes").ok().await?.says("disconnected")?;
    ensure!(client.simple_query("SELECT 1").await.is_err(), "a session of the copied database lives on");
    ensure_eq!(world.checksum(&test)?, content, "the copy");
    ensure_eq!(world.psql(&test, "SHOW work_mem")?.trim(), "7MB", "a setting of the copy");

    // One that is there already stays, unless its name is typed.
    world.set_version(&shop, 2)?;
    let second = world.checksum(&shop)?;
    world.lastgood(copy).fails(15).await?.says("nothing was changed")?;
    world.lastgood(copy).arg("--confirm-database").arg(&shop).fails(15).await?;
    ensure_eq!(world.checksum(&test)?, content, "the copy after a refusal");
    world.lastgood(copy).arg("--confirm-database").arg(&test).ok().await?;
    ensure_eq!(world.checksum(&test)?, second, "the copy made again");
    world.lastgood(["pg", "copy", &shop, ":previous"]).fails(2).await?.says("reserved")?;
    world.lastgood(["pg", "copy", &shop, &shop]).arg("--confirm-database").arg(&shop).fails(1).await?;
    world.lastgood(["pg", "copy", "nowhere", "x"]).fails(1).await?.says("nowhere")?;

    let listed = entry(world, &test).await?;
    ensure_eq!(listed["role"].as_str(), Some("copy"), "the role of {listed}");
    ensure_eq!(listed["of"].as_str(), Some(shop.as_str()), "the source of {listed}");
    ensure_eq!(listed["outdated"].as_bool(), Some(false), "whether it is outdated: {listed}");
    ensure!(listed["bytes"].as_u64() > Some(1 << 20), "the size of {listed}");
    world.lastgood(["pg", "ls", "--local"]).ok().await?.says("copy")?.says("live")?;

    // A local restore of any database; the source stays, and is then older than what it came from.
    world.set_version(&shop, 3)?;
    let named = format!(":{test}");
    world.lastgood(["pg", "restore", &named, "--into", &shop, "--confirm-database", &shop]).ok().await?;
    ensure_eq!([world.checksum(&shop)?, world.checksum(&test)?], [second.clone(), second], "live and copy");
    ensure_eq!(entry(world, &test).await?["outdated"].as_bool(), Some(true), "whether the copy is outdated");
    drops(world, &shop, &test).await
}

async fn drops(world: &World, shop: &str, test: &str) -> RowResult {
    let drop = |name: &str| ["pg", "drop-local", name].map(str::to_owned);
    world.lastgood(drop(shop)).fails(15).await?.says("no local copy")?;
    world.lastgood(drop(shop)).arg("--confirm-database").arg(test).fails(15).await?;
    world.lastgood(drop("postgres")).arg("--confirm-database").arg("postgres").fails(1).await?;
    world.lastgood(drop("nowhere")).fails(1).await?;
    world.lastgood(drop(test)).arg("-n").ok().await?.says("Nothing was changed")?;
    let client = world.connect(test).await?;
    world.lastgood(drop(test)).fails(15).await?;
    client.simple_query("SELECT 1").await?;
    ensure_eq!(world.databases()?, vec![shop.to_owned(), test.to_owned()], "databases after refusals");
    // One that is just about to go is nobody who uses it: the server counts it for a moment longer than its client lives.
    let gone = async move {
        tokio::time::sleep(Duration::from_millis(700)).await;
        std::mem::drop(client);
    };
    let (dropped, ()) = tokio::join!(world.lastgood(drop(test)).ok(), gone);
    dropped?;
    world.lastgood(["pg", "copy", shop, test]).ok().await?;
    let _client = world.connect(test).await?;
    world.lastgood(drop(test)).arg("--yes").ok().await?;
    world.lastgood(drop(&format!(":{shop}"))).arg("--confirm-database").arg(shop).ok().await?;
    ensure_eq!(world.databases()?, Vec::<String>::new(), "databases after drop-local");
    Ok(())
}

/// Names as long as the server takes, and names that are taken.
pub(super) async fn names(world: &World) -> RowResult {
    let base = format!("{:x<62}", world.name("long"));
    let wide = "中".repeat(21);
    let shorter = [60, 61, 62].map(|bytes| base[..bytes].to_owned());
    let longest = [format!("{base}a"), format!("{base}b"), wide, "we\"ird é; drop".to_owned()];
    for live in shorter.into_iter().chain(longest) {
        names_of(world, &live).await.within(&format!("database {live:?}"))?;
    }
    // What is there already under a copy's name is somebody's, and stays.
    let shop = world.sample("shop")?;
    let taken = format!("{shop}__previous");
    world.cluster().create_database(&taken)?;
    world.psql(&taken, "CREATE TABLE precious (id integer)")?;
    let key = world.dump(&shop).await?;
    world.set_version(&shop, 2)?;
    let before = world.checksum(&shop)?;
    let restore = ["pg", "restore", &key, "--confirm-database", &shop];
    let there = world.databases()?;
    world.lastgood(restore).arg("--reversible").fails(1).await?.says(&taken)?.says("nothing was changed")?;
    ensure_eq!(world.checksum(&shop)?, before, "the database after a refusal");
    ensure_eq!(world.databases()?, there, "databases after a refusal");
    // Without the flag nothing needs that name; the other's database is no copy to be dropped.
    world.lastgood(restore).ok().await?;
    world.psql(&taken, "SELECT * FROM precious")?;
    world.lastgood(["pg", "drop-local", &taken]).fails(15).await?;
    Ok(())
}

async fn names_of(world: &World, live: &str) -> RowResult {
    let quoted = quote_identifier(live);
    world.psql("postgres", &format!("CREATE DATABASE {quoted} TEMPLATE template0"))?;
    world.psql(live, "CREATE TABLE t (version integer); INSERT INTO t VALUES (1)")?;
    let key = world.dump(live).await?;
    world.psql(live, "UPDATE t SET version = 2")?;
    let confirm = format!("--confirm-database={live}");
    world.lastgood(["pg", "restore", &key, &confirm, "--reversible"]).ok().await?;
    let version = |name: &str| world.psql(name, "SELECT version FROM t").map(|text| text.trim().to_owned());
    ensure_eq!(version(live)?, "1", "the restored version");
    let into = format!("--into={live}");
    for expected in ["2", "1"] {
        world.lastgood(["pg", "restore", ":previous", &into, &confirm]).ok().await?;
        ensure_eq!(version(live)?, expected, "the version after a toggle");
    }
    world.psql(live, "UPDATE t SET version = 3")?;
    world.lastgood(["pg", "restore", ":current", &into, &confirm]).ok().await?;
    ensure_eq!(version(live)?, "1", "the version after `:current`");
    let listing = world.lastgood(["pg", "ls", "--local", "--json"]).ok().await?.json()?;
    let of_live = listing.as_array().into_iter().flatten().filter(|entry| entry["of"].as_str() == Some(live));
    let roles: Vec<&str> = of_live.filter_map(|entry| entry["role"].as_str()).collect();
    ensure!(roles.len() == 2 && roles.contains(&"previous") && roles.contains(&"current"), "the copies are {roles:?}");
    Ok(())
}

/// While one run has the lock no other touches the copies.
pub(super) async fn at_once(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let trio = Trio::of(&shop);
    let key = world.dump(&shop).await?;
    world.set_version(&shop, 2)?;
    let restore = ["pg", "restore", &key, "--confirm-database", &shop, "--reversible"];
    world.lastgood(restore).ok().await?;
    let before = trio.hold(world)?;
    let pause = world.folder().join("pause");
    for step in ["restore.current", "copy.mark", "swap.rename"] {
        let first = world
            .lastgood(restore)
            .env("LASTGOOD_PAUSE_AT", step)
            .env("LASTGOOD_PAUSE_FILE", pause.display().to_string())
            .start()?;
        let begun = Instant::now();
        while !pause.exists() && begun.elapsed() < Duration::from_secs(60) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        ensure!(pause.exists(), "the first restore never came to {step}");
        let into = ["--into", &shop, "--confirm-database", &shop];
        for other in [
            vec!["pg", "restore", ":previous"].into_iter().chain(into).collect::<Vec<_>>(),
            vec!["pg", "restore", ":current"].into_iter().chain(into).collect(),
            vec!["pg", "drop-local", &trio.previous],
            vec!["pg", "copy", &trio.current, "elsewhere"],
        ]
        .into_iter()
        .take(if step == "swap.rename" { 1 } else { 4 })
        {
            let place = format!("{other:?}, first at {step}");
            world.lastgood(other).arg("--yes").fails(11).await.within(&place)?;
        }
        std::fs::remove_file(&pause)?;
        first.finish().await?.expect_code(0).within(&format!("first restore, held at {step}"))?;
        world
            .lastgood(["pg", "restore", ":previous"])
            .arg("--into")
            .arg(&shop)
            .arg("--confirm-database")
            .arg(&shop)
            .ok()
            .await?;
    }
    ensure_eq!(trio.hold(world)?[2], before[2], "`:current` after all that");
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    Ok(())
}

/// Clients that hammer the source while it is copied wait, and lose nothing; a prepared transaction stops the copy.
pub(super) async fn busy_source(world: &World) -> RowResult {
    world.psql("postgres", "ALTER SYSTEM SET max_prepared_transactions = 5")?;
    world.cluster().restart(backup_testkit::postgres::Shutdown::Fast)?;
    let shop = world.sample("shop")?;
    world.add_bulk(&shop, 64)?;
    let content = world.checksum(&shop)?;
    let config = world.config(&shop);
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = std::sync::Arc::clone(&stop);
    let clients = tokio::spawn(async move {
        let mut refused = Vec::new();
        while !seen.load(std::sync::atomic::Ordering::Relaxed) {
            match config.connect(tokio_postgres::NoTls).await {
                Ok((client, connection)) => {
                    let connection = tokio::spawn(connection);
                    let _ended = client.simple_query("SELECT count(*) FROM customers").await;
                    connection.abort();
                }
                // A session that is ended while it logs in.
                Err(error) if error.code().is_none_or(|code| code.code() == "57P01") => {}
                Err(error) => refused.push(error.to_string()),
            }
        }
        refused
    });
    for copy in ["one", "two"] {
        world.lastgood(["pg", "copy", &shop, copy, "--yes"]).ok().await?;
        ensure_eq!(world.checksum(copy)?, content, "the copy of a busy database");
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let refused = clients.await.map_err(|error| crate::harness::Failure::new(error.to_string()))?;
    ensure_eq!(refused, Vec::<String>::new(), "what clients were refused with");

    world.psql(&shop, "BEGIN; INSERT INTO customers VALUES (9999, 'in doubt', 2); PREPARE TRANSACTION 'doubt'")?;
    world.lastgood(["pg", "copy", &shop, "three", "--yes"]).fails(1).await?.says("doubt")?;
    world.psql(&shop, "ROLLBACK PREPARED 'doubt'")?;
    ensure!(!world.databases()?.contains(&"three".to_owned()), "a copy that failed is there");
    ensure_eq!(world.closed()?, Vec::<String>::new(), "databases that let nobody in");
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    Ok(())
}

async fn entry(world: &World, name: &str) -> RowResult<Value> {
    let listing = world.lastgood(["pg", "ls", "--local", "--json"]).ok().await?.json()?;
    let found = listing.as_array().into_iter().flatten().find(|entry| entry["name"].as_str() == Some(name));
    Ok(found.cloned().unwrap_or_default())
}

async fn role(world: &World, name: &str) -> RowResult<Option<String>> {
    Ok(entry(world, name).await?["role"].as_str().map(str::to_owned))
}
