//! P-tags: tags that dumps are given and lose after they were made: listed, filtered by, kept by, and never lost.

use serde_json::Value;

use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

const USAGE: i32 = 2;

/// Would set a terminal's title, and look like another row.
const HOSTILE: &str = "\u{1b}]0;owned\u{7}\r\u{202e}evil\nshop/2026.dump";

/// P-tags.
pub(super) async fn come_and_go(world: &World) -> RowResult {
    let shop = world.create("shop")?;
    world.psql(&shop, "CREATE TABLE t AS SELECT 1 AS id")?;
    for tags in [&["made"][..], &[], &[]] {
        let tags = tags.iter().flat_map(|tag| ["--tag", *tag]);
        world.lastgood(["pg", "dump", &shop, "-q"]).args(tags).ok().await?;
    }
    // What `tag add` refuses, nothing is made with either, and the plan says so.
    let long = "x".repeat(5000);
    for wrong in ["", "keep ", long.as_str()] {
        for dry in [&["-n"][..], &[]] {
            let dump = ["pg", "dump", &shop, "--tag", wrong];
            world.lastgood(dump).args(dry.iter().copied()).fails(USAGE).await?.says("nothing was written")?;
        }
    }
    let keys = listed(world, &[]).await?;
    let manifest = world.place().read(&format!("pg/{}/manifest.json", keys[0].0)).await?;

    // A plan changes nothing; what is typed twice changes nothing either.
    let add = ["pg", "tag", "add", &keys[0].0, "env=prod", "keep"];
    world.lastgood(add).arg("-n").ok().await?.says("Nothing was changed (dry run)")?;
    ensure_eq!(listed(world, &[]).await?[0].1, vec!["made".to_owned()], "tags after a dry run");
    world.lastgood(add).ok().await?.says("Tagged `")?;
    world.lastgood(add).ok().await?.says("stays as it was")?;
    // A name alone means the latest complete dump.
    world.lastgood(["pg", "tag", "add", &shop, HOSTILE]).ok().await?.never_says("\u{1b}")?;
    world.lastgood(["pg", "tag", "remove", &keys[0].0, "made"]).ok().await?;
    ensure_eq!(listed(world, &[]).await?[0].1, vec!["env=prod".to_owned(), "keep".to_owned()], "tags now");
    ensure_eq!(listed(world, &[]).await?[2].1, vec![HOSTILE.to_owned()], "programs get the very tag");
    let after = world.place().read(&format!("pg/{}/manifest.json", keys[0].0)).await?;
    ensure_eq!(after, manifest, "the sealed manifest");

    for (filters, expected) in [
        (&["env"][..], &keys[..1]),
        (&["env=prod", "keep"][..], &keys[..1]),
        (&["env=test"][..], &keys[..0]),
        (&["made"][..], &keys[..0]),
        (&[HOSTILE][..], &keys[2..]),
    ] {
        let found = listed(world, filters).await?;
        let names = |these: &[(String, Vec<String>)]| these.iter().map(|it| it.0.clone()).collect::<Vec<_>>();
        ensure_eq!(names(&found), names(expected), "dumps with {filters:?}");
    }
    let table = world.lastgood(["pg", "ls"]).ok().await?.says("env=prod, keep")?;
    ensure_eq!(table.stdout.lines().count(), 4, "a header and a line a dump, whatever a tag is called");
    ensure!(!table.stdout.contains(['\u{1b}', '\u{202e}', '\r']), "the terminal was sent {:?}", table.stdout);
    world.lastgood(["pg", "tag", "ls"]).ok().await?.says("env=prod")?.never_says("\u{202e}")?;
    world.lastgood(["pg", "show", &keys[0].0]).ok().await?.says("env=prod, keep")?;
    world.lastgood(["pg", "verify", &keys[0].0, "--read", "all"]).ok().await?;

    // Retention goes by the tags of now, and what is gone is forgotten.
    let prune = ["pg", "prune", &shop, "--keep-last", "1", "--keep-tag", "env", "--yes"];
    world.lastgood(prune).ok().await?;
    let kept: Vec<String> = listed(world, &[]).await?.into_iter().map(|it| it.0).collect();
    ensure_eq!(kept, vec![keys[0].0.clone(), keys[2].0.clone()], "what is kept");
    world.lastgood(["pg", "tag", "remove", &keys[0].0, "env=prod"]).ok().await?;
    world.lastgood(prune).ok().await?;
    ensure_eq!(listed(world, &[]).await?.len(), 1, "dumps without the tag");
    let document = world.place().read(&format!("pg/{shop}/tags.json")).await?;
    ensure!(!String::from_utf8_lossy(&document).contains("keep"), "tags of a dump that is gone");

    world.lastgood(["pg", "tag", "add", &keys[0].0, "late"]).fails(1).await?.says("there is no dump")?;
    world.lastgood(["pg", "tag", "add", &shop, ""]).fails(2).await?.says("a tag is empty")?;
    Ok(())
}

/// P-tags-together: many change the tags of one dump at once, and none of it is lost.
pub(super) async fn together(world: &World) -> RowResult {
    let shop = world.create("shop")?;
    world.lastgood(["pg", "dump", &shop, "--allow-empty", "-q"]).ok().await?;
    let mut runs = Vec::new();
    for number in 0..6 {
        runs.push(world.lastgood(["pg", "tag", "add", &shop, &format!("t{number}")]).start()?);
    }
    for run in runs {
        run.finish().await?.expect_code(0)?;
    }
    let mut tags = listed(world, &[]).await?.remove(0).1;
    tags.sort_unstable();
    ensure_eq!(tags, (0..6).map(|number| format!("t{number}")).collect::<Vec<_>>(), "all tags");
    Ok(())
}

/// P-tags-damaged: a document nobody can read hides no dump, and lets no rule about tags delete one.
pub(super) async fn damaged(world: &World) -> RowResult {
    let shop = world.create("shop")?;
    for _ in 0..2 {
        world.lastgood(["pg", "dump", &shop, "--allow-empty", "-q"]).ok().await?;
    }
    world.place().write(&format!("pg/{shop}/tags.json"), b"{\"format\":").await?;
    ensure_eq!(listed(world, &[]).await?.len(), 2, "dumps");
    world.lastgood(["pg", "ls"]).ok().await?.says("only the tags they were made with are known")?;
    world.lastgood(["pg", "prune", &shop, "--keep-last", "1", "--keep-tag", "keep", "--yes"]).ok().await?;
    ensure_eq!(listed(world, &[]).await?.len(), 2, "dumps whose tags may keep them");
    world.lastgood(["pg", "tag", "add", &shop, "keep"]).run().await?.says("tags.json")?;
    Ok(())
}

/// Keys and tags of all dumps with these tags, the newest last.
async fn listed(world: &World, filters: &[&str]) -> RowResult<Vec<(String, Vec<String>)>> {
    let filters = filters.iter().flat_map(|tag| ["--tag", *tag]);
    let listed = world.lastgood(["pg", "ls", "--json"]).args(filters).ok().await?.json()?;
    let texts = |value: &Value| -> Vec<String> {
        let all = value.as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().filter_map(|tag| tag.as_str().map(str::to_owned)).collect()
    };
    let dumps = listed.as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(dumps.iter().map(|dump| (dump["key"].as_str().unwrap_or_default().to_owned(), texts(&dump["tags"]))).collect())
}
