//! Very many tiny tables.

use crate::harness::compare::Picture;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// Tables: more than one batch of anything holds, few enough for a test.
const TABLES: usize = 1_500;

/// Requests that a dump or a restore of any size may need; with one a table there would be more than [`TABLES`].
const REQUESTS_MAX: usize = 80;

/// Partitions, empty tables, tables without columns and one of some size stand among the tiny ones.
const SCHEMA: &str = "
DO $$ BEGIN FOR i IN 1..TABLES LOOP
  EXECUTE format('CREATE TABLE t%s (id integer PRIMARY KEY, name text, at timestamptz)', i);
  IF i % 7 > 0 THEN
    EXECUTE format('INSERT INTO t%s SELECT g, ''name '' || g, ''2026-01-01Z'' FROM generate_series(1, %s) g', i, i % 7);
  END IF;
END LOOP; END $$;
CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;
CREATE TABLE large AS SELECT g AS id, repeat(md5(g::text), 20) AS v FROM generate_series(1, 20000) g;
CREATE TABLE parts (id integer, v text) PARTITION BY HASH (id);
CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parts SELECT g, 'p' || g FROM generate_series(1, 100) g";

/// There and back, with few requests.
pub(super) async fn tiny(world: &World) -> RowResult {
    let source = world.create("source")?;
    world.psql(&source, &SCHEMA.replace("TABLES", &TABLES.to_string()))?;
    let peer = world.place().peer();
    world.lastgood(["pg", "dump", &source]).ok().await?;
    if let Some(peer) = peer {
        let calls = peer.log().len();
        ensure!(calls <= REQUESTS_MAX, "the dump made {calls} requests");
        peer.clear_log();
    }
    let copy = world.name("copy");
    world.lastgood(["pg", "restore", &source, "--into", &copy]).ok().await?;
    if let Some(peer) = peer {
        let calls = peer.log().len();
        ensure!(calls <= REQUESTS_MAX, "the restore made {calls} requests");
    }
    Picture::of(world.cluster(), &source)?.expect(&Picture::of(world.cluster(), &copy)?, "the copy")?;
    let analyzed = "SELECT count(*) FROM pg_class WHERE relname ~ '^t[0-9]+$' AND reltuples < 0";
    ensure_eq!(world.psql(&copy, analyzed)?, "0", "tables without statistics");
    Ok(())
}
