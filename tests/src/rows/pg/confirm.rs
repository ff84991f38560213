//! Nothing is replaced, and no secret shown, by mistake.

use std::time::Duration;

use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// Exit code for a missing confirmation.
const CONFIRM: i32 = 15;

/// Without a terminal, the name must be on the command line.
pub(super) async fn needs_the_name(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let key = world.dump(&shop).await?;
    world.set_version(&shop, 2)?;
    let before = (world.checksum(&shop)?, world.databases()?);
    let upper = shop.to_uppercase();
    let cut = &shop[..shop.len() - 1];
    let refused: [&[&str]; 7] = [
        &[],
        &["--yes"],
        &["--confirm-database", "other"],
        &["--confirm-database", &upper],
        &["--confirm-database", cut],
        &["--confirm-database", ""],
        &["--confirm-database", &key],
    ];
    for options in refused {
        for wanted in [&key, &shop] {
            // Whoever pipes `yes` into it has not confirmed anything.
            let command = world.lastgood(["pg", "restore", wanted]).stdin(format!("{shop}\ny\nyes\n"));
            let command = options.iter().fold(command, |command, option| command.arg(*option));
            let output = command.limit(Duration::from_secs(30)).fails(CONFIRM).await.within(&format!("{options:?}"))?;
            output.says("--confirm-database")?;
            ensure_eq!((world.checksum(&shop)?, world.databases()?), before, "the server after {options:?}");
        }
    }
    // The name of what is replaced, not of what was dumped.
    let other = world.sample("other")?;
    world.lastgood(["pg", "restore", &key, "--into", &other, "--confirm-database", &shop]).fails(CONFIRM).await?;
    world.lastgood(["pg", "restore", &key, "--into", &other, "--confirm-database", &other]).ok().await?;
    let copy = world.name("copy");
    world.lastgood(["pg", "restore", &key, "--into", &copy]).ok().await?;
    world.lastgood(["pg", "restore", &key, "--into", &copy]).fails(CONFIRM).await?;
    ensure_eq!(world.checksum(&shop)?, before.0, "the live database");
    Ok(())
}

/// A URL with a password.
pub(super) async fn password_refused(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let cluster = world.cluster();
    let (host, port, user) = (cluster.host(), cluster.port(), cluster.superuser());
    let secret = "hunter2-not-for-your-eyes";
    let arguments = [
        format!("postgresql://{user}:{secret}@{host}:{port}/{shop}"),
        format!("postgres://{host}:{port}/{shop}?user={user}&password={secret}"),
        format!("host={host} port={port} user={user} password={secret} dbname={shop}"),
        format!("host={host} password='{secret}' dbname={shop}"),
    ];
    let before = world.place().picture().await?;
    for argument in &arguments {
        for command in ["dump", "restore", "ls", "recover"] {
            let output = world.lastgood(["pg", command, argument]).fails(2).await.within(argument)?;
            output.never_says(secret)?.says("PGPASSFILE").within(argument)?;
        }
    }
    ensure_eq!(world.place().picture().await?, before, "the location after what was refused");
    // Without it, and with it in the environment.
    let url = format!("postgresql://{user}@{host}:{port}/{shop}");
    world.lastgood(["pg", "dump", &url]).ok().await?;
    let password = cluster.password();
    let in_environment = format!("postgresql://{user}:{password}@{host}:{port}/{shop}");
    for name in ["LASTGOOD_PG_URL", "DATABASE_URL"] {
        let run =
            world.lastgood(["pg", "dump", "-v", "-v"]).env("PGPASSFILE", "/nonexistent").env(name, &in_environment);
        run.ok().await?.never_says(password)?;
    }
    Ok(())
}

/// `-n` shows a plan and changes neither server nor location.
pub(super) async fn dry_runs(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let refused = world.lastgood(["pg", "restore", &shop, "-n"]).run().await?;
    ensure!(refused.code() != Some(0), "a restore of nothing was planned");
    let made = world.place().picture().await?;
    world.lastgood(["pg", "dump", &shop, "-n"]).ok().await?;
    ensure_eq!(world.place().picture().await?, made, "the location after the dry run of a first dump");
    let key = world.dump(&shop).await?;
    let before = (world.place().picture().await?, world.checksum(&shop)?, world.databases()?);
    for command in [
        vec!["pg", "dump", &shop, "-n"],
        vec!["pg", "restore", &key, "-n"],
        vec!["pg", "restore", &shop, "-n", "--confirm-database", &shop],
        vec!["pg", "restore", &shop, "-n", "--into", "new"],
        vec!["pg", "prune", &shop, "-n", "--keep-last", "1"],
        vec!["pg", "prune", "-n", "--incomplete"],
        vec!["pg", "recover", "-n"],
    ] {
        world.lastgood(command.clone()).ok().await?;
        world.lastgood(command.clone()).arg("--json").ok().await?.json()?;
        let now = (world.place().picture().await?, world.checksum(&shop)?, world.databases()?);
        ensure_eq!(now, before, "server and location after {command:?}");
    }
    Ok(())
}
