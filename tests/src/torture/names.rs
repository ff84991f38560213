//! Names that steer a terminal, made at random, through what prints to people.

use backup_testkit::dice::Dice;
use backup_testkit::mutations;
use backup_testkit::postgres::quote_identifier;

use super::kind::{Lane, Part};
use super::runs::run;
use crate::ensure;
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::rows::core::terminal::shown;

/// Commands of each round.
const COMMANDS: usize = 6;

/// Longest hostile part of a name; PostgreSQL's names end at 63 bytes.
const NAME_BYTES_MAX: usize = 40;

/// A location with dumps of whatever is called so.
pub(super) struct Names(World);

impl Part for Names {
    async fn set(world: World, _: &Lane) -> RowResult<Self> {
        world.init().await?;
        Ok(Self(world))
    }

    async fn round(&mut self, dice: &mut Dice) -> RowResult<bool> {
        let world = &self.0;
        let mut name = |base: &str| format!("{}{}", world.name(base), mutations::name(dice, NAME_BYTES_MAX));
        let (database, role, copy, other) = (name("d"), name("r"), name("c"), name("x"));
        let place = format!("{database:?}, {role:?}, {other:?}");
        let [quoted_database, quoted_role, quoted] = [&database, &role, &other].map(|name| quote_identifier(name));
        world.psql("postgres", &format!("CREATE ROLE {quoted_role}"))?;
        world.psql("postgres", &format!("CREATE DATABASE {quoted_database} TEMPLATE template0"))?;
        let made = world.psql(
            &database,
            &format!(
                "CREATE SCHEMA {quoted}; CREATE TABLE {quoted}.{quoted} ({quoted} integer PRIMARY KEY); \
                 ALTER TABLE {quoted}.{quoted} OWNER TO {quoted_role}; INSERT INTO {quoted}.{quoted} VALUES (1); \
                 CREATE TABLE plain AS SELECT 1 AS id"
            ),
        );
        let ended = match made {
            Ok(_) => commands(world, dice, &database, &role, &copy, &other).await.within(&place),
            Err(failure) => Err(failure),
        };
        for name in world.databases()?.into_iter().filter(|name| name.contains(&world.name(""))) {
            world.drop_database(&name)?;
        }
        world.psql("postgres", &format!("DROP ROLE {quoted_role}"))?;
        ended.map(|()| true)
    }

    fn world(&self) -> &World {
        &self.0
    }
}

async fn commands(world: &World, dice: &mut Dice, database: &str, role: &str, copy: &str, other: &str) -> RowResult {
    let listed = shown(run(world, &["pg", "dump", database]).await?)?.expect_code(0)?;
    let listing = run(world, &["pg", "ls", "--json"]).await?.expect_code(0)?.json()?;
    let newest = listing.as_array().into_iter().flatten().rfind(|entry| entry["database"] == database);
    let key = newest.and_then(|entry| entry["key"].as_str()).unwrap_or_default().to_owned();
    ensure!(!key.is_empty(), "the dump is not listed by the very name: {}", listed.stdout);
    let table = format!("{0}.{0}", quote_identifier(other));
    let hook = format!("true '{}'", other.replace('\'', ""));
    let wrong = format!("{other}/none");
    let source = format!("ndjson:{other}");
    let all: [&[&str]; 26] = [
        &["pg", "ls"],
        &["pg", "ls", database],
        &["pg", "ls", "--local"],
        &["pg", "show", &key],
        &["pg", "verify", &key, "--read", "all"],
        &["pg", "restore", &key, "-n"],
        &["pg", "restore", &key],
        &["pg", "restore", &key, "--into", copy],
        &["pg", "restore", &key, "--into", copy, "--table", &table, "--no-owner"],
        &["pg", "restore", &key, "-n", "--table", &table],
        &["pg", "restore", &key, "--confirm-database", other],
        &["pg", "copy", database, copy, "-n"],
        &["pg", "drop-local", database, "-n"],
        &["pg", "dump", "--tag", other, database],
        &["pg", "dump", "--exclude-table-data", &table, database],
        &["pg", "dump", "-n", "--pre-dump-hook", &hook, database],
        &["pg", "dump", database, "-U", role],
        &["pg", "dump", other],
        &["pg", "show", &wrong],
        &["pg", "prune", database, "--keep-last", "1", "-n"],
        &["pg", "prune", database, "--keep-tag", other, "-n"],
        &["doctor", database],
        &["app", "backup", "--source", &source],
        &["app", "show", other],
        &["dict", "diff", other, other],
        &["-r", other, "pg", "ls"],
    ];
    for _ in 0..COMMANDS {
        let words = dice.pick(&all);
        shown(run(world, words).await?)?;
    }
    Ok(())
}
