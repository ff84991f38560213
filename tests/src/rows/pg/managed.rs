//! A server like RDS: our role is no superuser, may not end others' sessions, and does not own everything.

use crate::harness::compare::Picture;
use crate::harness::{Lastgood, RowResult, World};
use crate::{ensure, ensure_eq};

/// Exit code for what is refused.
const FAILED: i32 = 1;

/// `keeper` dumps and restores, is a member of `app`, and is nothing to `stranger` and `rdsadmin`.
const ROLES: &str = "CREATE ROLE app; CREATE ROLE stranger LOGIN PASSWORD 'stranger'; CREATE ROLE rdsadmin; \
    CREATE ROLE keeper LOGIN PASSWORD 'keeper' CREATEDB IN ROLE app";

const SCHEMA: &str = "\
    CREATE EXTENSION pg_trgm; COMMENT ON EXTENSION pg_trgm IS 'by the service'; \
    GRANT CREATE ON SCHEMA public TO app, keeper; GRANT USAGE ON SCHEMA public TO stranger; \
    CREATE TABLE orders (id serial PRIMARY KEY, what text); INSERT INTO orders (what) SELECT g FROM generate_series(1, 100) g; \
    CREATE INDEX ON orders USING gin (what gin_trgm_ops); CREATE MATERIALIZED VIEW sums AS SELECT count(*) FROM orders; \
    ALTER TABLE orders OWNER TO app; ALTER MATERIALIZED VIEW sums OWNER TO app; \
    CREATE TABLE theirs (id int REFERENCES orders); INSERT INTO theirs SELECT id FROM orders; \
    CREATE TABLE hidden (id int); INSERT INTO hidden VALUES (1); CREATE SEQUENCE hidden_too; \
    CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1; \
    ALTER TABLE theirs OWNER TO stranger; ALTER TABLE hidden OWNER TO stranger; ALTER SEQUENCE hidden_too OWNER TO stranger; \
    ALTER FUNCTION f() OWNER TO stranger; GRANT SELECT ON theirs TO keeper; GRANT SELECT ON orders TO rdsadmin; \
    ALTER DEFAULT PRIVILEGES FOR ROLE stranger GRANT SELECT ON TABLES TO app; \
    CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; \
    CREATE EVENT TRIGGER noted ON ddl_command_end EXECUTE FUNCTION note(); COMMENT ON EVENT TRIGGER noted IS 'x'; \
    SELECT lo_from_bytea(7, '\\x00ff'); ALTER LARGE OBJECT 7 OWNER TO app; \
    SELECT lo_from_bytea(8, '\\x01'); ALTER LARGE OBJECT 8 OWNER TO stranger; GRANT SELECT ON LARGE OBJECT 8 TO keeper";

fn keeper<'w>(world: &'w World, words: &[&str]) -> Lastgood<'w> {
    world.lastgood(words.iter().copied()).env("PGUSER", "keeper").env("PGPASSWORD", "keeper")
}

/// P6: dump, restore beside and over, as that role.
pub(super) async fn under_a_role_of_little_power(world: &World) -> RowResult {
    world.psql("postgres", ROLES)?;
    let shop = world.create("shop")?;
    world.psql(&shop, SCHEMA)?;
    world.psql("postgres", &format!("ALTER DATABASE \"{shop}\" OWNER TO keeper"))?;

    let unreadable = keeper(world, &["pg", "dump", &shop]).env("LASTGOOD_PROGRESS", "json").fails(FAILED).await?;
    ensure!(!unreadable.steps().contains(&"dump.data".to_owned()), "rows were copied before the refusal");
    unreadable.says("`public.hidden`, `public.hidden_too`")?.never_says("theirs")?;
    ensure_eq!(world.keys(&shop).await?, Vec::<String>::new(), "dumps");
    world.psql(&shop, "GRANT SELECT ON hidden, hidden_too TO keeper; ALTER TABLE theirs ENABLE ROW LEVEL SECURITY")?;
    keeper(world, &["pg", "dump", &shop])
        .fails(FAILED)
        .await?
        .says("row security would hide rows of `public.theirs`")?;
    world.psql(&shop, "ALTER TABLE theirs DISABLE ROW LEVEL SECURITY")?;
    keeper(world, &["pg", "dump", &shop]).ok().await?;

    let copy = world.name("copy");
    keeper(world, &["pg", "restore", &shop, "--into", &copy]).fails(FAILED).await?.says("--managed")?;
    ensure!(!world.databases()?.contains(&copy), "a restore that failed left its database");
    let restored = keeper(world, &["pg", "restore", &shop, "--into", &copy, "--managed"]).ok().await?;
    restored
        .says("permission denied to create event trigger")?
        .says("OWNER TO stranger")?
        .never_says("OWNER TO app")?;
    picture(world, &shop)?.expect(&picture(world, &copy)?, "the copy")?;
    let owners = "SELECT string_agg(pg_get_userbyid(relowner), ' ' ORDER BY relname) FROM pg_class \
                  WHERE relname IN ('orders', 'sums', 'theirs')";
    ensure_eq!(world.psql(&copy, owners)?, "app app keeper", "owners in the copy");
    over_the_live_one(world, &shop).await
}

/// Sessions that the role may not end are named before anything is closed; without them the swap goes on.
async fn over_the_live_one(world: &World, shop: &str) -> RowResult {
    let mut config = world.config(shop);
    config.user("stranger").password("stranger");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
    let connection = tokio::spawn(connection);
    let restore = ["pg", "restore", shop, "--confirm-database", shop, "--managed"];
    keeper(world, &restore).fails(FAILED).await?.says("of `stranger`")?.says("pg_signal_backend")?;
    ensure_eq!(world.closed()?, Vec::<String>::new(), "closed databases");
    client.simple_query("SELECT 1").await?;
    drop(client);
    let _ = connection.await;
    world.psql("postgres", "ALTER ROLE keeper SET statement_timeout = '1ms'")?;
    keeper(world, &restore).ok().await?;
    ensure_eq!(world.psql(shop, "SELECT count(*) FROM theirs")?, "100", "rows of the restored database");
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left over");
    Ok(())
}

/// Without owners, privileges and event triggers: what a role of little power cannot set.
fn picture(world: &World, database: &str) -> RowResult<Picture> {
    let mut picture = Picture::of(world.cluster(), database)?.without_settings();
    let lost = [
        "-- Name: ",
        "OWNER TO",
        "EVENT TRIGGER",
        "GRANT ",
        "REVOKE ",
        "DEFAULT PRIVILEGES",
        "COMMENT ON EXTENSION",
        "ON \"ddl_command_end\"",
        "EXECUTE FUNCTION \"public\".\"note\"()",
        "large object",
    ];
    for lines in picture.parts.values_mut() {
        lines.retain(|line| !lost.iter().any(|lost| line.contains(lost)));
    }
    Ok(picture)
}
