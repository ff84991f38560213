//! A small database with something of everything that has to come back, and a version that tells its states apart.

use super::failure::RowResult;
use super::world::World;

/// Tables, keys, an index, a sequence, a materialized view, a large object, settings of the database's own.
const SAMPLE: &str = "
CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL, version integer NOT NULL);
INSERT INTO customers SELECT g, 'customer ' || g, 1 FROM generate_series(1, 500) g;
CREATE TABLE orders (id serial PRIMARY KEY, customer integer REFERENCES customers, note text, version integer NOT NULL);
INSERT INTO orders (customer, note, version) SELECT g % 500 + 1, md5(g::text), 1 FROM generate_series(1, 3000) g;
CREATE INDEX orders_note ON orders (note);
CREATE MATERIALIZED VIEW per_customer AS SELECT customer, count(*) AS n FROM orders GROUP BY customer;
SELECT lo_from_bytea(777, 'a large object');
";

/// One line that is equal for equal contents.
const CHECKSUM: &str = "
SELECT (SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM customers t),
  (SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM orders t),
  (SELECT last_value FROM orders_id_seq), (SELECT md5(string_agg(t::text, ',' ORDER BY customer)) FROM per_customer t),
  (SELECT md5(lo_get(777))), (SELECT count(*) FROM pg_index WHERE indisvalid AND indisunique IS NOT NULL),
  (SELECT count(*) FROM pg_constraint WHERE contype = 'f')";

impl World {
    /// Creates the sample database `base` under a name of this row's own, in version 1, and returns that name.
    ///
    /// # Errors
    /// If the server refuses.
    pub fn sample(&self, base: &str) -> RowResult<String> {
        let name = self.create(base)?;
        self.psql(&name, SAMPLE)?;
        Ok(name)
    }

    /// Adds a table of `mebibytes` that do not compress, so that a dump takes a while and several parts.
    ///
    /// # Errors
    /// If the server refuses.
    pub fn add_bulk(&self, database: &str, mebibytes: u32) -> RowResult {
        // 32 KiB a row out of 2,048 digests.
        let rows = mebibytes * 32;
        self.psql(
            database,
            &format!(
                "CREATE TABLE bulk (id integer PRIMARY KEY, body bytea); ALTER TABLE bulk ALTER body SET STORAGE EXTERNAL; \
                 INSERT INTO bulk SELECT r, decode(string_agg(md5(r::text || '-' || g::text), ''), 'hex') \
                 FROM generate_series(1, {rows}) r, generate_series(1, 2048) g GROUP BY r"
            ),
        )?;
        Ok(())
    }

    /// Moves every row of a sample database to `version`.
    ///
    /// # Errors
    /// If the server refuses.
    pub fn set_version(&self, database: &str, version: u32) -> RowResult {
        self.psql(
            database,
            &format!("UPDATE customers SET version = {version}; UPDATE orders SET version = {version}"),
        )?;
        Ok(())
    }

    /// What a sample database holds, in one line.
    ///
    /// # Errors
    /// If it cannot be read, or is half there.
    pub fn checksum(&self, database: &str) -> RowResult<String> {
        self.psql(database, CHECKSUM)
    }

    /// Databases that lastgood made and did not remove.
    ///
    /// # Errors
    /// If the server does not answer.
    pub fn leftovers(&self) -> RowResult<Vec<String>> {
        let own = |name: &String| name.starts_with("lastgood_");
        Ok(self.databases()?.into_iter().filter(own).collect())
    }

    /// Databases that do not let anybody in.
    ///
    /// # Errors
    /// If the server does not answer.
    pub fn closed(&self) -> RowResult<Vec<String>> {
        let sql = "SELECT datname FROM pg_database WHERE NOT datallowconn AND datname <> 'template0'";
        Ok(self.psql("postgres", sql)?.lines().map(str::to_owned).collect())
    }
}
