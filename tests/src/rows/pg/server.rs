//! A server that goes away.

use std::time::Duration;

use backup_testkit::postgres::Shutdown;

use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// Mebibytes that need several parts of an upload.
const BULK_MIB: u32 = 24;

/// Steps at which the server is restarted: the dump still needs it after each of them.
const STEPS: [&str; 4] = ["dump.snapshot", "dump.schema", "dump.data", "dump.catalogue"];

/// P3.
pub(super) async fn restart_mid_dump(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.add_bulk(&shop, BULK_MIB)?;
    let good = world.dump(&shop).await?;
    let before = world.place().picture().await?;
    for how in [Shutdown::Fast, Shutdown::Immediate] {
        for step in STEPS {
            at_step(world, &shop, step, how).await.within(&format!("restart at {step}"))?;
            ensure_eq!(world.place().picture().await?, before, "the location after a restart at {step}");
            ensure_eq!(world.place().unfinished().await?, 0, "uploads after a restart at {step}");
        }
    }
    amid_rows(world, &shop).await?;
    ensure_eq!(world.place().picture().await?, before, "the location after a restart amid rows");
    ensure_eq!(world.place().unfinished().await?, 0, "uploads after a restart amid rows");
    ensure_eq!(world.keys(&shop).await?, vec![good], "dumps after the restarts");
    world.dump(&shop).await?;
    Ok(())
}

/// Holds the dump at `step`, restarts the server, and lets it go on.
async fn at_step(world: &World, shop: &str, step: &str, how: Shutdown) -> RowResult {
    let pause = world.folder().join("pause");
    let run = world
        .lastgood(["pg", "dump", shop])
        .env("LASTGOOD_PAUSE_AT", step)
        .env("LASTGOOD_PAUSE_FILE", pause.display().to_string())
        .start()?;
    for _ in 0..1_000 {
        if pause.exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    ensure!(pause.exists(), "the dump never came to {step}");
    world.cluster().restart(how)?;
    std::fs::remove_file(&pause)?;
    let output = run.finish().await?;
    ensure!(matches!(output.code(), Some(21 | 22)), "it should end with 21 or 22, and ended with {:?}", output.code());
    Ok(())
}

/// Restarts the server as soon as rows flow. A dump that was faster is no failure of anything; it must then be whole.
async fn amid_rows(world: &World, shop: &str) -> RowResult {
    let mut run = world.lastgood(["pg", "dump", shop, "--config", "amid"]).env("LASTGOOD_PROGRESS", "json").start()?;
    run.wait_for("\"advance\"").await?;
    world.cluster().restart(Shutdown::Immediate)?;
    let output = run.finish().await?;
    ensure!(matches!(output.code(), Some(21 | 22)), "it should end with 21 or 22, and ended with {:?}", output.code());
    Ok(())
}
