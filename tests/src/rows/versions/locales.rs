//! Databases whose order of text comes from another provider than the server's own.

use super::Pair;
use crate::harness::RowResult;
use crate::harness::World;
use crate::harness::compare::Picture;
use crate::harness::failure::Within as _;

/// The first version that knows it, whether it takes a build with ICU, and how a database with it is created.
const LOCALES: [(u32, bool, &str); 6] = [
    (12, false, "LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"),
    (12, false, "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"),
    (15, true, "LOCALE_PROVIDER icu ICU_LOCALE 'de-u-co-phonebk' LOCALE 'C.UTF-8'"),
    (16, true, "LOCALE_PROVIDER icu ICU_LOCALE 'en' ICU_RULES '&V << w <<< W' LOCALE 'C.UTF-8'"),
    (17, false, "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"),
    (18, false, "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'PG_UNICODE_FAST' LOCALE 'C'"),
];

/// Rows whose order depends on it, under a unique index.
const SCHEMA: &str = "SET client_encoding = 'UTF8'; CREATE TABLE words (w text PRIMARY KEY, lower text GENERATED ALWAYS AS (lower(w)) STORED); \
    INSERT INTO words (w) VALUES ('a'), ('Ä'), ('b'), ('B'), ('vu'), ('wa'), ('V'), ('W'), ('ß'), ('z')";

/// Collations of ICU, of a database whose own order is the system's: what two words are equal for.
const COLLATIONS: &str = "CREATE COLLATION numeric (provider = icu, locale = 'en-u-kn-true'); \
    CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false); \
    CREATE TABLE names (n text COLLATE numeric, f text COLLATE folded UNIQUE); INSERT INTO names VALUES ('a10', 'x'), ('a2', 'Y')";

/// Each comes back with its locale and its rows, beside and over.
pub(super) async fn kept(world: &World, pair: &Pair) -> RowResult {
    let has_icu = world.has_icu()?;
    for (major, needs_icu, how) in LOCALES {
        if pair.server.major < major || (needs_icu && !has_icu) {
            continue;
        }
        let name = world.name("words");
        world.psql("postgres", &format!("CREATE DATABASE \"{name}\" TEMPLATE template0 {how}")).within(how)?;
        world.psql(&name, SCHEMA).within(how)?;
        if has_icu && !how.contains("LATIN1") {
            world.psql(&name, COLLATIONS).within(how)?;
        }
        there_and_back(world, pair, &name).await.within(how)?;
        world.drop_database(&name)?;
    }
    Ok(())
}

async fn there_and_back(world: &World, pair: &Pair, name: &str) -> RowResult {
    let lastgood = |words: &[&str]| world.lastgood(words.iter().copied()).env("LASTGOOD_PG_BIN", &pair.client.bin_dir);
    let before = Picture::of(world.cluster(), name)?;
    let copy = world.name("copied_words");
    lastgood(&["pg", "dump", name]).ok().await?;
    lastgood(&["pg", "restore", name, "--into", &copy]).ok().await?;
    before.expect(&Picture::of(world.cluster(), &copy)?, "the copy")?;
    world.psql(name, "DELETE FROM words")?;
    lastgood(&["pg", "restore", name, "--confirm-database", name]).ok().await?;
    before.expect(&Picture::of(world.cluster(), name)?, "the live database")?;
    world.drop_database(&copy)
}
