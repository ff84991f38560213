//! C14: keys that would lead somewhere else.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::craft::{self, created};
use crate::ensure_eq;
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};

/// Keys nobody may have, and where in them it goes wrong.
fn hostile(dump: &str) -> Vec<(String, usize)> {
    let (database, name) = dump.split_once('/').unwrap_or((dump, ""));
    let end = database.len() + 1;
    vec![
        ("../outside".to_owned(), 0),
        (format!("{database}/../{name}"), end),
        (format!("{database}//{name}"), end),
        (format!("{database}/./{name}"), end),
        (format!("/{dump}"), 0),
        (format!("{dump}\r\nx"), dump.len()),
        (format!("{dump}\\x"), dump.len()),
        (format!("{dump}\u{1b}[2J"), dump.len()),
        ("x".repeat(2_000), 900),
    ]
}

/// C14.
pub(super) async fn hostile_keys(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let dump = world.dump(&shop).await?;
    let before = (surroundings(world)?, world.place().picture().await?, created(world)?);
    for (key, position) in hostile(&dump) {
        let copy = world.name("copy");
        let commands =
            [vec!["pg", "show", &key], vec!["pg", "verify", &key], vec!["pg", "restore", &key, "--into", &copy]];
        for command in commands {
            let output = world.lastgood(command.clone()).fails(2).await.within(&format!("{command:?}"))?;
            output.says(&format!("at byte {position}"))?.never_says("\u{1b}")?;
        }
    }
    for location in ["s3://backups/a//b", "s3://backups/../b", "s3://backups/a\r\nb", "", "file:///a%00b", "s3://"] {
        let output = world.lastgood(["pg", "ls", "-r", location]).fails(2).await;
        output.within(&format!("the location {location:?}"))?;
    }
    let output = world.lastgood(["pg", "ls", "-r", &format!("s3://backups/{}", "x".repeat(2_000))]).fails(2).await?;
    output.says("2000 bytes")?;
    not_utf8(world)?;
    stored_keys(world, &dump).await?;
    let after = (surroundings(world)?, world.place().picture().await?, created(world)?);
    ensure_eq!(after, before, "files, objects and databases");
    Ok(())
}

/// Names in the folder of the row, and whether anything appeared where `../outside` would be.
fn surroundings(world: &World) -> RowResult<(Vec<OsString>, bool)> {
    let mut names: Vec<OsString> = Vec::new();
    for entry in std::fs::read_dir(world.folder())? {
        names.push(entry?.file_name());
    }
    names.sort();
    Ok((names, world.folder().join("outside").exists()))
}

fn not_utf8(world: &World) -> RowResult {
    for arguments in [&["pg", "show"][..], &["pg", "ls", "-r"]] {
        let mut command = Command::new(world.lastgood_binary());
        command.args(arguments).arg(OsString::from_vec(b"shop/\xff\xfe".to_vec())).stdin(Stdio::null());
        let output = command.env_clear().envs(world.environment()).current_dir(world.folder()).output()?;
        ensure_eq!(output.status.code(), Some(2), "the exit code of {arguments:?} with bytes that are not UTF-8");
    }
    Ok(())
}

/// The same in a manifest with a right digest, where a NUL can be written too.
async fn stored_keys(world: &World, dump: &str) -> RowResult {
    let place = craft::place_of(dump);
    let original = world.place().read(&place).await?;
    let mut keys = hostile(dump);
    keys.push(("a\0b".to_owned(), 1));
    for (key, position) in keys {
        craft::rewrite(world, dump, |fields| {
            if let Some(parts) = fields.get_mut("parts").and_then(Value::as_array_mut) {
                parts.iter_mut().for_each(|part| part["key"] = json!(key));
            }
        })
        .await?;
        for command in [vec!["pg", "verify", dump, "--read", "all"], vec!["pg", "restore", dump, "--into", "copy"]] {
            let output = world.lastgood(command).fails(13).await.within(&format!("a stored key {key:?}"))?;
            output.says(&format!("at byte {position}"))?;
        }
    }
    world.place().write(&place, &original).await
}
