//! Cases of `lastgood pg`.

use super::Case;
use crate::harness::{RowResult, World};

/// Exit codes.
const FAILED: i32 = 1;
const USAGE: i32 = 2;
const INTEGRITY: i32 = 13;
const NO_RULE: i32 = 14;
const CONFIRMATION: i32 = 15;
const TOOL: i32 = 22;

/// `keeper` may create databases and owns none; `weak` may do nothing; `writer` may write rows and owns no table.
const ROLES: &str = "CREATE ROLE gone; CREATE ROLE keeper LOGIN PASSWORD 'not a name' CREATEDB; \
    CREATE ROLE weak LOGIN PASSWORD 'not a name'; CREATE ROLE writer LOGIN PASSWORD 'not a name'";

pub(in super::super) async fn cases(world: &World) -> RowResult<Vec<Case>> {
    world.psql("postgres", ROLES)?;
    let shop = world.sample("shop")?;
    world.dump(&shop).await?;
    let roles = world.create("roles")?;
    world.psql(&roles, "CREATE TABLE t (i int); ALTER TABLE t OWNER TO gone")?;
    world.dump(&roles).await?;
    world.psql(&roles, "ALTER TABLE t OWNER TO postgres")?;
    world.psql("postgres", "DROP ROLE gone")?;
    let broken = world.sample("broken")?;
    let key = world.dump(&broken).await?;
    let pack = world.place().keys_ending(".pack").await?.into_iter().find(|pack| pack.contains(&key));
    if let Some(pack) = pack {
        world.place().remove(&pack).await?;
    }
    let bound = world.create("bound")?;
    world.psql(&bound, "CREATE TABLE t (i int)")?;
    world.dump(&bound).await?;
    world.psql(
        &bound,
        "CREATE SUBSCRIPTION s CONNECTION 'dbname=none' PUBLICATION p WITH (connect = false, slot_name = NONE)",
    )?;
    let template = world.create("template")?;
    world.psql("postgres", &format!("ALTER DATABASE {template} IS_TEMPLATE true"))?;
    world.psql(&shop, "GRANT SELECT, INSERT, TRUNCATE ON ALL TABLES IN SCHEMA public TO writer")?;
    let empty = world.create("empty")?;
    let mut cases = restores(world, &shop, &roles, &broken, &bound, &template);
    cases.extend(rows_alone(world, &shop)?);
    cases.extend(local(world, &shop, &bound, &template));
    cases.extend(dumps(world, &shop, &empty)?);
    Ok(cases)
}

fn restores(world: &World, shop: &str, roles: &str, broken: &str, bound: &str, template: &str) -> Vec<Case> {
    let new = world.name("new");
    let long = "x".repeat(64);
    let without_programs = world.folder().display().to_string();
    let into =
        |target: &str| vec!["pg", "restore", shop, "--into"].into_iter().chain([target]).map(str::to_owned).collect();
    let case = |words: Vec<String>, code, said: &str| Case { words, ..Case::new(&[], code, said) };
    let mut cases = vec![
        case(into(&new), FAILED, "`weak` cannot create databases").by("weak"),
        Case::new(&["pg", "restore", shop, "--confirm-database", shop], FAILED, "is owned by `postgres`").by("keeper"),
        Case::new(&["pg", "restore", roles, "--into", &new], FAILED, "the roles `gone` do not exist"),
        Case::new(&["pg", "restore", shop, "--confirm-database", "other"], CONFIRMATION, "`other` was confirmed"),
        case(into(&new), CONFIRMATION, "forbidden").with("LASTGOOD_ALLOW_RESTORE", "false"),
        case(into(&new), TOOL, "`pg_restore` was not found").with("LASTGOOD_PG_BIN", &without_programs),
        case(into(&long), USAGE, "has 64 bytes"),
        Case::new(&["pg", "restore", "nowhere"], FAILED, "there is no dump"),
        Case::new(&["pg", "restore", broken, "--into", &new], INTEGRITY, "it is missing"),
        Case::new(&["pg", "restore", bound, "--confirm-database", bound], FAILED, "(1 subscription)"),
        Case::new(
            &["pg", "restore", shop, "--into", template, "--confirm-database", template],
            FAILED,
            "template database",
        ),
        Case::new(&["pg", "restore", shop, "--into", &new, "--pre-swap-sql", "nowhere.sql"], USAGE, "`nowhere.sql`"),
        Case::new(&["pg", "restore", shop, "--into", &new, "--table", "nothing"], USAGE, "nothing"),
    ];
    for target in ["postgres", "template0", "template1"] {
        let words = ["pg", "restore", shop, "--into", target, "--confirm-database", target];
        cases.push(Case::new(&words, FAILED, "maintenance database"));
    }
    cases
}

fn rows_alone(world: &World, shop: &str) -> RowResult<Vec<Case>> {
    let narrow = world.create("narrow")?;
    world.psql(&narrow, "CREATE TABLE customers (id integer PRIMARY KEY)")?;
    let rows = |target: &str, more: &[&str]| -> Vec<String> {
        let words = ["pg", "restore", shop, "--data-only", "--into", target, "--confirm-database", target];
        words.iter().chain(more).map(ToString::to_string).collect()
    };
    let case = |words: Vec<String>, said: &str| Case { words, ..Case::new(&[], FAILED, said) };
    Ok(vec![
        case(rows("nowhere", &[]), "a data-only restore needs an existing database"),
        case(rows(&narrow, &["--table", "customers"]), "has no column `name`"),
        case(rows(shop, &["--table", "customers"]), "there are already rows"),
        case(
            rows(shop, &["--table", "orders", "--replace-rows"]),
            "is not allowed to lock, fill and alter \
                           `public.orders",
        )
        .by("writer"),
        case(rows("postgres", &["--table", "customers"]), "maintenance database"),
    ])
}

fn local(world: &World, shop: &str, bound: &str, template: &str) -> Vec<Case> {
    let new = world.name("new");
    vec![
        Case::new(&["pg", "copy", shop, "postgres", "--confirm-database", "postgres"], FAILED, "maintenance database"),
        Case::new(&["pg", "copy", shop, "template1"], FAILED, "maintenance database"),
        Case::new(&["pg", "copy", shop, template], FAILED, "template database"),
        Case::new(&["pg", "copy", shop, &new], FAILED, "cannot create databases").by("weak"),
        Case::new(&["pg", "copy", shop, &new], FAILED, "is owned by `postgres`").by("keeper"),
        Case::new(&["pg", "copy", shop, shop], FAILED, "they are the same database"),
        Case::new(&["pg", "copy", "nowhere", &new], FAILED, "there is no database"),
        Case::new(&["pg", "copy", shop, bound, "--confirm-database", bound], FAILED, "(1 subscription)"),
        Case::new(&["pg", "copy", bound, shop, "--confirm-database", "other"], CONFIRMATION, "`other` was confirmed"),
        Case::new(&["pg", "copy", shop, &new], CONFIRMATION, "forbidden").with("LASTGOOD_ALLOW_RESTORE", "false"),
        Case::new(&["pg", "restore", ":previous", "--into", shop], FAILED, "has no :previous"),
        Case::new(&["pg", "restore", ":nowhere", "--into", shop], FAILED, "there is no database"),
        Case::new(&["pg", "restore", &format!(":{shop}"), "--into", "postgres"], FAILED, "maintenance database"),
        Case::new(&["pg", "drop-local", "postgres", "--confirm-database", "postgres"], FAILED, "maintenance database"),
        Case::new(&["pg", "drop-local", template, "--confirm-database", template], FAILED, "template database"),
        Case::new(&["pg", "drop-local", shop, "--confirm-database", shop], FAILED, "is owned by `postgres`")
            .by("keeper"),
        Case::new(&["pg", "drop-local", shop, "--confirm-database", "other"], CONFIRMATION, "`other` was confirmed"),
        Case::new(&["pg", "drop-local", "nowhere"], FAILED, "there is no database"),
    ]
}

fn dumps(world: &World, shop: &str, empty: &str) -> RowResult<Vec<Case>> {
    let without_programs = world.folder().display().to_string();
    world.psql(shop, "CREATE VIEW names AS SELECT name FROM customers")?;
    Ok(vec![
        Case::new(&["pg", "dump", shop], FAILED, "no permission to read").by("weak"),
        Case::new(&["pg", "dump", "nowhere"], FAILED, "there is no database"),
        Case::new(&["pg", "dump", empty], CONFIRMATION, "has no tables"),
        Case::new(&["pg", "dump", shop], TOOL, "`pg_dump` was not found").with("LASTGOOD_PG_BIN", &without_programs),
        Case::new(&["pg", "dump", shop, "--exclude-table", "customers"], USAGE, "needs the excluded table"),
        Case::new(&["pg", "dump", shop, "--pre-dump-sql", "nowhere.sql"], USAGE, "`nowhere.sql`"),
        Case::new(&["pg", "prune", shop], NO_RULE, ""),
    ])
}
