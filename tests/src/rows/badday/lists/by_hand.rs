//! The recipe of FORMAT.md, "Restore without lastgood", as it stands there.

use std::fs;
use std::process::Command;

use super::dump;
use crate::ensure;
use crate::harness::compare::Picture;
use crate::harness::failure::Within as _;
use crate::harness::{Failure, RowResult, World};

/// The page.
const FORMAT: &str = include_str!("../../../../../FORMAT.md");

/// Where the recipe begins, and the dump that it restores.
const HEADING: &str = "## Restore without lastgood";
const DUMP: &str = "pg/shop/2026-11-21-03-00-04-123456.default.dump";

/// What the recipe needs beside PostgreSQL's programs.
const PROGRAMS: [&str; 4] = ["bash", "jq", "zstd", "sha256sum"];

/// B-by-hand.
pub(in super::super) async fn restored_by_hand(world: &World) -> RowResult {
    for program in PROGRAMS {
        let run = Command::new(program).arg("--version").output();
        run.map_err(|error| Failure::Skipped(format!("`{program}` cannot be run: {error}")))?;
    }
    let shop = world.sample("shop")?;
    world.psql(&shop, "CREATE TABLE empty (a text); CREATE TABLE \"no \"\"columns\" (); INSERT INTO \"no \"\"columns\" DEFAULT VALUES")?;
    for (name, key) in [("plain", world.dump(&shop).await?), ("lists", dump(world, &shop).await?)] {
        let copy = world.name(name);
        follow(world, &key, &copy).within(name)?;
        let [source, copied] = [&shop, &copy].map(|database| Picture::of(world.cluster(), database));
        let (source, copied) = (source?.without_settings(), copied?.without_settings());
        source.expect(&copied, "the database restored by hand").within(name)?;
    }
    Ok(())
}

/// Restores the dump `key` to the database `copy` by what the page says.
fn follow(world: &World, key: &str, copy: &str) -> RowResult {
    let recipe = FORMAT.split_once(HEADING).and_then(|(_, rest)| rest.split_once("```sh\n")?.1.split_once("```"));
    let (recipe, _) = recipe.ok_or_else(|| Failure::new("FORMAT.md has no recipe"))?;
    ensure!(recipe.contains(DUMP), "the recipe names another dump");
    let recipe = recipe
        .replace(DUMP, &format!("pg/{key}"))
        .replace("createdb -T template0 copy", &format!("createdb -T template0 {copy}"))
        .replace(" -d copy ", &format!(" -d {copy} "))
        .replace("PGDATABASE=copy", &format!("PGDATABASE={copy}"));
    let work = world.folder().join(format!("work-{copy}"));
    fs::create_dir(&work)?;
    let mut command = Command::new("bash");
    command.args(["-eu", "-c", &recipe]).current_dir(world.folder()).env_clear();
    command.envs(world.environment()).env("LOCATION", world.folder().join("location")).env("WORK", &work);
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "the recipe failed: {said}");
    Ok(())
}
