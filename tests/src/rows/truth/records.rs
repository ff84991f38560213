//! The last good backup of an application: rows W1, W2 and W3 of records.

use std::collections::BTreeMap;

use backup_testkit::postgres::{Cluster, ClusterOptions};
use serde_json::{Map, Value, json};

use crate::harness::failure::Within as _;
use crate::harness::{Area, Locations, Output, Row, RowResult, World};
use crate::rows::core::craft::sealed;
use crate::{ensure, ensure_eq};

/// Exit codes: refused, a mistake of whoever typed it, a confirmation that is missing.
const REFUSED: i32 = 1;
const USAGE: i32 = 2;
const CONFIRM: i32 = 15;

const USERS: &str = "{\"id\": 1}\n{\"id\": 2}\n{\"id\": 3}\n";
const ORDERS: &str = "{\"id\": 7}\n{\"id\": 8}\n";

const BACKUP: [&str; 4] = ["app", "backup", "--source", "ndjson:records"];

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    use Locations::Both;
    vec![
        Row::new("W1-app", "a selection of types is never the application's backup", Area::Truth, Both, |world| {
            Box::pin(selection(world))
        }),
        Row::new("W1-app-all", "all types by their names are complete; -n says what is not", Area::Truth, Both, |w| {
            Box::pin(all_named(w))
        }),
        Row::new("W2-app", "a file of one path on two machines, and two files", Area::Truth, Both, |world| {
            Box::pin(machines(world))
        }),
        Row::new("W2-app-pg", "databases of one name, and schemas of one database", Area::Truth, Both, |world| {
            Box::pin(databases(world))
        }),
        Row::new("W2-app-older", "backups that do not say where they come from", Area::Truth, Both, |world| {
            Box::pin(older(world))
        }),
        Row::new("W3-app", "no records, no files, no database: refused, also by -n", Area::Truth, Both, |world| {
            Box::pin(nothing(world))
        }),
        Row::new("W3-app-fall", "records fall by more than half: told, or refused", Area::Truth, Both, |world| {
            Box::pin(fall(world))
        }),
    ]
}

/// A folder of records in the working directory of every command.
fn records(world: &World, folder: &str, files: &[(&str, &str)]) -> RowResult {
    let path = world.folder().join(folder);
    std::fs::create_dir_all(&path)?;
    for (file, content) in files {
        std::fs::write(path.join(file), content)?;
    }
    Ok(())
}

fn read(world: &World, path: &str) -> RowResult<String> {
    Ok(std::fs::read_to_string(world.folder().join(path))?)
}

/// The key of the backup that was made.
fn key(report: &Output) -> RowResult<String> {
    Ok(report.json()?["key"].as_str().unwrap_or_default().to_owned())
}

async fn made(world: &World, options: &[&str]) -> RowResult<String> {
    key(&world.lastgood(BACKUP).args(["--json"]).args(options.iter().copied()).ok().await?)
}

/// The backups of a listing with their states, oldest first.
async fn states(world: &World, options: &[&str]) -> RowResult<Vec<(String, String)>> {
    let listed = world.lastgood(["app", "ls", "--json"]).args(options.iter().copied()).ok().await?.json()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(listed.as_array().into_iter().flatten().map(|entry| (text(&entry["key"]), text(&entry["state"]))).collect())
}

fn state(key: &str, state: &str) -> (String, String) {
    (key.to_owned(), state.to_owned())
}

async fn selection(world: &World) -> RowResult {
    records(world, "records", &[("users.json", USERS), ("orders.json", ORDERS)])?;
    // Nothing complete is there yet: a selection is taken by its key alone, and is no reason to skip the whole.
    let first = made(world, &["--type", "orders"]).await?;
    let refused = world.lastgood(["app", "restore", "--to", "ndjson:out"]).fails(REFUSED).await?;
    refused.says("no complete backup")?.says("app ls")?;
    ensure!(!world.folder().join("out").exists(), "a refused restore wrote");
    let full = made(world, &["--min-age", "1h"]).await?;
    ensure!(full.starts_with("backup/"), "the whole was skipped for a selection");

    let partial = made(world, &["--type", "orders"]).await?;
    let expected = vec![state(&first, "partial"), state(&full, "good"), state(&partial, "partial")];
    ensure_eq!(states(world, &[]).await?, expected, "the listing");
    let pointer: Value = serde_json::from_slice(&world.place().read("app/backup/latest.json").await?)?;
    ensure_eq!(pointer["manifest"], json!(format!("app/{full}.manifest.json")), "what the pointer names");
    for rules in [&["--keep-last", "1"][..], &["--keep-daily", "7", "--keep-weekly", "4"], &["--keep-within", "1h"]] {
        world.lastgood(["app", "prune", "--yes"]).args(rules.iter().copied()).ok().await?;
        ensure!(states(world, &[]).await?.contains(&state(&full, "good")), "the whole went with {rules:?}");
    }
    let restored = world.lastgood(["app", "restore", "--to", "ndjson:out"]).ok().await?;
    restored.says(&full)?.says("skipped 1 newer")?.says(&partial)?;
    ensure_eq!(read(world, "out/users--users.json")?.as_str(), USERS, "the records of the type that is in the whole");
    for command in [&["app", "show"][..], &["app", "verify", "latest"], &["app", "cat", "latest", "users"]] {
        world.lastgood(command.iter().copied()).ok().await.within("the latest")?;
    }

    // The one type that was selected loses nothing of the other, and the whole is still compared with the whole.
    records(world, "records", &[("users.json", "")])?;
    world.lastgood(BACKUP).fails(CONFIRM).await?.says("`users--users` had 3")?;

    let by_key = ["app", "restore", partial.as_str(), "--to", "ndjson:part"];
    world.lastgood(by_key).args(["-n"]).ok().await?.says("IS PARTIAL")?.says("left out on request: users")?;
    let refused = world.lastgood(by_key).args(["--type", "users"]).fails(USAGE).await?;
    refused.says(&partial)?.says("has no type `users")?.says("it has `orders`")?;
    world.lastgood(by_key).ok().await?.says("IS PARTIAL")?;
    ensure_eq!(read(world, "part/orders--orders.json")?.as_str(), ORDERS, "the records of the type that is there");
    Ok(())
}

async fn all_named(world: &World) -> RowResult {
    records(world, "records", &[("users.json", USERS), ("orders.json", ORDERS)])?;
    let named = made(world, &["--type", "users", "--type", "orders"]).await?;
    ensure_eq!(states(world, &[]).await?, [state(&named, "good")], "a backup of all types by their names");
    let plan = world.lastgood(BACKUP).args(["--type", "users", "-n", "--json"]).ok().await?.json()?;
    ensure_eq!((&plan["complete"], &plan["left_out"]), (&json!(false), &json!(["orders"])), "the plan of a selection");
    let plan = world.lastgood(BACKUP).args(["-n", "--json"]).ok().await?.json()?;
    ensure_eq!(plan["complete"], true, "the plan of everything");
    // A type that came since is left out of what was everything before.
    records(world, "records", &[("items.json", ORDERS)])?;
    let fewer = world.lastgood(BACKUP).args(["--type", "users", "--type", "orders"]).ok().await?;
    fewer.says("partial: never counts as the last good one")?;
    // A program cannot tell what else there is: what is named is everything.
    std::fs::write(world.folder().join("export.sh"), "cat records/$1.json")?;
    let program = ["app", "backup", "--name", "exec", "--source", "exec:sh export.sh {type}", "--type"];
    let report = world.lastgood(program).args(["users", "--json"]).ok().await?;
    ensure_eq!(states(world, &["exec"]).await?, [state(&key(&report)?, "good")], "a backup by a program");
    world.lastgood(program).args(["orders"]).fails(CONFIRM).await?.says("`users--users` had 3")?;
    Ok(())
}

/// Everything the location holds but the marker and the lock of a location.
async fn objects(world: &World) -> RowResult<BTreeMap<String, String>> {
    let mut picture = world.place().picture().await?;
    picture.retain(|key, _| key.starts_with("app/"));
    Ok(picture)
}

async fn machines(world: &World) -> RowResult {
    records(world, "records", &[("users.json", USERS), ("orders.json", ORDERS)])?;
    let on = |host: &str, command: &[&str]| world.lastgood(command.iter().copied()).env("LASTGOOD_HOST", host);
    let backup = ["app", "backup", "--source", "ndjson:records", "--json"];
    let first = key(&on("web1", &backup).ok().await?)?;
    // The same path on another machine has next to nothing: that is no loss of the first.
    records(world, "records", &[("users.json", "{\"id\": 1}\n")])?;
    std::fs::remove_file(world.folder().join("records/orders.json"))?;
    let second = on("web2", &backup).args(["--max-shrink", "10"]).ok().await?;
    second.clone().says("first backup of")?.says("web1")?;
    ensure!(second.json()?.get("fall").is_none(), "a fall from one machine to another is told");
    let second = key(&second)?;

    let latest = ["app", "restore", "--to", "ndjson:records", "-n", "--json"];
    for (host, own) in [("web1", &first), ("web2", &second)] {
        let plan = on(host, &latest).ok().await?.json()?;
        ensure_eq!(plan["key"], own.as_str(), "the latest on {host}");
        ensure_eq!(plan["same_source"], true, "whether it is its own");
    }
    let asked = on("web3", &latest).fails(USAGE).await?;
    asked.says("2 sources")?.says("web1:")?.says("web2:")?.says("--source")?;
    let plan = on("web3", &latest).args(["--source", "web1"]).ok().await?.json()?;
    ensure_eq!((&plan["key"], &plan["same_source"]), (&json!(first), &json!(false)), "the one that is named");
    on("web3", &["app", "restore", &first, "--to", "ndjson:records", "-n"]).ok().await?.says("from another source")?;
    for command in [&["app", "show"][..], &["app", "verify", "latest"], &["app", "cat", "latest", "users"]] {
        world.lastgood(command.iter().copied()).fails(USAGE).await?.says("2 sources")?;
        world.lastgood(command.iter().copied()).args(["--source", "web2"]).ok().await?;
    }
    world.lastgood(["app", "show", "--source", "web9"]).fails(USAGE).await?.says("web9")?.says("web1:")?;
    world.lastgood(["app", "ls"]).ok().await?.says("web1:")?.says("web2:")?;
    ensure_eq!(states(world, &["--source", "web2"]).await?, [state(&second, "good")], "the backups of one machine");
    world.lastgood(["app", "show", &first]).ok().await?.says("web1:")?;

    // A young backup of another machine is nobody's reason to skip.
    let third = on("web3", &backup).args(["--min-age", "1h"]).ok().await?.json()?;
    ensure_eq!(third["result"], "written", "a first backup while others' are young");
    on("web2", &backup).args(["--min-age", "1h"]).ok().await?.says("skipped")?;

    // Retention keeps the last good one of each, and touches only those that are named.
    let newer = key(&on("web2", &backup).ok().await?)?;
    world.lastgood(["app", "prune", "--source", "web1", "--keep-last", "1", "--yes"]).ok().await?.says("Deleted 0")?;
    world.lastgood(["app", "prune", "--keep-last", "1", "--yes"]).ok().await?.says("Deleted 1 backup")?;
    let left: Vec<String> = states(world, &[]).await?.into_iter().map(|(key, _)| key).collect();
    ensure!(left.len() == 3 && left.contains(&first) && left.contains(&newer), "left are {left:?}");
    files(world).await
}

/// Two files of one machine; a link to one of them is no third.
async fn files(world: &World) -> RowResult {
    for (name, file) in [("seed", "app.db"), ("other", "other.db")] {
        world.lastgood(BACKUP).args(["--name", name]).ok().await?;
        world.lastgood(["app", "restore", "--name", name, "--to", &format!("sqlite:{file}")]).ok().await?;
    }
    std::os::unix::fs::symlink("app.db", world.folder().join("link.db"))?;
    let backup = async |file: &str| -> RowResult<String> {
        let source = format!("sqlite:{file}");
        key(&world.lastgood(["app", "backup", "--name", "files", "--json", "--source", &source]).ok().await?)
    };
    backup("app.db").await?;
    let by_link = backup("link.db").await?;
    let other = backup("other.db").await?;
    for (file, own) in [("app.db", &by_link), ("link.db", &by_link), ("other.db", &other)] {
        let to = format!("sqlite:{file}");
        let command = ["app", "restore", "--name", "files", "--to", &to, "--on-conflict", "replace", "--json"];
        ensure_eq!(world.lastgood(command).ok().await?.json()?["key"], own.as_str(), "the latest of {file}");
    }
    world.lastgood(["app", "show", "--name", "files"]).fails(USAGE).await?.says("2 sources")?;
    Ok(())
}

async fn databases(world: &World) -> RowResult {
    let shop = world.create("shop")?;
    let fill = |rows: u32| {
        format!(
            "CREATE TABLE users (id text PRIMARY KEY, value json);
             INSERT INTO users SELECT g::text, json_build_object('id', g::text) FROM generate_series(1, {rows}) g;"
        )
    };
    world.psql(&shop, &fill(100))?;
    let other = Cluster::start(ClusterOptions::default())?;
    other.create_database(&shop)?;
    other.psql(&shop, &fill(1))?;
    let on_other = |command: &[&str]| {
        let command = world.lastgood(command.iter().copied());
        other.env().into_iter().fold(command, |command, (name, value)| command.env(name, value))
    };
    let source = format!("postgres:{shop}");
    let backup = ["app", "backup", "--source", source.as_str(), "--json"];
    let first = key(&world.lastgood(backup).ok().await?)?;
    let second = on_other(&backup).ok().await?;
    ensure!(second.json()?.get("fall").is_none(), "a fall across clusters is told");
    let second = key(&second)?;
    let latest = ["app", "restore", "--to", source.as_str(), "--on-conflict", "replace", "-n", "--json"];
    ensure_eq!(world.lastgood(latest).ok().await?.json()?["key"], first.as_str(), "the latest on the first server");
    ensure_eq!(on_other(&latest).ok().await?.json()?["key"], second.as_str(), "and on the second");
    world.lastgood(["app", "restore", "--to", "ndjson:out"]).fails(USAGE).await?.says("2 sources")?;
    world.lastgood(["app", "prune", "--keep-last", "1", "--yes"]).ok().await?.says("Deleted 0 backups")?;

    // Tenants, each with a schema of its own, see tables of one name in one database.
    let tenants = world.create("tenants")?;
    let source = format!("postgres:{tenants}");
    let mut own = Vec::new();
    for (tenant, rows) in [("anna", 50), ("bert", 1)] {
        let tenant = world.name(tenant);
        let password = world.cluster().password();
        let role = format!("CREATE ROLE {tenant} LOGIN SUPERUSER PASSWORD '{password}'; CREATE SCHEMA {tenant}");
        world.psql(&tenants, &format!("{role}; SET search_path = {tenant}; {}", fill(rows)))?;
        let backup = ["app", "backup", "--name", "tenants", "--source", &source, "--json"];
        let report =
            world.lastgood(backup).env("PGUSER", &tenant).env("PGPASSWORD", world.cluster().password()).ok().await?;
        ensure!(report.json()?.get("fall").is_none(), "a fall from tenant to tenant is told");
        own.push((tenant, key(&report)?));
    }
    for (tenant, own) in &own {
        let command =
            ["app", "restore", "--name", "tenants", "--to", &source, "--on-conflict", "replace", "-n", "--json"];
        let plan = world
            .lastgood(command)
            .env("PGUSER", tenant)
            .env("PGPASSWORD", world.cluster().password())
            .ok()
            .await?
            .json()?;
        ensure_eq!(plan["key"], own.as_str(), "the latest of {tenant}");
    }
    for (tenant, _) in &own {
        world.psql(&tenants, &format!("DROP SCHEMA {tenant} CASCADE; DROP ROLE {tenant}"))?;
    }
    Ok(())
}

/// What an earlier version wrote has no identity: a source of its own.
async fn older(world: &World) -> RowResult {
    records(world, "records", &[("users.json", USERS), ("orders.json", ORDERS)])?;
    let old = made(world, &[]).await?;
    let manifest = format!("app/{old}.manifest.json");
    let mut fields: Map<String, Value> = serde_json::from_slice(&world.place().read(&manifest).await?)?;
    fields.remove("identity");
    fields.remove("complete");
    world.place().write(&manifest, &sealed(fields)?).await?;
    let latest = ["app", "restore", "--to", "ndjson:out", "-n", "--json"];
    let plan = world.lastgood(latest).ok().await?.json()?;
    ensure_eq!(plan["key"], old.as_str(), "the only backup there is");
    ensure!(plan.get("source").is_none() && plan.get("same_source").is_none(), "where it is from: {plan}");
    // Less than the old one has, and nothing to compare it with.
    records(world, "records", &[("users.json", "{\"id\": 1}")])?;
    let report = world.lastgood(BACKUP).args(["--json"]).ok().await?;
    report.clone().says("first backup of")?.says("unknown")?;
    let new = key(&report)?;
    ensure_eq!(world.lastgood(latest).ok().await?.json()?["key"], new.as_str(), "the one that says");
    let unknown = world.lastgood(latest).args(["--source", "unknown"]).ok().await?.json()?;
    ensure_eq!(unknown["key"], old.as_str(), "the one that does not say");
    world.lastgood(["app", "prune", "--keep-last", "1", "--yes"]).ok().await?;
    ensure_eq!(states(world, &[]).await?, [state(&old, "good"), state(&new, "good")], "backups after the prune");
    Ok(())
}

async fn nothing(world: &World) -> RowResult {
    records(world, "records", &[("users.json", USERS)])?;
    made(world, &[]).await?;
    records(world, "blank", &[("users.json", "\n"), ("orders.json", "")])?;
    records(world, "notes", &[("readme.txt", "no records")])?;
    records(world, "none", &[])?;
    std::fs::write(world.folder().join("empty.db"), "")?;
    std::fs::write(world.folder().join("text.db"), "this is no database ".repeat(100))?;
    let empty = format!("postgres:{}", world.create("empty")?);
    let schemaless = world.create("schemaless")?;
    world.psql(&schemaless, "DROP SCHEMA public")?;
    let schemaless = format!("postgres:{schemaless}");
    let before = objects(world).await?;
    let consent = [
        ("ndjson:blank", "no type has any records"),
        ("ndjson:notes", "no file of records"),
        ("ndjson:none", "no file of records"),
        ("sqlite:empty.db", "no table with the columns"),
        (empty.as_str(), "no table with the columns"),
        (schemaless.as_str(), "no table with the columns"),
    ];
    let wrong = [
        ("ndjson:missing", "there is no folder"),
        ("ndjson:text.db", "is not a folder"),
        ("sqlite:missing.db", "there is no SQLite database"),
        ("sqlite:none", "is a folder"),
        ("sqlite:text.db", "is not a SQLite database"),
    ];
    for end in [&[][..], &["-n"]] {
        for (source, why) in consent {
            let command = ["app", "backup", "--name", "new", "--source", source];
            let refused = world.lastgood(command).args(end.iter().copied()).fails(CONFIRM).await.within(source)?;
            refused.says(why)?.says("--allow-empty")?;
        }
        for (source, why) in wrong {
            let command = ["app", "backup", "--name", "new", "--allow-empty", "--source", source];
            world.lastgood(command).args(end.iter().copied()).fails(USAGE).await.within(source)?.says(why)?;
        }
        // The application that is there has lost what it had.
        records(world, "records", &[("users.json", "")])?;
        world.lastgood(BACKUP).args(end.iter().copied()).fails(CONFIRM).await?.says("`users--users` had 3")?;
        std::fs::remove_file(world.folder().join("records/users.json"))?;
        world.lastgood(BACKUP).args(end.iter().copied()).fails(CONFIRM).await?.says("`users--users` had 3")?;
        ensure_eq!(objects(world).await?, before, "the location after refusals");
        ensure_eq!(world.place().unfinished().await?, 0, "uploads after refusals");
    }
    let program = ["app", "backup", "--name", "new", "--source", "exec:true {type}", "--type", "t"];
    world.lastgood(program).fails(CONFIRM).await?.says("no type has any records")?;
    for (number, (source, _)) in consent.iter().enumerate() {
        let name = format!("allowed{number}");
        let command = ["app", "backup", "--allow-empty", "--name", &name, "--source", source];
        world.lastgood(command).ok().await.within(source)?;
    }
    Ok(())
}

async fn fall(world: &World) -> RowResult {
    let fill = |rows: u32| {
        let lines: String = (0..rows).map(|row| format!("{{\"id\": {row}}}\n")).collect();
        records(world, "records", &[("rows.json", &lines), ("more.json", USERS)])
    };
    fill(10_000)?;
    let full = made(world, &[]).await?;
    fill(9_000)?;
    let quiet = world.lastgood(BACKUP).ok().await?;
    ensure!(!quiet.stderr.contains("smaller than"), "a small fall is told: {}", quiet.stderr);
    fill(100)?;
    let before = objects(world).await?;
    let refused = world.lastgood(BACKUP).args(["--max-shrink", "50"]).fails(CONFIRM).await?;
    refused.says("nothing was published")?.says("--max-shrink")?;
    ensure_eq!(objects(world).await?, before, "the location after the refusal");
    ensure_eq!(world.place().unfinished().await?, 0, "uploads after the refusal");
    // A selection holds less for a reason, and is not compared with.
    let partial = world.lastgood(BACKUP).args(["--type", "more", "--max-shrink", "0"]).ok().await?;
    ensure!(!partial.stderr.contains("smaller than"), "a selection's fall is told: {}", partial.stderr);
    let report = world.lastgood(BACKUP).args(["--json"]).ok().await?;
    report.clone().says("99 % smaller than")?.says("103 records instead of 9,003")?;
    let fall = &report.json()?["fall"];
    ensure_eq!((&fall["before"]["rows"], &fall["now"]["rows"]), (&json!(9_003), &json!(103)), "records before and now");
    ensure!(states(world, &[]).await?.contains(&state(&full, "good")), "the first backup is gone");
    Ok(())
}
