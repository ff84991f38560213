//! Two servers, files or folders of one name are two sources: rows W2.

use backup_testkit::postgres::{Cluster, ClusterOptions};
use serde_json::{Value, json};

use crate::harness::{Area, Lastgood, Locations, Row, RowResult, Standby, World};
use crate::rows::core::craft;
use crate::{ensure, ensure_eq};

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    use Locations::Both;
    vec![
        Row::new("W2-server", "an empty database of one name on a second server", Area::Truth, Both, |world| {
            Box::pin(second_server(world))
        }),
        Row::new(
            "W2-clone",
            "a server copied byte for byte has the identity of its original",
            Area::Truth,
            Both,
            |world| Box::pin(cloned_server(world)),
        ),
        Row::new("W2-older", "dumps that do not say where they come from", Area::Truth, Both, |world| {
            Box::pin(older(world))
        }),
    ]
}

/// `command` against another server.
fn on<'w>(command: Lastgood<'w>, cluster: &Cluster) -> Lastgood<'w> {
    cluster.env().into_iter().fold(command, |command, (name, value)| command.env(name, value))
}

async fn second_server(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let first = world.dump(&shop).await?;
    let other = Cluster::start(ClusterOptions::default())?;
    other.create_database(&shop)?;
    other.psql(&shop, "CREATE TABLE orders (id int)")?;
    let dumped = on(world.lastgood(["pg", "dump", &shop, "--json"]), &other).ok().await?.json()?;
    let second = dumped["key"].as_str().unwrap_or_default().to_owned();

    // Each server's own is its latest; on a third one somebody has to say which.
    let copy = world.name("copy");
    let plan = ["pg", "restore", shop.as_str(), "--into", copy.as_str(), "-n", "--json"];
    ensure_eq!(world.lastgood(plan).ok().await?.json()?["key"], first.as_str(), "the latest on the first server");
    ensure_eq!(on(world.lastgood(plan), &other).ok().await?.json()?["key"], second.as_str(), "and on the second");
    let third = Cluster::start(ClusterOptions::default())?;
    on(world.lastgood(plan), &third).fails(2).await?.says("2 clusters")?.says("--cluster")?;
    let id = dumped["cluster"]["id"].as_str().unwrap_or_default().to_owned();
    let named = on(world.lastgood(plan).arg("--cluster").arg(&id), &third).ok().await?.json()?;
    ensure_eq!(named["key"], second.as_str(), "the one that is named");
    ensure_eq!(named["same_cluster"], false, "whether the dump is of the server restored on");
    let words = ["pg", "restore", first.as_str(), "--into", copy.as_str(), "-n"];
    on(world.lastgood(words), &third).ok().await?.says("from another cluster")?;
    world.lastgood(["pg", "show", &shop]).fails(2).await?.says("2 clusters")?;

    let listing = world.lastgood(["pg", "ls", &shop, "--cluster", &id, "--json"]).ok().await?.json()?;
    ensure_eq!(listing.as_array().map(Vec::len), Some(1), "dumps of the second cluster");
    ensure_eq!(listing[0]["cluster"]["id"], id.as_str(), "its cluster");

    // Retention keeps the last good one of each.
    world.lastgood(["pg", "prune", &shop, "--keep-last", "1", "--yes"]).ok().await?;
    ensure_eq!(world.keys(&shop).await?, [first.clone(), second.clone()], "dumps after the prune");
    let third_dump = on(world.lastgood(["pg", "dump", &shop, "--json"]), &other).ok().await?.json()?;
    ensure!(third_dump.get("fall").is_none_or(Value::is_null), "a fall across clusters is told");
    world.lastgood(["pg", "prune", &shop, "--cluster", &id, "--keep-last", "1", "--yes"]).ok().await?.says(&second)?;
    world.lastgood(["pg", "restore", &shop, "--into", &copy]).ok().await?.says(&first)?;
    ensure_eq!(world.checksum(&copy)?, world.checksum(&shop)?, "the copy");
    Ok(())
}

/// `pg_basebackup` copies the system identifier, too. A standby's dumps are dumps of its primary; what the copy became when it
/// was promoted nobody can tell from its identifier, so that the host is told.
async fn cloned_server(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let clone = Standby::start(world)?;
    let words = ["pg", "dump", shop.as_str()];
    let told = "the previous complete dump was taken from";
    for dump in [world.lastgood(words), clone.lastgood(world, &words)] {
        let said = dump.ok().await?.transcript();
        ensure!(!said.contains(told), "{said}");
    }
    clone.connect(world, "postgres").await?.batch_execute("SELECT pg_promote()").await?;
    let said = world.lastgood(words).ok().await?.transcript();
    ensure!(!said.contains(told), "a standby is no other server: {said}");
    let dumped = clone.lastgood(world, &words).ok().await?;
    dumped.says(told)?.says("use a separate location")?;
    // The plan names the host whose rows would come back.
    let host = world.lastgood(["pg", "show", &shop, "--json"]).ok().await?.json()?["cluster"]["host"].clone();
    let host = host.as_str().unwrap_or_default().to_owned();
    world.lastgood(["pg", "restore", &shop, "-n"]).ok().await?.says(&format!("from   {host}"))?;
    Ok(())
}

/// What an earlier version wrote has no identity: a source of its own.
async fn older(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let old = world.dump(&shop).await?;
    craft::rewrite(world, &old, |fields| {
        fields.remove("identity");
        fields.remove("complete");
    })
    .await?;
    let copy = world.name("copy");
    let plan = ["pg", "restore", shop.as_str(), "--into", copy.as_str(), "-n", "--json"];
    let planned = world.lastgood(plan).ok().await?.json()?;
    ensure_eq!(planned["key"], old.as_str(), "the only dump there is");
    ensure!(planned["same_cluster"].is_null(), "nothing says where it is from");

    let new = world.dump(&shop).await?;
    ensure_eq!(world.lastgood(plan).ok().await?.json()?["key"], new.as_str(), "the server's own dump");
    let unknown = world.lastgood(plan).arg("--cluster").arg("unknown").ok().await?.json()?;
    ensure_eq!(unknown["key"], old.as_str(), "the one that does not say");
    let third = Cluster::start(ClusterOptions::default())?;
    on(world.lastgood(plan), &third).fails(2).await?.says("unknown")?;
    world.lastgood(["pg", "prune", &shop, "--keep-last", "1", "--yes"]).ok().await?;
    ensure_eq!(world.keys(&shop).await?, [old.clone(), new], "dumps after the prune");

    // An earlier version's dump with something left out is found in its detail.
    let lite = world.lastgood(["pg", "dump", &shop, "--exclude-table-data", "*", "--json"]).ok().await?.json()?;
    let lite = lite["key"].as_str().unwrap_or_default().to_owned();
    craft::rewrite(world, &lite, |fields| {
        fields.remove("identity");
        fields.remove("complete");
        fields["sequence"] = json!(50);
    })
    .await?;
    let unknown = world.lastgood(plan).arg("--cluster").arg("unknown").ok().await?.json()?;
    ensure_eq!(unknown["key"], old.as_str(), "the complete one that does not say");
    ensure_eq!(unknown["passed_over"], json!([lite]), "the newer partial one");
    Ok(())
}
