//! Locales that the server does not have, or has in another way.

use serde_json::{Map, Value, json};

use crate::harness::{RowResult, World};
use crate::rows::core::craft;
use crate::{ensure, ensure_eq};

/// Servers have more to say of it from version to version; before 15 there were only the system's.
const LOCALE: &str = "SELECT datcollate, datctype, coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'), \
    coalesce(to_jsonb(d) ->> 'daticulocale', to_jsonb(d) ->> 'datlocale') FROM pg_database d WHERE datname = current_database()";

/// The first version that knows another provider than the system, and the one that has one of its own.
const PROVIDERS_MAJOR: u32 = 15;
const BUILTIN_MAJOR: u32 = 17;

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
    let (major, has_icu) = (world.major()?, world.has_icu()?);
    world.lastgood(restore).args(["--locale", "xx_AT.UTF-8"]).fails(1).await?;
    if (PROVIDERS_MAJOR..BUILTIN_MAJOR).contains(&major) {
        world.lastgood(restore).args(["--locale-provider", "builtin"]).fails(1).await?;
    }
    world.lastgood(restore).args(["--locale-provider", "libcc"]).fails(2).await?.says("not a provider of locales")?;
    world.lastgood(restore).args(["--locale", "C.UTF-8"]).ok().await?;
    ensure_eq!(world.psql(&copy, LOCALE)?, "C.UTF-8|C.UTF-8|c|", "the chosen locale");
    ensure_eq!(world.checksum(&copy)?, world.checksum(&shop)?, "the copy");
    if major < PROVIDERS_MAJOR || !has_icu {
        return Ok(());
    }
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
    let another = match world.major()? >= BUILTIN_MAJOR {
        true => "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C.UTF-8'",
        false => "LOCALE_PROVIDER icu ICU_LOCALE 'en'",
    };
    world.psql("postgres", &format!("CREATE DATABASE other TEMPLATE template0 {another}"))?;
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
