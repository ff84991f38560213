//! Cases of `lastgood app`.

use super::Case;
use crate::harness::{RowResult, World};

/// Exit codes.
const FAILED: i32 = 1;
const USAGE: i32 = 2;
const CONFIRMATION: i32 = 15;
const NO_RULE: i32 = 14;

pub(in super::super) async fn cases(world: &World) -> RowResult<Vec<Case>> {
    let write = |path: &str, text: &str| -> RowResult {
        let path = world.folder().join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(world.folder()))?;
        Ok(std::fs::write(path, text)?)
    };
    write("records/User--users.json", "{\"id\":\"1\"}\n{\"id\":\"2\"}\n")?;
    world.lastgood(["app", "backup", "--source", "ndjson:records"]).ok().await?;
    // One record that is there already, and a file that is no database.
    world.lastgood(["app", "restore", "--to", "sqlite:there.sqlite"]).ok().await?;
    write("no.sqlite", "this is no database at all")?;
    let shop = world.create("records")?;
    world.lastgood(["app", "restore", "--to", &format!("postgres:{shop}")]).ok().await?;
    let restore = |to: &str, code, said: &str| Case::new(&["app", "restore", "--to", to], code, said);
    // Records that could not be restored, and a type that had some and has none any more.
    write("twisted/User--users.json", "{\"id\":\"1\"}\n{\"no\":\"id\"}\n")?;
    write("emptied/User--users.json", "")?;
    let backup = |from: &str, code, said: &str| Case::new(&["app", "backup", "--source", from], code, said);
    Ok(vec![
        backup("ndjson:twisted", FAILED, "record 2"),
        backup("ndjson:emptied", CONFIRMATION, "has nothing to back up"),
        restore("sqlite:there.sqlite", FAILED, "already has a record `1`"),
        restore("sqlite:no.sqlite", FAILED, "no.sqlite"),
        restore("sqlite:nowhere/new.sqlite", FAILED, "nowhere"),
        restore("ndjson:records", FAILED, "already exists"),
        restore("ndjson:nowhere/records", FAILED, "nowhere"),
        restore(&format!("postgres:{shop}"), FAILED, "already has a record `1`"),
        restore("postgres:nowhere", FAILED, "there is no database `nowhere`"),
        restore("mysql:nowhere", USAGE, "--to"),
        Case::new(&["app", "restore", "--to", "ndjson:new", "--type", "Nothing"], USAGE, "Nothing"),
        Case::new(&["app", "backup", "--source", "sqlite:nowhere.sqlite"], USAGE, "nowhere.sqlite"),
        Case::new(&["app", "backup", "--source", "ndjson:records", "--type", "Nothing"], USAGE, "Nothing"),
        Case::new(&["app", "backup", "--source", "postgres:nowhere"], FAILED, "there is no database `nowhere`"),
        Case::new(&["app", "prune"], NO_RULE, ""),
    ])
}
