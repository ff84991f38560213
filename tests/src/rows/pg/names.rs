//! The whole cycle, for plain and for hostile names.

use backup_testkit::postgres::quote_identifier;

use crate::harness::compare::Picture;
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// Dump, list, show, verify, damage the database, restore over it.
pub(super) async fn plain_cycle(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    cycle(world, &shop, &shop).await?;
    let names = world.lastgood(["pg", "ls", "--only-db-names"]).ok().await?;
    ensure_eq!(names.stdout.trim(), shop, "ls --only-db-names");
    world.lastgood(["pg", "restore", &shop, "--into", "fresh copy"]).ok().await?;
    ensure_eq!(world.checksum("fresh copy")?, world.checksum(&shop)?, "the copy");
    Ok(())
}

/// Names that break URLs, paths, connection strings, shells and SQL.
pub(super) async fn hostile_names(world: &World) -> RowResult {
    let long = format!("{:x<63}", world.name("long"));
    let wide = format!("{}{}", "中".repeat(20), "abc");
    let plain = [
        r#"we"ird é; drop"#,
        &long,
        &wide,
        "per%cent%2F%s",
        "Upper CASE and  spaces ",
        "a/b\\c",
        "..",
        "it's $HOME `x` *",
        "tab\tand\nnewline",
        "-n",
        "name.with.dots.dump",
        "lastgood_copy",
    ];
    for name in plain {
        create(world, name)?;
        cycle(world, name, name).await.within(&format!("database {name:?}"))?;
    }
    // Without `dbname=` such a name is a connection string to every PostgreSQL program.
    for (name, argument) in
        [("a=b", "dbname='a=b'"), ("host=x y", "dbname='host=x y'"), ("pg://q?a=1", "dbname='pg://q?a=1'")]
    {
        create(world, name)?;
        cycle(world, name, argument).await.within(&format!("database {name:?}"))?;
    }
    ensure_eq!(world.leftovers()?, vec!["lastgood_copy".to_owned()], "databases left behind");
    Ok(())
}

fn create(world: &World, name: &str) -> RowResult {
    world.psql("postgres", &format!("CREATE DATABASE {} TEMPLATE template0", quote_identifier(name)))?;
    world.psql(name, "CREATE TABLE t (id serial PRIMARY KEY, v text); INSERT INTO t (v) SELECT 'v' || g FROM generate_series(1, 100) g")?;
    Ok(())
}

/// The whole cycle. `argument` is how the database `name` is named on the command line.
async fn cycle(world: &World, name: &str, argument: &str) -> RowResult {
    let before = Picture::of(world.cluster(), name)?;
    let dumped = world.lastgood(["pg", "dump", "--json", "--", argument]).ok().await?;
    let key = dumped.json()?["key"].as_str().unwrap_or_default().to_owned();
    ensure!(!key.is_empty(), "the dump names no key");
    let listed = world.lastgood(["pg", "ls", "--json", "--", argument]).ok().await?;
    let listing = listed.json()?;
    ensure_eq!(listing[0]["key"].as_str(), Some(key.as_str()), "the listed key");
    ensure_eq!(listing[0]["database"].as_str(), Some(name), "the listed database");
    ensure_eq!(listing[0]["state"].as_str(), Some("good"), "the listed state");
    world.lastgood(["pg", "show", "--json", "--", &key]).ok().await?.json()?;
    world.lastgood(["pg", "verify", "--read", "all", "--", &key]).ok().await?;

    world.psql(name, "CREATE TABLE intruder (id integer)")?;
    let confirm = format!("--confirm-database={name}");
    world.lastgood(["pg", "restore", &confirm, "--", &key]).ok().await?;
    before.expect(&Picture::of(world.cluster(), name)?, "the database restored by key")?;

    world.psql(name, "CREATE TABLE intruder (id integer)")?;
    world.lastgood(["pg", "restore", &confirm, "--", argument]).ok().await?;
    before.expect(&Picture::of(world.cluster(), name)?, "the database restored by name")
}
