//! What belongs to the database and not to its contents.

use backup_testkit::postgres::quote_identifier;

use crate::harness::compare::Picture;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// P15.
pub(super) async fn kept(world: &World) -> RowResult {
    let (owner, reader) = (world.name("Owner of"), world.name("reader"));
    let (owner_q, reader_q) = (quote_identifier(&owner), quote_identifier(&reader));
    world.psql("postgres", &format!("CREATE ROLE {owner_q}; CREATE ROLE {reader_q} LOGIN"))?;
    let shop = world.name("Shop \"with\" settings");
    let shop_q = quote_identifier(&shop);
    world.psql("postgres", &format!(
        "CREATE DATABASE {shop_q} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' CONNECTION LIMIT 17 OWNER {owner_q}"
    ))?;
    world.psql(&shop, &format!(
        "CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE TABLE t (id serial PRIMARY KEY, v ext.citext); \
         INSERT INTO t (v) VALUES ('Grüße'), ('x'); ALTER TABLE t OWNER TO {owner_q}; GRANT SELECT ON t TO {reader_q}; \
         ALTER DATABASE {shop_q} SET search_path = public, ext, \"we\"\"ird\"; ALTER DATABASE {shop_q} SET work_mem = '7MB'; \
         ALTER DATABASE {shop_q} SET \"my.setting\" = 'it''s \\ \"quoted\", %s'; \
         ALTER DATABASE {shop_q} SET datestyle = 'German'; ALTER DATABASE {shop_q} SET bytea_output = 'escape'; \
         ALTER DATABASE {shop_q} SET standard_conforming_strings = off; ALTER DATABASE {shop_q} SET default_transaction_read_only = on; \
         ALTER ROLE {reader_q} IN DATABASE {shop_q} SET statement_timeout = '3s'; \
         REVOKE ALL ON DATABASE {shop_q} FROM PUBLIC; GRANT CONNECT ON DATABASE {shop_q} TO {reader_q} WITH GRANT OPTION; \
         GRANT TEMPORARY ON DATABASE {shop_q} TO PUBLIC; COMMENT ON DATABASE {shop_q} IS E'it''s \\\\ a \"shop\"\\nin two lines'"
    ))?;
    let before = Picture::of(world.cluster(), &shop)?;
    ensure!(before.parts["settings"].iter().any(|line| line.contains("my.setting")), "the row set nothing up");
    let key = world.dump(&shop).await?;

    let copy = world.name("copy");
    world.lastgood(["pg", "restore", &key, "--into", &copy]).ok().await?;
    before.expect(&Picture::of(world.cluster(), &copy)?, "the new database")?;

    // Over the live one: its own settings of today stay, not those of the dump.
    let alter = format!(
        "SET default_transaction_read_only = off; ALTER DATABASE {shop_q} SET work_mem = '9MB'; \
        ALTER DATABASE {shop_q} CONNECTION LIMIT 18; COMMENT ON DATABASE {shop_q} IS 'of today'; CREATE TABLE intruder (id integer)"
    );
    world.psql(&shop, &alter)?;
    let today = Picture::of(world.cluster(), &shop)?;
    world.lastgood(["pg", "restore", &key, "--confirm-database", &shop]).ok().await?;
    let after = Picture::of(world.cluster(), &shop)?;
    ensure_eq!(after.parts["settings"], today.parts["settings"], "the settings of the live database");
    before.without_settings().expect(&after.without_settings(), "the live database")?;

    // The door that its owner had closed stays closed.
    world.psql("postgres", &format!("ALTER DATABASE {shop_q} ALLOW_CONNECTIONS false"))?;
    world.lastgood(["pg", "restore", &key, "--confirm-database", &shop]).ok().await?;
    ensure_eq!(world.closed()?, vec![shop.clone()], "databases that let nobody in");
    Ok(())
}

/// P15-session: what the role or somebody's environment sets for sessions changes no value.
pub(super) async fn of_sessions(world: &World) -> RowResult {
    let shop = world.create("shop")?;
    world.psql(
        &shop,
        "CREATE TABLE a (t text[], i interval, x xml, m money); \
         INSERT INTO a VALUES (ARRAY[NULL, 'NULL', 'a\"b'], '1 mon -2 days 03:04:05.5', '<a/><b/>', 12.34)",
    )?;
    let look = "SELECT t[1] IS NULL, t[2], t[3], i::text, x::text, m::numeric FROM a";
    let before = world.psql(&shop, look)?;
    let options = "-c array_nulls=off -c intervalstyle=sql_standard -c xmloption=document -c datestyle=German \
                   -c standard_conforming_strings=off -c client_min_messages=debug1";
    // In another locale, `12,34` are 1,234 dollars. Where the machine has none, that part is left out.
    let dumping = match locale() {
        Some(locale) => format!("{options} -c lc_monetary={locale}"),
        None => options.to_owned(),
    };
    world.lastgood(["pg", "dump", &shop]).env("PGOPTIONS", dumping).ok().await?;
    let copy = world.name("copy");
    world.lastgood(["pg", "restore", &shop, "--into", &copy]).env("PGOPTIONS", options).ok().await?;
    ensure_eq!(world.psql(&copy, look)?, before, "the restored values");
    Ok(())
}

/// A locale of the machine that writes money with a comma.
fn locale() -> Option<String> {
    let all = std::process::Command::new("locale").arg("-a").output().ok()?;
    let all = String::from_utf8_lossy(&all.stdout).into_owned();
    let wanted = ["es_CO.utf8", "es_AR.utf8", "de_DE.utf8", "fr_FR.utf8"];
    wanted.into_iter().find(|name| all.lines().any(|line| line == *name)).map(str::to_owned)
}
