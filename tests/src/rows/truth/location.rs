//! The location that is meant is the one that is used: rows W11.

mod foreign;
mod marker;

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;

use crate::harness::failure::Within as _;
use crate::harness::{Area, Locations, Output, Place, Row, RowResult, World};
use crate::{ensure, ensure_eq};

/// Exit code where there is no location of backups.
const NO_LOCATION: i32 = 10;

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    use Locations::{Both, Folder};
    vec![
        Row::new(
            "W11",
            "nothing but init makes a location, and -n ends as the run would",
            Area::Truth,
            Both,
            |world| Box::pin(made_by_nothing_else(world)),
        ),
        Row::new("W11-default", "without -r nothing is made where one stands", Area::Truth, Folder, |world| {
            Box::pin(default_folder(world))
        }),
        Row::new(
            "W11-near",
            "a mistyped name: who named it, what is near, how one is made",
            Area::Truth,
            Both,
            |world| Box::pin(mistyped(world)),
        ),
        Row::new("W11-foreign", "nothing is written into what others wrote", Area::Truth, Both, |world| {
            Box::pin(foreign::refused(world))
        }),
        Row::new("W11-nested", "no location in or around another", Area::Truth, Both, |world| {
            Box::pin(foreign::nested(world))
        }),
        Row::new(
            "W11-old",
            "what the originals wrote is read as it is, and init takes it",
            Area::Truth,
            Both,
            |world| Box::pin(marker::originals(world)),
        ),
        Row::new(
            "W11-lost",
            "a lost marker: read with a warning, not written, made anew",
            Area::Truth,
            Both,
            |world| Box::pin(marker::lost(world)),
        ),
    ]
}

/// Another location beside the row's own, under the name `name`.
fn beside(world: &World, name: &str) -> Place {
    match world.place() {
        Place::Folder(root) => Place::Folder(root.with_file_name(name)),
        Place::S3 { peer, prefix } => Place::S3 { peer: peer.clone(), prefix: format!("{prefix}-{name}") },
    }
}

/// Objects of a location, but for what a folder keeps for itself.
async fn stored(place: &Place) -> RowResult<usize> {
    Ok(place.objects().await?.into_iter().filter(|object| object.key != ".lastgood-lock").count())
}

/// A folder that is there and empty; a prefix needs nothing.
fn make_empty(place: &Place) -> RowResult {
    if let Place::Folder(root) = place {
        fs::DirBuilder::new().mode(0o700).create(root)?;
    }
    Ok(())
}

/// Every command that has to do with a location, as it is typed.
fn commands(shop: &str) -> Vec<Vec<String>> {
    let lines = [
        "pg dump SHOP",
        "pg dump SHOP -n",
        "pg ls",
        "pg ls --only-db-names",
        "pg ls SHOP --json",
        "pg show SHOP",
        "pg verify SHOP",
        "pg restore SHOP --into SHOP_copy",
        "pg restore SHOP --into SHOP_copy -n",
        "pg prune --keep-last 1 -n",
        "pg prune --keep-last 1 --yes",
        "pg prune --incomplete",
        "app backup --source ndjson:records",
        "app backup --source ndjson:records -n",
        "app ls",
        "app show",
        "app verify",
        "app cat latest User",
        "app restore --to ndjson:out",
        "app prune --keep-last 1 --yes",
        "app prune --incomplete -n",
        "dict ls",
        "dict verify",
        "dict restore --to out.json",
        "dict compact",
        "dict compact -n",
        "dict prune --keep-last 1 --yes",
        "dict watch --exec /bin/true --count 1",
    ];
    let words = |line: &str| line.split(' ').map(|word| word.replace("SHOP", shop)).collect();
    lines.iter().map(|line| words(line)).collect()
}

/// W11.
async fn made_by_nothing_else(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    fs::create_dir(world.folder().join("records"))?;
    fs::write(world.folder().join("records/User--users.json"), "{\"id\": \"1\"}\n")?;
    let empty = beside(world, "hollow");
    make_empty(&empty)?;
    for place in [beside(world, "missing"), empty.clone()] {
        for command in commands(&shop) {
            let output = world.lastgood(command.clone()).env("LASTGOOD_REPO", place.url()).fails(NO_LOCATION).await;
            let output = output.within(&format!("{} in `{}`", command.join(" "), place.url()))?;
            ensure!(output.stdout.is_empty(), "`{}` printed a result:\n{}", output.line, output.stdout);
            output.says(&format!("lastgood init -r {}", place.url()))?.says("LASTGOOD_REPO")?;
            ensure_eq!(stored(&place).await?, 0, "objects after `{}`", command.join(" "));
        }
        if let (Place::Folder(root), false) = (&place, place.url() == empty.url()) {
            ensure!(!root.exists(), "`{}` was made", root.display());
        }
        let at = |line: &str| {
            let words: Vec<String> = line.split(' ').map(|word| word.replace("SHOP", &shop)).collect();
            world.lastgood(words).env("LASTGOOD_REPO", place.url())
        };
        for line in ["init -n", "pg dump SHOP --init -n", "app backup --source ndjson:records --init -n"] {
            at(line).ok().await?;
            ensure_eq!(stored(&place).await?, 0, "objects after `{line}`");
        }
        at("pg dump SHOP --init").ok().await?;
        at("app backup --source ndjson:records --init").ok().await?;
        at("pg ls").ok().await?.says(".default.dump")?;
        at("app ls").ok().await?.says("good")?;
        at("init").ok().await?.says("Found an existing location")?;
    }
    if world.place().peer().is_some() {
        let mistyped = beside(world, "mistyped").url();
        let rules = ["app", "lifecycle", "daily", "--expire-after", "30d", "--apply", "-r", &mistyped];
        world.lastgood(rules).fails(NO_LOCATION).await?;
    }
    Ok(())
}

/// W11-default.
async fn default_folder(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    for command in commands(&shop) {
        let output = world.lastgood(command).env("LASTGOOD_REPO", "").fails(NO_LOCATION).await?;
        output.says("no location was given")?.says("`lastgood init -r ./.lastgood`")?;
    }
    ensure!(!world.folder().join(".lastgood").exists(), "a folder was made where the commands ran");
    world.lastgood(["init"]).env("LASTGOOD_REPO", "").ok().await?.says("`./.lastgood`")?;
    world.lastgood(["pg", "dump", &shop]).env("LASTGOOD_REPO", "").ok().await?;
    Ok(())
}

/// W11-near.
async fn mistyped(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let key = world.dump(&shop).await?;
    let before = world.place().picture().await?;
    let meant = world.place().url();
    // A letter left out, and one too much.
    let named = [meant[..meant.len() - 1].to_owned(), format!("{meant}x")];
    for named in &named {
        for command in [&["pg", "ls"][..], &["pg", "restore", &shop], &["pg", "dump", &shop], &["pg", "show", &key]] {
            let near = |output: Output| output.says(&format!("there is `{meant}`"))?.says(&format!("init -r {named}"));
            let run = || world.lastgood(command.iter().copied());
            near(run().args(["-r", named]).fails(NO_LOCATION).await?)?.says("`--repo` names it")?;
            near(run().env("LASTGOOD_REPO", named).fails(NO_LOCATION).await?)?.says("`LASTGOOD_REPO` names it")?;
            let file = world.folder().join("profile.toml");
            fs::write(&file, format!("[profile.nightly]\nrepo = \"{named}\"\n"))?;
            let of_profile = ["-P", "nightly", "--config-file", "profile.toml"];
            let output = run().args(of_profile).env("LASTGOOD_REPO", "").fails(NO_LOCATION).await?;
            near(output)?.says("profile.toml:2` names it")?;
        }
        let output = world.lastgood(["dict", "ls", named]).fails(NO_LOCATION).await?;
        output.says(&format!("there is `{meant}`"))?.says("it was given on the command line")?;
    }
    match world.place() {
        Place::Folder(root) => {
            world.lastgood(["pg", "ls", "-r", &named[0]]).fails(NO_LOCATION).await?.says("there is no folder")?;
            let file = root.with_file_name("file");
            fs::write(&file, "x")?;
            let output = world.lastgood(["pg", "ls", "-r", &file.display().to_string()]).fails(NO_LOCATION).await?;
            output.says("it is a file")?;
        }
        Place::S3 { .. } => {
            let output = world.lastgood(["pg", "ls", "-r", &named[0]]).fails(NO_LOCATION).await?;
            output.says("nothing under this prefix")?.says("the bucket `backups` exists")?;
            let output = world.lastgood(["pg", "ls", "-r", "s3://no-such-bucket/prod"]).fails(NO_LOCATION).await?;
            output.says("there is no bucket `no-such-bucket`")?.never_says("nothing under this prefix")?;
            // Around it: the bucket has the location below it.
            world.lastgood(["pg", "ls", "-r", "s3://backups"]).fails(NO_LOCATION).await?.says(&meant)?;
        }
    }
    ensure_eq!(world.place().picture().await?, before, "the location that was meant");
    Ok(())
}
