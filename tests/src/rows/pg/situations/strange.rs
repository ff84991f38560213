//! What others on the same server have: databases in encodings of their own, search paths of their own, roles that become
//! others, tablespaces.

use backup_testkit::postgres::Shutdown;

use crate::harness::{Lastgood, RowResult, World};
use crate::{ensure, ensure_eq};

/// Functions and an operator that make their owner a superuser, if a superuser calls them.
const TRAP: &str = "\
    CREATE FUNCTION public.spring() RETURNS void LANGUAGE plpgsql AS $$ BEGIN \
      IF pg_catalog.current_setting('is_superuser') OPERATOR(pg_catalog.=) 'on' THEN \
        EXECUTE pg_catalog.format('ALTER ROLE %I SUPERUSER', (SELECT rolname FROM pg_catalog.pg_roles r, pg_catalog.pg_database d \
          WHERE r.oid OPERATOR(pg_catalog.=) d.datdba AND d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())); \
      END IF; END $$; \
    CREATE FUNCTION public.current_setting(text) RETURNS text LANGUAGE plpgsql AS \
      $$ BEGIN PERFORM public.spring(); RETURN pg_catalog.current_setting($1); END $$; \
    CREATE FUNCTION public.array_position(oid[], oid) RETURNS integer LANGUAGE plpgsql AS \
      $$ BEGIN PERFORM public.spring(); RETURN pg_catalog.array_position($1, $2); END $$; \
    CREATE FUNCTION public.unlike(name, name) RETURNS boolean LANGUAGE plpgsql AS \
      $$ BEGIN PERFORM public.spring(); RETURN $1 OPERATOR(pg_catalog.!~) $2::text; END $$; \
    CREATE OPERATOR public.!~ (LEFTARG = name, RIGHTARG = name, FUNCTION = public.unlike); \
    CREATE FUNCTION public.same(oid, oid) RETURNS boolean LANGUAGE plpgsql AS \
      $$ BEGIN PERFORM public.spring(); RETURN $1 OPERATOR(pg_catalog.=) $2; END $$; \
    CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = public.same); \
    CREATE TABLE public.t (id integer PRIMARY KEY); INSERT INTO public.t VALUES (1), (2)";

fn as_role<'w>(world: &'w World, role: &str, words: &[&str]) -> Lastgood<'w> {
    world.lastgood(words.iter().copied()).env("PGUSER", role).env("PGPASSWORD", "pw")
}

/// Whoever owns a database may put anything on its search path: nothing that we say means it.
pub(super) async fn search_path(world: &World) -> RowResult {
    let (owner, shop, copy) = (world.name("mallory"), world.create("shop")?, world.name("copy"));
    world.psql(&shop, TRAP)?;
    world.psql(
        "postgres",
        &format!(
            "CREATE ROLE {owner} LOGIN PASSWORD 'pw'; ALTER DATABASE {shop} OWNER TO {owner}; \
             ALTER DATABASE {shop} SET search_path = public, pg_catalog"
        ),
    )?;
    let is_superuser = || world.psql("postgres", &format!("SELECT rolsuper FROM pg_roles WHERE rolname = '{owner}'"));
    let each: [&[&str]; 9] = [
        &["doctor", &shop],
        &["pg", "dump", &shop, "-n"],
        &["pg", "dump", &shop],
        &["pg", "dump", &shop, "--exclude-table-data", "t"],
        &["pg", "restore", &shop, "--data-only", "--replace-rows", "--confirm-database", &shop],
        &["pg", "restore", &shop, "--confirm-database", &shop, "--carry-over", "public.t"],
        &["pg", "restore", &shop, "--confirm-database", &shop, "--reversible"],
        &["pg", "copy", &shop, &copy],
        &["pg", "ls", "--local"],
    ];
    for words in each {
        let words: Vec<&str> = words.to_vec();
        world.lastgood(words.iter().copied()).ok().await?;
        ensure_eq!(is_superuser()?, "f", "a superuser after {words:?}");
    }
    ensure_eq!(world.psql(&copy, "SELECT count(*) FROM public.t")?, "2", "rows of the copy");
    // A name without a schema still means what the path finds.
    let plan = world.lastgood(["pg", "dump", &shop, "-n", "--exclude-table-data", "t"]).ok().await?;
    plan.never_says("no table matches")?;
    Ok(())
}

/// Names and comments that another database wrote in LATIN1 are bytes that are no UTF-8 to all others; and what is set for
/// such a database comes back as it was meant.
pub(super) async fn encodings(world: &World) -> RowResult {
    let (latin, plain) = (world.name("latin"), world.create("plain")?);
    let create =
        |name: &str| format!("CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'");
    world.psql("postgres", &create(&latin))?;
    world.psql(&plain, "CREATE TABLE t AS SELECT 1 AS id")?;
    world.psql(&latin, "CREATE TABLE U&\"caf\\00E9\" (id integer); INSERT INTO U&\"caf\\00E9\" VALUES (1)")?;
    world.psql(&latin, &format!("COMMENT ON DATABASE {latin} IS U&'r\\00E9serve'"))?;
    world.psql(&latin, &format!("ALTER DATABASE {latin} SET my.word = U&'\\00E9t\\00E9'"))?;
    world.psql(&latin, &format!("CREATE DATABASE U&\"cit\\00E9_{latin}\""))?;
    let told = |database: &str| {
        world.psql(
            database,
            "SELECT encode(convert_to(coalesce(shobj_description(oid, 'pg_database'), ''), 'UTF8'), 'hex'), \
               encode(convert_to(current_setting('my.word'), 'UTF8'), 'hex') FROM pg_database \
             WHERE datname = current_database()",
        )
    };
    let before = told(&latin)?;
    world.lastgood(["doctor"]).ok().await?;
    world.lastgood(["pg", "ls", "--local"]).ok().await?.says(&plain)?;
    world.dump(&plain).await?;
    world.lastgood(["pg", "restore", &plain, "--confirm-database", &plain]).ok().await?;
    let key = world.dump(&latin).await?;
    let (copy, duplicate) = (world.name("copied"), world.name("duplicate"));
    world.lastgood(["pg", "restore", &key, "--into", &copy]).ok().await?;
    world.lastgood(["pg", "copy", &latin, &duplicate]).ok().await?;
    world.lastgood(["pg", "restore", &key, "--confirm-database", &latin, "--reversible"]).ok().await?;
    ensure_eq!(told(&copy)?, before, "comment and setting of a new database");
    ensure_eq!(told(&latin)?, before, "comment and setting after a swap");
    let (_, set) = before.split_once('|').unwrap_or_default();
    ensure!(told(&duplicate)?.ends_with(set), "setting of a copy made on the server");
    world.psql(&latin, &format!("DROP DATABASE U&\"cit\\00E9_{latin}\""))?;
    Ok(())
}

/// `ALTER ROLE … SET role`, as for the short-lived roles that a vault hands out: sessions are somebody else's.
pub(super) async fn becomes_another(world: &World) -> RowResult {
    let (owner, login, shop) = (world.name("owner"), world.name("login"), world.create("shop")?);
    world.psql(
        &shop,
        &format!(
            "CREATE TABLE t AS SELECT generate_series(1, 3) AS id; CREATE ROLE {owner} CREATEDB; \
             CREATE ROLE {login} LOGIN PASSWORD 'pw' IN ROLE {owner}; ALTER ROLE {login} SET role = '{owner}'; \
             ALTER TABLE t OWNER TO {owner}; ALTER DATABASE {shop} OWNER TO {owner}; GRANT CREATE ON SCHEMA public TO {owner}"
        ),
    )?;
    as_role(world, &login, &["pg", "dump", &shop]).ok().await?;
    world.psql(&shop, "DELETE FROM t")?;
    let restore = ["pg", "restore", &shop, "--confirm-database", &shop, "--no-acl"];
    as_role(world, &login, &restore).ok().await?;
    let after = world.psql(&shop, "SELECT count(*), min(tableowner) FROM t, pg_tables WHERE tablename = 't'")?;
    ensure_eq!(after, format!("3|{owner}"), "rows, and whose they are");
    Ok(())
}

/// What only a superuser may create is told before anything is done; with a superuser's hook it is there, and so is the schema that
/// the hook made for it.
pub(super) async fn of_superusers(world: &World) -> RowResult {
    let (owner, shop) = (world.name("owner"), world.create("shop")?);
    world.psql(
        &shop,
        &format!(
            "CREATE SCHEMA tools; CREATE EXTENSION dblink SCHEMA tools; CREATE TABLE t AS SELECT generate_series(1, 3) AS id; \
             CREATE ROLE {owner} LOGIN CREATEDB PASSWORD 'pw'; ALTER TABLE t OWNER TO {owner}; \
             ALTER SCHEMA tools OWNER TO {owner}; ALTER DATABASE {shop} OWNER TO {owner}; GRANT CREATE ON SCHEMA public TO {owner}"
        ),
    )?;
    const TOLD: &str = "lets only a superuser create the extension `dblink`, and our role is none";
    as_role(world, &owner, &["doctor", &shop]).run().await?.says(TOLD)?.says("post-create hook")?;
    world.lastgood(["doctor", &shop]).run().await?.never_says(TOLD)?;
    as_role(world, &owner, &["pg", "dump", &shop]).ok().await?;
    world.psql(&shop, "DELETE FROM t")?;
    let restore = ["pg", "restore", &shop, "--confirm-database", &shop, "--no-acl"];
    as_role(world, &owner, &restore).arg("-n").ok().await?.says(TOLD)?;
    as_role(world, &owner, &restore).run().await?.says(TOLD)?.says("permission denied to create extension")?;
    ensure_eq!(world.psql(&shop, "SELECT count(*) FROM t")?, "0", "rows after a restore that failed");
    let (superuser, password) = (world.cluster().superuser(), world.cluster().password());
    let hook = format!(
        "PGUSER={superuser} PGPASSWORD='{password}' psql -qXc 'CREATE SCHEMA tools' -c 'CREATE EXTENSION dblink SCHEMA tools' \
         -c 'ALTER SCHEMA tools OWNER TO {owner}'"
    );
    let restored = as_role(world, &owner, &restore).args(["--post-create-hook", &hook]).ok().await?;
    restored.never_says(TOLD)?;
    let after = "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM pg_extension WHERE extname = 'dblink')";
    ensure_eq!(world.psql(&shop, after)?, "3|1", "rows, and the extension");
    Ok(())
}

/// A tablespace that the server lacks is named with the way round, and a setting that names it disturbs nobody.
pub(super) async fn tablespaces(world: &World) -> RowResult {
    if world.major()? < 15 {
        return Ok(());
    }
    world.psql("postgres", "ALTER ROLE postgres SET allow_in_place_tablespaces = on")?;
    world.psql("postgres", "CREATE TABLESPACE fast LOCATION ''")?;
    let shop = world.create("shop")?;
    world.psql(
        &shop,
        &format!(
            "CREATE TABLE t (id integer PRIMARY KEY USING INDEX TABLESPACE fast) TABLESPACE fast; INSERT INTO t VALUES (1); \
             ALTER DATABASE {shop} SET default_tablespace = 'fast'; ALTER DATABASE {shop} SET temp_tablespaces = 'fast'"
        ),
    )?;
    let key = world.dump(&shop).await?;
    world.drop_database(&shop)?;
    world.psql("postgres", "DROP TABLESPACE fast")?;
    let copy = world.name("copy");
    let restore = ["pg", "restore", &key, "--into", &copy];
    let refused = world.lastgood(restore).fails(22).await?;
    refused.says("`--no-tablespaces`")?;
    ensure!(!world.databases()?.contains(&copy), "a refused restore left its database");
    world.lastgood(restore).arg("--no-tablespaces").ok().await?;
    ensure_eq!(world.psql(&copy, "SELECT count(*) FROM t")?, "1", "rows");
    Ok(())
}

/// A transaction that is prepared and forgotten has its locks without a session: it is named.
pub(super) async fn prepared(world: &World) -> RowResult {
    world.psql("postgres", "ALTER SYSTEM SET max_prepared_transactions = 5")?;
    world.cluster().restart(Shutdown::Fast)?;
    let shop = world.create("shop")?;
    let name = world.name("stuck");
    world.psql(&shop, "CREATE TABLE t AS SELECT 1 AS id")?;
    world.psql(&shop, &format!("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION '{name}'"))?;
    let dump = world.lastgood(["pg", "dump", &shop, "--lock-timeout", "1s"]).run().await?;
    world.psql(&shop, &format!("ROLLBACK PREPARED '{name}'"))?;
    dump.expect_code(1)?.says(&format!("the prepared transaction `{name}`"))?;
    Ok(())
}
