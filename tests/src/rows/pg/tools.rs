//! `pg_dump` and `pg_restore` that fail.

use std::path::Path;

use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World, stub};
use crate::{ensure, ensure_eq};

/// Exit code for a failed program.
const TOOL: i32 = 22;

/// What the stub says last before it fails.
const LAST_WORDS: &str = "connection to server was lost, says the stub";

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// P1.
pub(super) async fn dump_fails(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let good = world.dump(&shop).await?;
    let before = world.place().picture().await?;
    let half = "out=$(mktemp); \"$real\" \"$@\" > \"$out\" || exit 9; size=$(wc -c < \"$out\"); \
                head -c $((size / 2)) \"$out\"; rm \"$out\"";
    let say = format!("echo 'pg_dump: error: {LAST_WORDS}' >&2");
    let ways = [
        ("exits 1 at start", format!("{say}; exit 1")),
        ("exits 1 half-way", format!("{half}; {say}; exit 1")),
        ("exits 1 at the end", format!("\"$real\" \"$@\"; {say}; exit 1")),
        ("is killed half-way", format!("{half}; {say}; kill -9 $$")),
        ("ends with half and no error", half.to_owned()),
        ("writes nothing and no error", "exit 0".to_owned()),
    ];
    for (way, script) in ways {
        let folder = stub::pg_bin(world, "pg_dump", &script)?;
        let output = world.lastgood(["pg", "dump", &shop, "--pg-bin", &text(&folder)]).fails(TOOL).await.within(way)?;
        if script.contains(LAST_WORDS) {
            output.says(LAST_WORDS).within(way)?;
        }
        ensure_eq!(world.place().picture().await?, before, "the location after a pg_dump that {way}");
        ensure_eq!(world.place().unfinished().await?, 0, "uploads after a pg_dump that {way}");
        ensure_eq!(world.keys(&shop).await?, vec![good.clone()], "dumps after a pg_dump that {way}");
    }
    world.dump(&shop).await?;
    Ok(())
}

/// P5.
pub(super) async fn restore_fails(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.dump(&shop).await?;
    world.set_version(&shop, 2)?;
    let before = world.checksum(&shop)?;
    let run = "case \"$*\" in *--list*|*' -l '*) exec \"$real\" \"$@\";; esac; \"$real\" \"$@\"; code=$?";
    let unknown = "echo 'pg_restore: error: could not execute query: ERROR:  the moon is in the wrong phase' >&2; \
                   echo 'Command was: CREATE INDEX x' >&2";
    let ways = [
        ("an unknown error and exit code 1", format!("{run}; {unknown}; exit 1")),
        ("an unknown error and exit code 0", format!("{run}; {unknown}; exit 0")),
        ("exit code 1 without a word", format!("{run}; exit 1")),
        ("a kill at once", "case \"$*\" in *--list*) exec \"$real\" \"$@\";; esac; kill -9 $$".to_owned()),
        ("a kill after its work", format!("{run}; kill -9 $$")),
        ("a fatal message", format!("{run}; echo 'pg_restore: fatal: out of memory' >&2; exit 1")),
        (
            "an error in post-data only",
            format!("{run}; case \"$*\" in *post-data*) {unknown}; exit 1;; esac; exit $code"),
        ),
    ];
    for (way, script) in ways {
        let folder = stub::pg_bin(world, "pg_restore", &script)?;
        let folder = text(&folder);
        let restore = ["pg", "restore", &shop, "--confirm-database", &shop, "--pg-bin", &folder];
        world.lastgood(restore).fails(TOOL).await.within(way)?;
        ensure_eq!(world.checksum(&shop)?, before, "the live database after {way}");
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left after {way}");
    }
    keep_failed(world, &shop, &format!("{run}; {unknown}; exit 1")).await?;
    ensure_eq!(world.checksum(&shop)?, before, "the live database after --keep-failed");
    Ok(())
}

/// `--keep-failed` keeps the copy and says its name, and a later run leaves it alone.
async fn keep_failed(world: &World, shop: &str, script: &str) -> RowResult {
    let folder = text(&stub::pg_bin(world, "pg_restore", script)?);
    let restore = ["pg", "restore", shop, "--confirm-database", shop, "--keep-failed", "--pg-bin", &folder];
    let output = world.lastgood(restore).fails(TOOL).await?;
    let kept = world.leftovers()?;
    ensure_eq!(kept.len(), 1, "copies kept by --keep-failed");
    output.says(&kept[0])?;
    world.psql(&kept[0], "SELECT")?;
    world.lastgood(["pg", "recover"]).ok().await?.says(&kept[0])?;
    ensure_eq!(world.leftovers()?, kept, "copies kept after `recover`");
    let copy = world.name("copy");
    world.lastgood(["pg", "restore", shop, "--into", &copy]).ok().await?;
    ensure!(world.leftovers()? == kept, "the kept copy is gone after another restore");
    Ok(())
}
