//! Locales that the server does not have, or has in another way.

use serde_json::{Map, Value, json};

use crate::harness::{RowResult, World};
use crate::rows::core::craft;
use crate::{ensure, ensure_eq};

const LOCALE: &str = "SELECT datcollate, datctype, datlocprovider, daticulocale FROM pg_database \
    WHERE datname = current_database()";

/// Changes what the dump `key` says of its database.
async fn settings(world: &World, key: &str, change: impl FnOnce(&mut Map<String, Value>)) -> RowResult {
    craft::rewrite(world, key, |fields| {
        if let Some(database) = fields["detail"]["database"].as_object_mut() {
            change(database);
        }
    })
    .await
}

/// A plan and its run name the locale that is missing, and another can be chosen.
pub(super) async fn missing(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let key = world.dump(&shop).await?;
    settings(world, &key, |database| {
        database.insert("collate".to_owned(), json!("xx_DE.UTF-8"));
    })
    .await?;
    let copy = world.name("copy");
    let restore = ["pg", "restore", &key, "--into", &copy];
    for arguments in [vec![], vec!["-n"]] {
        let refused = world.lastgood(restore).args(arguments).fails(1).await?;
        refused.says("has no locale `xx_DE.UTF-8`")?.says("--locale")?;
    }
    ensure!(!world.databases()?.contains(&copy), "a refused restore made a database");
    for wrong in [["--locale", "xx_AT.UTF-8"], ["--locale-provider", "builtin"]] {
        world.lastgood(restore).args(wrong).fails(1).await?;
    }
    world.lastgood(restore).args(["--locale-provider", "libcc"]).fails(2).await?.says("not a provider of locales")?;
    world.lastgood(restore).args(["--locale", "C.UTF-8"]).ok().await?;
    ensure_eq!(world.psql(&copy, LOCALE)?, "C.UTF-8|C.UTF-8|c|", "the chosen locale");
    ensure_eq!(world.checksum(&copy)?, world.checksum(&shop)?, "the copy");
    let icu = world.name("icu");
    let by_icu = ["pg", "restore", &key, "--into", &icu, "--locale", "de-AT", "--locale-provider", "icu"];
    world.lastgood(by_icu).ok().await?;
    ensure_eq!(world.psql(&icu, LOCALE)?, "C|C|i|de-AT", "a locale of ICU");
    Ok(())
}

/// Servers before 15 had only the system's locales: a database of theirs goes on sorting by them.
pub(super) async fn of_the_template(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let key = world.dump(&shop).await?;
    settings(world, &key, |database| {
        database.remove("locale_provider");
    })
    .await?;
    world.psql("postgres", "CREATE DATABASE other TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en'")?;
    for statement in [
        "ALTER DATABASE template0 IS_TEMPLATE false",
        "ALTER DATABASE template0 RENAME TO former",
        "ALTER DATABASE other RENAME TO template0",
        "ALTER DATABASE template0 WITH IS_TEMPLATE true ALLOW_CONNECTIONS false",
        // As `initdb` leaves it.
        "UPDATE pg_database SET datcollversion = NULL WHERE datname = 'template0'",
    ] {
        world.psql("postgres", statement)?;
    }
    let copy = world.name("copy");
    let restored = world.lastgood(["pg", "restore", &key, "--into", &copy]).run().await?;
    let provider = world.psql("postgres", &format!("SELECT datlocprovider FROM pg_database WHERE datname = '{copy}'"));
    for statement in [
        "ALTER DATABASE template0 IS_TEMPLATE false",
        "DROP DATABASE template0",
        "ALTER DATABASE former RENAME TO template0",
        "ALTER DATABASE template0 IS_TEMPLATE true",
    ] {
        world.psql("postgres", statement)?;
    }
    restored.expect_code(0)?;
    ensure_eq!(provider?, "c", "the provider of the copy");
    ensure_eq!(world.checksum(&copy)?, world.checksum(&shop)?, "the copy");
    Ok(())
}
