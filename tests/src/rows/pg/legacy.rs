//! Dumps of django-pgclone, as its versions named them.

use super::damage::pg_dump;
use crate::ensure_eq;
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};

/// Every key form of the three major versions, at the location's root and under `pg/`.
pub(super) async fn every_form(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let first = world.checksum(&shop)?;
    let archive = pg_dump(world, &shop)?;
    world.set_version(&shop, 2)?;
    let second = world.checksum(&shop)?;
    let forms = [
        format!("{shop}/2020_01_02_03_04_05_000001.nightly.dump"),
        format!("{shop}/2021-01-02-03-04-05-000002.default.dump"),
        format!("prod/{shop}/weekly/2022-01-02-03-04-05-000003.dump"),
    ];
    for below in ["", "pg/"] {
        for form in &forms {
            let key = format!("{below}{form}");
            world.place().write(&key, &archive).await?;
            listed_and_restored(world, &shop, form, &first).await.within(&format!("`{key}`"))?;
            ensure_eq!(world.checksum(&shop)?, first, "the database restored from `{key}`");
            world.set_version(&shop, 2)?;
            world.place().remove(&key).await?;
        }
    }
    ensure_eq!(world.checksum(&shop)?, second, "the database");
    newest_of_all(world, &shop, &forms, &archive).await
}

async fn listed_and_restored(world: &World, shop: &str, form: &str, expected: &str) -> RowResult {
    let listing = world.lastgood(["pg", "ls", "--json"]).ok().await?.json()?;
    let keys = world.keys(shop).await?;
    ensure_eq!(keys.len(), 1, "dumps of `{shop}` in {listing}");
    // A listed key is one that can be typed.
    let key = &keys[0];
    ensure_eq!(key.trim_start_matches("pg/"), form, "the listed key");
    ensure_eq!(listing[0]["state"].as_str(), Some("unchecked"), "how far it is trusted");
    let names = world.lastgood(["pg", "ls", "--only-db-names"]).ok().await?;
    ensure_eq!(names.stdout.trim(), shop, "ls --only-db-names");
    world.lastgood(["pg", "show", key]).ok().await?;
    world.lastgood(["pg", "verify", key, "--read", "all"]).ok().await?;
    let copy = world.name("copy");
    let rows_alone = ["pg", "restore", key, "--data-only", "--confirm-database", shop];
    world.lastgood(rows_alone).fails(1).await?.says("only as a whole")?.says("nothing was changed")?;
    world.lastgood(["pg", "restore", key, "--into", &copy]).ok().await?;
    ensure_eq!(world.checksum(&copy)?, expected, "the copy");
    world.psql("postgres", &format!("DROP DATABASE \"{copy}\""))?;
    world.lastgood(["pg", "restore", key, "--confirm-database", shop]).ok().await?;
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    Ok(())
}

/// Old and new side by side: a database's name means the newest good dump.
async fn newest_of_all(world: &World, shop: &str, forms: &[String], archive: &[u8]) -> RowResult {
    let second = world.checksum(shop)?;
    for form in forms {
        world.place().write(form, archive).await?;
    }
    let ours = world.dump(shop).await?;
    let mut keys: Vec<String> = forms.to_vec();
    keys.push(ours);
    keys.sort();
    ensure_eq!(world.keys(shop).await?, keys, "dumps old and new");
    world.set_version(shop, 3)?;
    world.lastgood(["pg", "restore", shop, "--confirm-database", shop]).ok().await?;
    ensure_eq!(world.checksum(shop)?, second, "the database restored by its name");
    Ok(())
}
