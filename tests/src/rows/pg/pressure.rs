//! A server that is short of something: connections, patience, disk.

use std::time::{Duration, Instant};

use backup_testkit::postgres::Shutdown;
use tokio_postgres::error::SqlState;

use crate::harness::{RowResult, SmallDisk, World};
use crate::{ensure, ensure_eq};

/// Idle clients (a pool of an application, several times).
const CROWD: usize = 200;

/// Longest pause of a swap (craft.md, P8).
const OUTAGE_MAX_MS: u64 = 5_000;

/// Clients that left are gone long before.
const FREED_WITHIN: Duration = Duration::from_secs(60);

/// Mebibytes of the table on the small disk, which has room for it once and not twice.
const BULK_MIB: u32 = 12;

/// Mebibytes of the small disk.
const DISK_MIB: u32 = 20;

/// P8: everybody is sent away, whatever they do, and what they had not committed is lost with the database it was for.
pub(super) async fn crowd(world: &World) -> RowResult {
    world.psql("postgres", "ALTER SYSTEM SET max_connections = 300")?;
    world.cluster().restart(Shutdown::Fast)?;
    let shop = world.sample("shop")?;
    world.dump(&shop).await?;
    let before = world.checksum(&shop)?;
    world.set_version(&shop, 2)?;
    let mut clients = Vec::new();
    for _ in 0..CROWD {
        clients.push(world.connect(&shop).await?);
    }
    clients[0].batch_execute("BEGIN; UPDATE customers SET version = 3").await?;
    let restore = ["pg", "restore", &shop, "--confirm-database", &shop, "--json"];
    let output = world.lastgood(restore).ok().await?;
    let outage = output.json()?["outage_ms"].as_u64().ok_or_else(|| output.fault("it names no outage"))?;
    ensure!(outage <= OUTAGE_MAX_MS, "the swap took {outage} ms");
    for client in &clients {
        let Err(error) = client.simple_query("SELECT 1").await else {
            return Err(output.fault("a session of the replaced database lives on"));
        };
        ensure!(
            error.is_closed() || error.code() == Some(&SqlState::ADMIN_SHUTDOWN),
            "a client was not sent away, but: {error}"
        );
    }
    ensure_eq!(world.checksum(&shop)?, before, "the restored database");
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    Ok(())
}

/// Neither half a dump nor half a restore, whatever number of connections was still to be had.
pub(super) async fn no_connection(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let kept = world.dump(&shop).await?;
    world.set_version(&shop, 2)?;
    let before = world.checksum(&shop)?;
    let location = world.place().picture().await?;
    let mut clients = Vec::new();
    while let Ok(client) = world.connect("postgres").await {
        clients.push(client);
    }
    for free in 0..3 {
        for words in [&["pg", "dump", &shop, "--jobs", "4"][..], &["pg", "restore", &kept, "--confirm-database", &shop]]
        {
            let output = world.lastgood(words.iter().copied()).run().await?;
            ensure!(output.code() != Some(0), "{words:?} succeeded with {free} free connections");
            output.says("every connection is taken")?;
            ensure_eq!(world.place().picture().await?, location, "the location, {free} free connections");
        }
        clients.pop();
        // The server takes a moment to notice.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    drop(clients);
    let begun = Instant::now();
    while world.psql("postgres", "SELECT 1").is_err() {
        ensure!(begun.elapsed() < FREED_WITHIN, "the server never let go of the clients that left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ensure_eq!(world.checksum(&shop)?, before, "the live database");
    ensure_eq!(world.closed()?, Vec::<String>::new(), "databases that let nobody in");
    world.lastgood(["pg", "recover"]).ok().await?;
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    world.dump(&shop).await?;
    Ok(())
}

/// The copy does not fit beside the live database: it goes, and the live one stays.
pub(super) async fn no_space(world: &World) -> RowResult {
    let at = world.cluster().data_dir().with_file_name("small");
    let disk = SmallDisk::mount(&at, DISK_MIB)?;
    std::os::unix::fs::chown(&at, Some(world.cluster().server_uid()), None)?;
    world.psql("postgres", &format!("CREATE TABLESPACE small LOCATION '{}'", at.display()))?;
    let shop = world.sample("shop")?;
    world.add_bulk(&shop, BULK_MIB)?;
    world.psql(&shop, "ALTER TABLE bulk SET TABLESPACE small")?;
    world.dump(&shop).await?;
    world.set_version(&shop, 2)?;
    let before = world.checksum(&shop)?;
    let restore = ["pg", "restore", &shop, "--confirm-database", &shop];
    let output = world.lastgood(restore).fails(1).await?;
    let output = output.says("`public.bulk`")?.says("No space left on device")?;
    output.says("the live database was not touched")?;
    ensure_eq!(world.checksum(&shop)?, before, "the live database");
    ensure_eq!(world.closed()?, Vec::<String>::new(), "databases that let nobody in");
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    disk.resize(DISK_MIB * 2)?;
    world.lastgood(restore).ok().await?;
    ensure!(world.checksum(&shop)? != before, "the restore changed nothing");
    // The server lets go of the disk before it is taken away.
    world.clear_server()?;
    world.psql("postgres", "DROP TABLESPACE small")?;
    Ok(())
}
