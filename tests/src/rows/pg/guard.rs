//! Where restoring is forbidden, nothing that was typed allows it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// Exit code for what is forbidden.
const FORBIDDEN: i32 = 15;

/// A way to forbid: variables, options, and what `lastgood.toml` and the user's own file say.
#[derive(Clone, Debug, Default)]
struct Way {
    variables: Vec<(&'static str, String)>,
    options: Vec<&'static str>,
    file: String,
    of_the_user: String,
}

fn ways(shop: &str) -> Vec<(&'static str, Way)> {
    let no = "[pg]\nallow-restore = false\n".to_owned();
    let yes = ("LASTGOOD_ALLOW_RESTORE", "true".to_owned());
    let protected = |host: &str| format!("[pg]\nprotected = [\"prod-*/other\", \"{host}/{}*\"]\n", &shop[..4]);
    vec![
        ("the variable", Way { variables: vec![("LASTGOOD_ALLOW_RESTORE", "false".into())], ..Way::default() }),
        ("the file", Way { file: no.clone(), ..Way::default() }),
        ("the file, and a variable that allows", Way { file: no.clone(), variables: vec![yes], ..Way::default() }),
        (
            "the file, and a profile that allows",
            Way {
                file: format!("{no}[profile.p.pg]\nallow-restore = true\n"),
                options: vec!["-P", "p"],
                ..Way::default()
            },
        ),
        (
            "the user's file, and one beside that allows",
            Way { of_the_user: no.clone(), file: "[pg]\nallow-restore = true\n".into(), ..Way::default() },
        ),
        (
            "the file, and another that is named",
            Way { file: no, options: vec!["--config-file", "/dev/null"], ..Way::default() },
        ),
        ("a pattern of the local host", Way { file: protected("localhost"), ..Way::default() }),
        ("a pattern of every host", Way { file: protected("*"), ..Way::default() }),
    ]
}

fn write(path: &Path, text: &str) -> RowResult {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text)?;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?)
}

fn set(world: &World, way: &Way) -> RowResult {
    write(&world.folder().join("lastgood.toml"), &way.file)?;
    write(&world.folder().join("home/.config/lastgood/config.toml"), &way.of_the_user)
}

/// P11.
pub(super) async fn wins_over_everything(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let key = world.dump(&shop).await?;
    world.set_version(&shop, 2)?;
    let protected_copy = format!("{shop}_copy");
    let before = (world.checksum(&shop)?, world.databases()?);
    let log = world.cluster().log().len();
    for (name, way) in ways(&shop) {
        set(world, &way)?;
        let restores: [&[&str]; 6] = [
            &[&shop, "--confirm-database", &shop, "--yes", "--force"],
            &[&key, "--confirm-database", &shop],
            &[&shop],
            &[&shop, "--into", &protected_copy],
            &[&shop, "-n"],
            &[&key, "--data-only", "--replace-rows", "--confirm-database", &shop],
        ];
        for restore in restores {
            let mut command = world.lastgood(["pg", "restore"]);
            for word in restore.iter().chain(&way.options) {
                command = command.arg(*word);
            }
            for (variable, value) in &way.variables {
                command = command.env(*variable, value.as_str());
            }
            let output = command.fails(FORBIDDEN).await.within(&format!("{name}, {restore:?}"))?;
            output.says("pg::forbidden")?.says("nothing was changed")?;
        }
        let local: [&[&str]; 3] = [
            &["copy", &shop, &protected_copy],
            &["drop-local", &shop, "--confirm-database", &shop, "--yes"],
            &["restore", ":postgres", "--into", &shop, "--confirm-database", &shop],
        ];
        for words in local {
            let mut command = world.lastgood(["pg"]);
            for word in words.iter().chain(&way.options) {
                command = command.arg(*word);
            }
            let variables = way.variables.iter();
            let command = variables.fold(command, |command, (variable, value)| command.env(*variable, value.as_str()));
            command.fails(FORBIDDEN).await.within(&format!("{name}, {words:?}"))?.says("pg::forbidden")?;
        }
        // Looking and dumping are not forbidden.
        world.lastgood(["pg", "dump", &shop]).ok().await.within(name)?;
        ensure_eq!((world.checksum(&shop)?, world.databases()?), before, "the server under {name}");
    }
    let said = world.cluster().log();
    let said = said.get(log..).unwrap_or_default();
    for statement in ["CREATE DATABASE", "DROP DATABASE", "ALTER DATABASE"] {
        ensure!(!said.contains(statement), "the server was told to {statement}");
    }
    protected_source(world, &shop, &key).await?;
    set(world, &Way { file: "[pg]\nprotected = [\"prod-*/*\", \"*/other\"]\n".into(), ..Way::default() })?;
    world.lastgood(["pg", "restore", &key, "--confirm-database", &shop]).ok().await?;
    Ok(())
}

/// A protected database is not copied under its clients, and its dump is restored elsewhere.
async fn protected_source(world: &World, shop: &str, key: &str) -> RowResult {
    let free = world.name("free");
    set(world, &Way { file: format!("[pg]\nprotected = [\"localhost/{shop}\"]\n"), ..Way::default() })?;
    let client = world.connect(shop).await?;
    let before = world.databases()?;
    let from = format!(":{shop}");
    for words in [["copy", shop, &free, "--yes"], ["restore", &from, "--into", &free]] {
        let output = world.lastgood(["pg"]).args(words).fails(FORBIDDEN).await.within(&format!("{words:?}"))?;
        output.says("pg::forbidden")?.says("disconnect the clients")?.says("--into")?;
        world.lastgood(["pg"]).args(words).arg("-n").fails(FORBIDDEN).await.within(&format!("{words:?} -n"))?;
    }
    ensure_eq!(world.databases()?, before, "databases beside a protected one");
    world.lastgood(["pg", "restore", key, "--into", &free]).ok().await?;
    client.query_one("SELECT 1", &[]).await?;
    set(world, &Way::default())?;
    world.lastgood(["pg", "copy", shop, &free, "--yes", "--confirm-database", &free]).ok().await?;
    ensure!(client.query_one("SELECT 1", &[]).await.is_err(), "the client of an unprotected source went on");
    Ok(())
}

/// What a killed restore left, found where restoring is forbidden: the live database is made whole, and nothing dropped.
pub(super) async fn recovery(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let key = world.dump(&shop).await?;
    world.set_version(&shop, 2)?;
    let forbidden = ("LASTGOOD_ALLOW_RESTORE", "false");
    for point in ["restore.data", "swap.rename", "swap.drop"] {
        let restore = world.lastgood(["pg", "restore", &key, "--confirm-database", &shop]);
        restore.env("LASTGOOD_CRASH_AT", point).run().await?.expect_killed().within(point)?;
        let left = world.leftovers()?;
        ensure_eq!(left.len(), 1, "databases that a restore killed at {point} left");
        let run = world.lastgood(["pg", "recover"]).env(forbidden.0, forbidden.1).ok().await.within(point)?;
        run.says(&left[0])?.says("restoring is forbidden here")?;
        ensure!(world.closed()?.iter().all(|closed| *closed != shop), "killed at {point}: the live database is closed");
        ensure_eq!(world.leftovers()?, left, "databases kept under the guard, killed at {point}");
        world.lastgood(["pg", "dump", &shop]).env(forbidden.0, forbidden.1).ok().await.within(point)?;
        ensure_eq!(world.leftovers()?, left, "databases after a dump under the guard, killed at {point}");
        world.lastgood(["pg", "recover"]).ok().await.within(point)?;
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases after recovery, killed at {point}");
    }
    Ok(())
}
