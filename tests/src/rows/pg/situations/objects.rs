//! More large objects than one transaction may lock.

use std::time::Duration;

use backup_testkit::postgres::Shutdown;

use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// Objects: with the server's default settings a transaction that locks a third of them fails.
const OBJECTS: u32 = 20_000;

/// Each belongs to another role and lets a third one read it; some have a comment.
const MAKE: &str = "
DO $$ BEGIN FOR g IN 1..OBJECTS LOOP
  PERFORM lo_from_bytea(g, convert_to('object ' || g, 'UTF8'));
  EXECUTE format('ALTER LARGE OBJECT %s OWNER TO KEEPER', g);
  EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO READER', g);
  IF g % 100 = 0 THEN EXECUTE format('COMMENT ON LARGE OBJECT %s IS %L', g, 'said of ' || g); END IF;
  IF g % 1000 = 0 THEN COMMIT; END IF;
END LOOP; END $$";

const PICTURE: &str = "
SELECT count(*), count(*) FILTER (WHERE lomowner::regrole::text = 'KEEPER'),
  count(*) FILTER (WHERE lomacl::text LIKE '%READER=r/%') FROM pg_largeobject_metadata;
SELECT count(*), min(description), max(description) FROM pg_description WHERE classoid = 'pg_largeobject'::regclass;
SELECT md5(string_agg(loid || ' ' || encode(data, 'hex'), ' ' ORDER BY loid, pageno)) FROM pg_largeobject";

/// Beside and over; rows alone are refused before anything is done, and pass without what takes the locks.
pub(super) async fn of_another_role(world: &World) -> RowResult {
    world.psql("postgres", "ALTER SYSTEM SET max_locks_per_transaction = 64")?;
    world.cluster().restart(Shutdown::Fast)?;
    let (owner, reader) = (world.name("owner"), world.name("reader"));
    world.psql("postgres", &format!("CREATE ROLE {owner}; CREATE ROLE {reader}"))?;
    let named = [("OBJECTS", OBJECTS.to_string()), ("KEEPER", owner), ("READER", reader)];
    let with_names =
        |sql: &str| named.iter().fold(sql.to_owned(), |sql, (placeholder, name)| sql.replace(placeholder, name));
    let source = world.create("source")?;
    world.psql(&source, "CREATE TABLE t AS SELECT 1 AS i")?;
    world.psql(&source, &with_names(MAKE))?;
    let picture = |database: &str| world.psql(database, &with_names(PICTURE));
    let before = picture(&source)?;
    ensure!(
        before.starts_with(&format!("{OBJECTS}|{OBJECTS}|{OBJECTS}\n200|")),
        "the row set up something else: {before}"
    );
    let key = world.dump(&source).await?;
    let copy = world.name("copy");
    let limit = Duration::from_secs(300);
    world.lastgood(["pg", "restore", &key, "--into", &copy]).limit(limit).ok().await?;
    ensure_eq!(picture(&copy)?, before, "the objects of the copy");

    let live = world.name("live");
    world.lastgood(["pg", "restore", &key, "--into", &live, "--schema-only"]).ok().await?;
    let rows = ["pg", "restore", &key, "--into", &live, "--data-only", "--confirm-database", &live];
    for arguments in [vec![], vec!["-n"]] {
        let refused = world.lastgood(rows).args(arguments).fails(1).await?;
        refused.says("20,000 large objects")?.says("max_locks_per_transaction")?.says("nothing was changed")?;
    }
    ensure_eq!(world.psql(&live, "SELECT count(*) FROM pg_largeobject_metadata")?, "0", "objects after a refusal");
    ensure_eq!(world.psql(&live, "SELECT count(*) FROM t")?, "0", "rows after a refusal");
    world.lastgood(rows).args(["--no-owner", "--no-acl"]).limit(limit).ok().await?;
    let filled = picture(&live)?;
    ensure_eq!(
        filled.lines().skip(1).collect::<Vec<_>>(),
        before.lines().skip(1).collect::<Vec<_>>(),
        "the filled objects"
    );
    Ok(())
}
