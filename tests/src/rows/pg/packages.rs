//! Databases with extensions that Debian has packages of beyond the common ones: there and back, over live and by copy.

use backup_testkit::postgres::Shutdown;

use super::extensions::one;
use crate::harness::failure::Within as _;
use crate::harness::{Failure, RowResult, World};

/// A database: its name and the SQL that makes it.
macro_rules! databases {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("../../../extensions/", $name, ".sql")))),*] };
}

const DATABASES: [(&str, &str); 30] = databases![
    "contrib",
    "debversion",
    "geocoder",
    "jsquery",
    "londiste",
    "mimeo",
    "numeral",
    "orafce",
    "pg_rational",
    "pg_similarity",
    "pg_sphere",
    "pgmp",
    "pgq",
    "pgrouting",
    "pllua",
    "plperl",
    "plproxy",
    "plsh",
    "pointcloud",
    "powa",
    "prefix",
    "q3c",
    "rum",
    "semver",
    "small",
    "table_log",
    "tdigest",
    "unit",
    "wrappers",
    "looks",
];

/// Databases with functions in a language that may do anything: whoever restores them says so.
const UNTRUSTED: [&str; 3] = ["plperl", "plproxy", "plsh"];

/// What is made only where the server has loaded it from the beginning.
const LOADED: [&str; 6] =
    ["pg_stat_statements", "pg_qualstats", "pg_stat_kcache", "pg_wait_sampling", "pgaudit", "set_user"];

/// All that the server offers; those that it does not are named.
pub(super) async fn there_and_back(world: &World) -> RowResult {
    let offered = world.psql("postgres", "SELECT name FROM pg_available_extensions")?;
    let offered: Vec<&str> = offered.lines().collect();
    let loaded: Vec<&str> = LOADED.into_iter().filter(|name| offered.contains(name)).collect();
    load(world, &loaded)?;
    let (mut without, probe) = (Vec::new(), world.create("probe")?);
    // Minor releases of November 2026 refuse operators of some that are older than they.
    let can_be_made = |extension: &str| {
        world.psql(&probe, &format!("BEGIN; CREATE EXTENSION \"{extension}\" CASCADE; ROLLBACK")).is_ok()
    };
    for (name, sql) in DATABASES {
        let extensions = created(sql).into_iter();
        let missing: Vec<&str> =
            extensions.filter(|extension| !offered.contains(extension) || !can_be_made(extension)).collect();
        let options: &[&str] = if UNTRUSTED.contains(&name) { &["--allow-outside", "languages"] } else { &[] };
        match missing.is_empty() {
            true => one(world, name, sql, options).await.within(name)?,
            false => without.extend(missing),
        }
    }
    load(world, &[])?;
    without.sort_unstable();
    without.dedup();
    match without.is_empty() {
        true => Ok(()),
        false => Err(Failure::Skipped(format!(
            "the others passed; the server does not offer, or cannot make, {}",
            without.join(", ")
        ))),
    }
}

/// Starts the server again with these libraries.
fn load(world: &World, libraries: &[&str]) -> RowResult {
    let value = if libraries.is_empty() { "DEFAULT".to_owned() } else { libraries.join(", ") };
    world.psql("postgres", &format!("ALTER SYSTEM SET shared_preload_libraries = {value}"))?;
    Ok(world.cluster().restart(Shutdown::Fast)?)
}

/// The extensions that SQL makes by name.
fn created(sql: &str) -> Vec<&str> {
    sql.split("CREATE EXTENSION ").skip(1).filter_map(|rest| rest.split([' ', ';']).next()).collect()
}
