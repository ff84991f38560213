//! Nothing is not good, and a sudden fall is told: rows W3.

use crate::harness::{Area, Locations, Row, RowResult, World};
use crate::{ensure, ensure_eq};

/// Exit code of a confirmation that is missing.
const CONFIRM: i32 = 15;

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    use Locations::Both;
    vec![
        Row::new("W3-empty", "a database without tables is no dump unless asked for", Area::Truth, Both, |world| {
            Box::pin(empty(world))
        }),
        Row::new("W3-fall", "rows or bytes fall by more than half: told, or refused", Area::Truth, Both, |world| {
            Box::pin(fall(world))
        }),
    ]
}

async fn empty(world: &World) -> RowResult {
    let shop = world.create("shop")?;
    let before = world.place().picture().await?;
    for end in [&[][..], &["-n"]] {
        let command = ["pg", "dump", shop.as_str()].into_iter().chain(end.iter().copied());
        world.lastgood(command).fails(CONFIRM).await?.says("no tables")?.says("--allow-empty")?;
    }
    // What an extension brings is not the user's.
    world.psql(&shop, "CREATE EXTENSION hstore; CREATE TABLE of_it (); ALTER EXTENSION hstore ADD TABLE of_it")?;
    // As `pg_extension_config_dump` does in an extension's script.
    let configured = "UPDATE pg_extension SET extconfig = ARRAY['of_it'::regclass::oid], extcondition = ARRAY[''] WHERE extname = 'hstore'";
    world.psql(&shop, configured)?;
    world.lastgood(["pg", "dump", &shop]).fails(CONFIRM).await?.says("no tables but those of its extensions")?;
    let keys = |picture: &std::collections::BTreeMap<String, String>| picture.keys().cloned().collect::<Vec<_>>();
    let left: Vec<String> = keys(&world.place().picture().await?);
    ensure!(
        left.iter()
            .all(|key| keys(&before).contains(key) || ["lastgood.json", ".lastgood-lock"].contains(&key.as_str())),
        "the location after the refusals: {left:?}"
    );
    world.lastgood(["pg", "dump", &shop, "--allow-empty"]).ok().await?;
    // Large objects alone are something.
    let blobs = world.create("blobs")?;
    world.psql(&blobs, "SELECT lo_from_bytea(0, 'x')")?;
    world.lastgood(["pg", "dump", &blobs]).ok().await?;
    Ok(())
}

async fn fall(world: &World) -> RowResult {
    let shop = world.create("shop")?;
    let fill = |rows: u32| {
        world.psql(&shop, &format!("TRUNCATE t; INSERT INTO t SELECT g, 'row ' || g FROM generate_series(1, {rows}) g"))
    };
    world.psql(&shop, "CREATE TABLE t (id int, note text)")?;
    fill(10_000)?;
    let full = world.dump(&shop).await?;
    fill(9_000)?;
    let quiet = world.lastgood(["pg", "dump", &shop]).ok().await?;
    ensure!(!quiet.stderr.contains("smaller than"), "a small fall is told: {}", quiet.stderr);
    fill(100)?;
    let before = world.keys(&shop).await?;
    world.lastgood(["pg", "dump", &shop, "--max-shrink", "50"]).fails(CONFIRM).await?.says("nothing was published")?;
    ensure_eq!(world.keys(&shop).await?, before, "dumps after the refusal");
    ensure_eq!(world.place().unfinished().await?, 0, "uploads after the refusal");
    // A dump with something left out falls for a reason, and is not compared with.
    let partial = world.lastgood(["pg", "dump", &shop, "--exclude-table-data", "t"]).ok().await?;
    ensure!(!partial.stderr.contains("smaller than"), "a partial dump's fall is told: {}", partial.stderr);
    let report = world.lastgood(["pg", "dump", &shop, "--json"]).ok().await?;
    let report = report.says("98 % smaller than")?;
    let fall = &report.json()?["fall"];
    ensure_eq!(fall["before"]["rows"], 9_000, "rows before");
    ensure_eq!(fall["now"]["rows"], 100, "rows now");
    ensure!(world.keys(&shop).await?.contains(&full), "the full dump is gone");
    Ok(())
}
