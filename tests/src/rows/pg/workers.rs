//! Jobs of one restore that stand in each other's way.

use crate::harness::compare::Picture;
use crate::harness::{RowResult, World, stub};
use crate::{ensure, ensure_eq};

/// Pairs of tables. Each has a constraint whose function looks at the other table of the pair, so that two that are made at
/// once wait for each other: until the server ends one, or until one has waited long enough.
const PAIRS: &str = "
CREATE TABLE a (id integer); CREATE TABLE b (id integer); CREATE TABLE c (id integer); CREATE TABLE d (id integer);
INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); INSERT INTO c VALUES (1); INSERT INTO d VALUES (1);
CREATE FUNCTION of_a(i integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM pg_catalog.pg_sleep(0.7); PERFORM FROM public.b LIMIT 1; RETURN i; END $$;
CREATE FUNCTION of_b(i integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM pg_catalog.pg_sleep(0.7); PERFORM FROM public.a LIMIT 1; RETURN i; END $$;
CREATE FUNCTION of_c(i integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE SET lock_timeout = '100ms' AS
  $$ BEGIN PERFORM pg_catalog.pg_sleep(0.4); PERFORM FROM public.d LIMIT 1; RETURN i; END $$;
CREATE FUNCTION of_d(i integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE SET lock_timeout = '100ms' AS
  $$ BEGIN PERFORM pg_catalog.pg_sleep(0.9); PERFORM FROM public.c LIMIT 1; RETURN i; END $$;";

/// The constraints, each with a comment that comes after it.
fn constraints(tables: &[&str]) -> String {
    let one = |table: &&str| {
        format!(
            "ALTER TABLE {table} ADD CONSTRAINT {table}_alone EXCLUDE USING btree (of_{table}(id) WITH =); \
             COMMENT ON CONSTRAINT {table}_alone ON {table} IS 'of {table}'; "
        )
    };
    tables.iter().map(one).collect()
}

/// What is said of it.
const SAID: &str = "made again one at a time: with 4 jobs they stood in each other's way";

/// What the server ended is made again by one job; where nobody can tell what that was, everything is.
pub(super) async fn in_each_others_way(world: &World) -> RowResult {
    for (pair, said) in [(["a", "b"], "deadlock detected"), (["c", "d"], "canceling statement due to lock timeout")] {
        let source = world.create(&format!("source_{}", pair[0]))?;
        world.psql(&source, &format!("{PAIRS} {}", constraints(&pair)))?;
        let before = Picture::of(world.cluster(), &source)?;
        let key = world.dump(&source).await?;
        let copy = world.name(&format!("copy_{}", pair[0]));
        let restored = world.lastgood(["pg", "restore", &key, "--into", &copy, "--jobs", "4"]).ok().await?;
        restored.says(SAID)?.says(said)?;
        before.expect(&Picture::of(world.cluster(), &copy)?, "the copy")?;
    }
    nobody_can_tell(world).await
}

/// The words of two that spoke at once, in which no statement can be made out.
const MIXED: &str = r#"for word in "$@"; do case "$word" in --jobs=*)
  echo 'pg_restore: error: could not execute query: ERROR:  deadlock detected' >&2
  echo 'DETAIL:  Process 7 waits for AccessShareLock on relation 8' >&2
  echo 'Command was: ALTER TABLEALTER TABLE' >&2
  echo 'pg_restore: warning: errors ignored on restore: 2' >&2
  exit 1;; esac; done
exec "$real" "$@""#;

async fn nobody_can_tell(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let key = world.dump(&shop).await?;
    let new = world.checksum(&shop)?;
    world.set_version(&shop, 2)?;
    let folder = stub::pg_bin(world, "pg_restore", MIXED)?.display().to_string();
    let log = world.folder().join("made").display().to_string();
    let hook = format!("echo made >> {log}");
    let restore = ["pg", "restore", &key, "--confirm-database", &shop, "--pg-bin", &folder, "--jobs", "3"];
    let restored = world.lastgood(restore).args(["--post-create-hook", &hook]).ok().await?;
    restored.says("begins again with one job: with 3 its workers stood in each other's way (deadlock detected)")?;
    ensure_eq!(world.checksum(&shop)?, new, "the restored database");
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    ensure_eq!(std::fs::read_to_string(log)?, "made\nmade\n", "a hook of each new database");
    // With one job there is nobody in the way, and an error is one.
    let broken = stub::pg_bin(world, "pg_restore", &MIXED.replace("--jobs=*", "--dbname=*"))?.display().to_string();
    let once = ["pg", "restore", &key, "--confirm-database", &shop, "--pg-bin", &broken, "--jobs", "1"];
    let failed = world.lastgood(once).run().await?;
    ensure!(failed.code() == Some(22), "it ended with {:?}", failed.code());
    failed.says("deadlock detected")?.never_says("begins again")?;
    Ok(())
}
