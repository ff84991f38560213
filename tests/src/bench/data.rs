//! The generated databases.

use super::context::SHOP;
use crate::Outcome;
use crate::printer::say;
use crate::server::Server;

/// The shop, with `{scale}` to be replaced.
const SHOP_SQL: &str = include_str!("app.sql");

/// The database of one large table.
pub(crate) const LARGE: &str = "large";

/// Bytes of one row of [`LARGE`], without its header.
const LARGE_ROW_BYTES: f64 = 1_024.0;

/// Makes the shop; about 800 MB at scale 1.
pub(crate) fn shop(server: &Server, scale: f64) -> Outcome {
    let begin = std::time::Instant::now();
    server.sql("postgres", &format!("CREATE DATABASE {SHOP} TEMPLATE template0"))?;
    server.sql(SHOP, &SHOP_SQL.replace("{scale}", &scale.to_string()))?;
    describe(server, SHOP, begin)
}

/// Makes a database of one table of about `bytes`.
pub(crate) fn large(server: &Server, bytes: f64) -> Outcome {
    let begin = std::time::Instant::now();
    server.sql("postgres", &format!("CREATE DATABASE {LARGE} TEMPLATE template0"))?;
    let rows = (bytes / LARGE_ROW_BYTES) as u64;
    // Hexadecimal digits compress to half, as much as rows of real tables at worst.
    let sql = format!(
        "CREATE TABLE big AS SELECT g AS id, (SELECT string_agg(encode(sha512((g || '/' || i)::bytea), 'hex'), '')
           FROM generate_series(1, 8) i) AS v FROM generate_series(1, {rows}) g; ALTER TABLE big ADD PRIMARY KEY (id);"
    );
    server.sql(LARGE, &sql)?;
    describe(server, LARGE, begin)
}

fn describe(server: &Server, database: &str, begin: std::time::Instant) -> Outcome {
    let size = server.sql(database, "SELECT pg_size_pretty(pg_database_size(current_database()))")?;
    say(&format!("database `{database}`: {} in {:.0} s", size.trim(), begin.elapsed().as_secs_f64()));
    Ok(())
}
