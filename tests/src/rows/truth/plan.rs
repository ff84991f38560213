//! A dry run ends as the run would: rows W12.

mod cases;

use self::cases::{Case, applications, memory, postgres};
use crate::harness::failure::Within as _;
use crate::harness::{Area, Failure, Locations, Row, RowResult, World};
use crate::{ensure, ensure_eq};

/// Exit codes.
const FAILED: i32 = 1;
const HELD: i32 = 11;
const CONFIRMATION: i32 = 15;

/// The password of every role here; what is called like it would be masked.
const PASSWORD: &str = "not a name";

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    let (truth, both) = (Area::Truth, Locations::Both);
    vec![
        Row::new("W12", "what a run refuses, its dry run refuses: databases", truth, both, |world| {
            Box::pin(databases(world))
        })
        .own_server(),
        Row::new("W12b", "doctor finds what a dump would be refused", truth, both, |world| Box::pin(doctor(world)))
            .own_server(),
        Row::new("W12c", "what a run refuses, its dry run refuses: stores and records", truth, both, |world| {
            Box::pin(others(world))
        }),
        Row::new("W12d", "a plan says what its run needs, and what another run is at", truth, both, |world| {
            Box::pin(needs(world))
        })
        .own_server(),
    ]
}

/// Runs each case twice, dry first: both end alike and for the same reason, and nothing is changed.
async fn each(world: &World, cases: Vec<Case>) -> RowResult {
    for case in cases {
        let what = format!("{:?} {:?}", case.words, case.environment);
        for dry in [true, false] {
            let (stored, databases) = (world.place().picture().await?, world.databases()?);
            let command = world.lastgood(case.words.clone());
            let command = case.environment.iter().fold(command, |command, (name, value)| command.env(*name, value));
            let command = if dry { command.arg("-n") } else { command };
            let output = command.fails(case.code).await.within(&what).within(if dry { "dry" } else { "run" })?;
            output.says(&case.said).within(&what).within(if dry { "dry" } else { "run" })?;
            ensure_eq!(world.place().picture().await?, stored, "the location after {what}");
            ensure_eq!(world.databases()?, databases, "the databases after {what}");
        }
    }
    Ok(())
}

async fn databases(world: &World) -> RowResult {
    each(world, postgres::cases(world).await?).await?;
    // A restore that was killed: whoever may not mend it is told so, dry or not.
    let shop = world.name("shop");
    let copy = world.name("killed");
    let killed = world.lastgood(["pg", "restore", &shop, "--into", &copy]).env("LASTGOOD_CRASH_AT", "restore.data");
    killed.run().await?.expect_killed()?;
    each(world, vec![Case::new(&["pg", "recover"], FAILED, "").by("weak")]).await?;
    world.lastgood(["pg", "recover", "-n"]).ok().await?;
    ensure_eq!(world.leftovers()?.len(), 1, "what the killed run left");
    world.lastgood(["pg", "recover"]).ok().await?;
    Ok(())
}

async fn others(world: &World) -> RowResult {
    each(world, memory::cases(world).await?).await?;
    each(world, applications::cases(world).await?).await
}

async fn doctor(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let empty = world.create("empty")?;
    world.psql("postgres", "CREATE ROLE reader LOGIN PASSWORD 'not a name'")?;
    let examine = |database: &str, user: &str| {
        let command = world.lastgood(["doctor", database]);
        if user.is_empty() { command } else { command.env("PGUSER", user).env("PGPASSWORD", PASSWORD) }
    };
    world.lastgood(["init"]).ok().await?;
    let said = examine(&shop, "reader").fails(FAILED).await?;
    said.says("fail  no permission to read `large object 777`, `public.customers`")?.says("cannot create databases")?;
    world.psql("postgres", "GRANT pg_read_all_data TO reader")?;
    // Large objects are no part of that role.
    examine(&shop, "reader").fails(FAILED).await?.says("`large object 777`")?;
    world.psql(&shop, "GRANT SELECT ON LARGE OBJECT 777 TO reader")?;
    examine(&shop, "reader").ok().await?.says("can read all of")?;
    world.psql(&shop, "ALTER TABLE orders ENABLE ROW LEVEL SECURITY")?;
    examine(&shop, "reader").fails(FAILED).await?.says("row security would hide rows of `public.orders`")?;
    examine(&shop, "").ok().await?.says("2 tables with rows")?;
    examine(&empty, "").fails(FAILED).await?.says("has no tables")?;
    examine("nowhere", "").fails(FAILED).await?.says("there is no database `nowhere`")?;
    Ok(())
}

async fn needs(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.dump(&shop).await?;
    // Nothing but the confirmation is missing: whoever only looks need not give it, and is told.
    let needed = format!("requires --confirm-database {shop}");
    for words in [vec!["pg", "restore", &shop], vec!["pg", "drop-local", &shop]] {
        world.lastgood(words.clone()).arg("-n").ok().await?.says(&needed)?;
        world.lastgood(words.clone()).fails(CONFIRMATION).await?;
        world.lastgood(words).args(["-n", "--confirm-database", &shop]).ok().await?.never_says(&needed)?;
    }
    // Whatever stands against a plan, it is shown: on standard output, and as the error that the run ends with.
    let refused = world.lastgood(["pg", "restore", &shop, "--into", "postgres", "-n", "--json"]).fails(FAILED).await?;
    let plan = refused.json()?;
    let problem = plan["problems"][0]["what"].as_str().unwrap_or_default();
    ensure!(problem.contains("maintenance database"), "the plan names {problem}");
    let error: serde_json::Value = serde_json::from_str(refused.stderr.lines().last().unwrap_or_default())?;
    ensure_eq!(error["exit"].as_i64(), Some(1), "the error's exit code");
    ensure!(error["message"].as_str().is_some_and(|message| message.contains(problem)), "the error says {error}");
    held(world, &shop).await
}

/// While another run is at a target, both forms are told so.
async fn held(world: &World, shop: &str) -> RowResult {
    let pause = world.folder().join("pause");
    let copy = world.name("copy");
    let first = world
        .lastgood(["pg", "restore", shop, "--into", &copy])
        .env("LASTGOOD_PAUSE_AT", "restore.create")
        .env("LASTGOOD_PAUSE_FILE", pause.display().to_string())
        .start()?;
    for _ in 0..1_000 {
        if pause.exists() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    ensure!(pause.exists(), "the restore never came to its step");
    for words in [vec!["pg", "restore", shop, "--into", &copy], vec!["pg", "copy", shop, &copy]] {
        for dry in [&["-n"][..], &[]] {
            let output = world.lastgood(words.clone()).args(dry.to_vec()).fails(HELD).await?;
            output.says("another lastgood is restoring")?;
        }
    }
    std::fs::remove_file(&pause).map_err(|error| Failure::new(error.to_string()))?;
    first.finish().await?.expect_code(0)?;
    Ok(())
}
