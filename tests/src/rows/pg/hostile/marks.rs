//! Comments that look like lastgood's own.

use serde_json::json;

use super::resealed::reseal;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// A mark of ours, as anybody can write it.
fn mark(state: &serde_json::Value) -> String {
    // The key of ours comes first in any case: it is the only one.
    format!("$mark${}$mark$", json!({ "lastgood": state }))
}

/// Gives `database` to `owner`, with this mark on it.
fn marked(world: &World, database: &str, owner: &str, state: &serde_json::Value) -> RowResult {
    let mark = mark(state);
    let sql = format!("ALTER DATABASE {database} OWNER TO {owner}; COMMENT ON DATABASE {database} IS {mark}");
    world.psql("postgres", &sql)?;
    Ok(())
}

const SINCE: &str = "2026-01-01T00:00:00Z";

/// A user who may do nothing but own a database gets nothing for it by a comment.
pub(super) async fn of_others(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let (app, mallory) = (world.name("app"), world.name("mallory"));
    world
        .psql("postgres", &format!("CREATE ROLE {app}; CREATE ROLE {mallory}; ALTER DATABASE {shop} OWNER TO {app}"))?;
    let key = world.dump(&shop).await?;
    world.set_version(&shop, 2)?;
    let before = world.checksum(&shop)?;
    let theirs = format!("{shop}__previous");
    world.cluster().create_database(&theirs)?;
    world.psql(&theirs, "CREATE TABLE trojan (id integer)")?;
    let confirmed = ["--into", &shop, "--confirm-database", &shop];

    // In the place of `:previous`, and of `:current`.
    let previous = json!({ "state": "previous", "target": shop, "comment": null, "since": SINCE });
    let current = json!({ "state": "current", "target": shop, "dump": key, "live": 1, "since": SINCE });
    for (name, state) in [(":previous", &previous), (":current", &current)] {
        marked(world, &theirs, &mallory, state)?;
        let refused = world.lastgood(["pg", "restore", name]).args(confirmed).fails(1).await?;
        refused.says(&format!("has no {name}"))?.says(&mallory)?;
        ensure_eq!(world.checksum(&shop)?, before, "the database after a restore of {name}");
    }
    let listing = world.lastgood(["pg", "ls", "--local", "--json"]).ok().await?.json()?;
    let listed = listing.as_array().into_iter().flatten().find(|entry| entry["name"] == theirs.as_str());
    ensure_eq!(listed.and_then(|entry| entry["role"].as_str()), Some("live"), "the role of what is no copy");
    marked(world, &theirs, &mallory, &previous)?;
    // Nor is it dropped for one.
    world.lastgood(["pg", "restore", &key, "--confirm-database", &shop]).ok().await?;
    world.psql(&theirs, "SELECT * FROM trojan")?;

    // A door that was closed on purpose stays closed, and nobody gets the name of a database that is gone.
    let oid = world.psql("postgres", &format!("SELECT oid FROM pg_database WHERE datname = '{shop}'"))?;
    let oid: u32 = oid.trim().parse()?;
    world.psql("postgres", &format!("ALTER DATABASE {shop} ALLOW_CONNECTIONS false"))?;
    let live = json!({ "oid": oid, "allow_connections": true });
    marked(world, &theirs, &mallory, &json!({ "state": "swapping", "target": shop, "live": live, "since": SINCE }))?;
    world.lastgood(["pg", "recover"]).ok().await?;
    let open = world.psql("postgres", &format!("SELECT datallowconn FROM pg_database WHERE datname = '{shop}'"))?;
    ensure_eq!(open.trim(), "f", "whether connections are allowed after a recovery");
    world.psql("postgres", &format!("ALTER DATABASE {shop} ALLOW_CONNECTIONS true"))?;
    let gone = world.name("gone");
    let superseded = json!({ "state": "superseded", "target": gone, "by": 1, "comment": null, "since": SINCE });
    let number = target_number(&gone);
    let temporary = format!("lastgood_{number}_00000000");
    world.psql("postgres", &format!("ALTER DATABASE {theirs} RENAME TO {temporary}"))?;
    marked(world, &temporary, &mallory, &superseded)?;
    world.lastgood(["pg", "recover"]).ok().await?.says(&mallory)?;
    ensure!(!world.databases()?.contains(&gone), "somebody else's database got the name `{gone}`");
    world.psql(&temporary, "SELECT * FROM trojan")?;
    Ok(())
}

/// The eight digits that stand for a target in the names of its temporary databases.
fn target_number(target: &str) -> String {
    backup_core::digest::Sha256Digest::of(target.as_bytes()).to_string()[..8].to_owned()
}

/// Nothing is restored or copied to where a copy of ours would be.
pub(super) async fn names(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let key = world.dump(&shop).await?;
    let there = world.databases()?;
    for name in [format!("{shop}__previous"), format!("{shop}__current"), "lastgood_01234567_89abcdef".to_owned()] {
        for dry in [true, false] {
            let flag = dry.then_some("-n");
            let restore = world.lastgood(["pg", "restore", &key, "--into", &name]).args(flag);
            restore.fails(1).await?.says("has the form of")?.says("--into")?;
            world.lastgood(["pg", "copy", &shop, &name]).args(flag).fails(1).await?.says("has the form of")?;
        }
    }
    ensure_eq!(world.databases()?, there, "databases after refusals");
    // Whoever always called it so keeps it.
    let odd = world.name("orders__current");
    let odd = format!("{odd}__current");
    world.cluster().create_database(&odd)?;
    world.psql(&odd, "CREATE TABLE t AS SELECT 1 AS version")?;
    let key = world.dump(&odd).await?;
    world.psql(&odd, "UPDATE t SET version = 2")?;
    let confirm = ["--confirm-database", &odd];
    world.lastgood(["pg", "restore", &key, "--reversible"]).args(confirm).ok().await?;
    ensure_eq!(world.psql(&odd, "SELECT version FROM t")?.trim(), "1", "the restored version");
    world.lastgood(["pg", "restore", ":previous", "--into", &odd]).args(confirm).ok().await?;
    ensure_eq!(world.psql(&odd, "SELECT version FROM t")?.trim(), "2", "the version that came back");
    Ok(())
}

/// A restore without owners gives the copies another owner than the database before; and what a dump calls its database's
/// comment is never a mark.
pub(super) async fn owners(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let app = world.name("app");
    world.psql("postgres", &format!("CREATE ROLE {app}; ALTER DATABASE {shop} OWNER TO {app}"))?;
    let key = world.dump(&shop).await?;
    let new = world.checksum(&shop)?;
    world.set_version(&shop, 2)?;
    let old = world.checksum(&shop)?;
    let confirm = ["--confirm-database", &shop];
    world.lastgood(["pg", "restore", &key, "--reversible", "--no-owner"]).args(confirm).ok().await?;
    for expected in [&old, &new] {
        world.lastgood(["pg", "restore", ":previous", "--into", &shop, "--no-owner"]).args(confirm).ok().await?;
        ensure_eq!(world.checksum(&shop)?, *expected, "the database after a toggle between two owners");
    }
    // A comment that was copied to another database of the same owner is not believed there.
    let comment = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = ";
    let previous = world.psql("postgres", &format!("{comment}'{shop}__previous'"))?;
    world.lastgood(["pg", "drop-local", &format!("{shop}__previous")]).ok().await?;
    let other = world.create("other")?;
    let copied = format!("COMMENT ON DATABASE {other} IS $mark${}$mark$", previous.trim());
    world.psql("postgres", &copied)?;
    let refused = world.lastgood(["pg", "restore", ":previous", "--into", &shop]).args(confirm).fails(1).await?;
    refused.says("written on another database")?;

    let state = json!({ "lastgood": { "state": "previous", "target": shop, "comment": null, "since": SINCE } });
    reseal(world, &key, |manifest| manifest.detail["database"]["comment"] = state.to_string().into()).await?;
    let beside = world.name("beside");
    world.lastgood(["pg", "restore", &key, "--into", &beside]).ok().await?;
    let restored = world.psql("postgres", &format!("{comment}'{beside}'"))?;
    ensure_eq!(restored.trim(), "", "the comment of a database whose dump has a mark for one");
    Ok(())
}
