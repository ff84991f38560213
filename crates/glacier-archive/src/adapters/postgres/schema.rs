//! The tables.

use tokio_postgres::{Client, Error};

use super::work::Worker;
use crate::error::{GlacierError, GlacierResult};

/// The format this version writes, and the newest it reads.
const FORMAT: i64 = 1;

/// Where the catalogue's tables are, and how their names begin. By default those of archives are in `glacier_archives`, as
/// GlacierOnRails called them, in the schema `public`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    /// The schema, which must exist.
    pub schema: String,
    /// What every table's name begins with.
    pub prefix: String,
}

impl Default for Tables {
    fn default() -> Self {
        Self { schema: "public".to_owned(), prefix: "glacier_".to_owned() }
    }
}

/// What the names of the tables end with.
const SUFFIXES: [&str; 6] = ["format", "archives", "files", "retrievals", "vaulted", "leaves"];

impl Tables {
    /// Schema and name of each table, without quotes: what a restore of the database must carry over.
    #[must_use]
    pub fn names(&self) -> Vec<(String, String)> {
        SUFFIXES.iter().map(|suffix| (self.schema.clone(), format!("{}{suffix}", self.prefix))).collect()
    }

    /// A table as SQL names it.
    pub(super) fn quoted(&self, suffix: &str) -> String {
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        format!("{}.{}", quoted(&self.schema), quoted(&format!("{}{suffix}", self.prefix)))
    }

    pub(super) fn select_archives(&self) -> String {
        let archives = self.quoted("archives");
        format!(
            "SELECT key, role, bytes, sha256, class, stored FROM {archives} WHERE owner = $1 ORDER BY key COLLATE \"C\""
        )
    }

    pub(super) fn select_files(&self) -> String {
        let files = self.quoted("files");
        format!(
            "SELECT name, bytes, sha256, mode, modified, stamp_ns, inode, archive, at FROM {files} WHERE owner = $1 \
             ORDER BY name COLLATE \"C\""
        )
    }

    pub(super) fn select_leaves(&self) -> String {
        format!("SELECT digests FROM {} WHERE owner = $1 AND archive = $2", self.quoted("leaves"))
    }

    fn create(&self) -> String {
        let [format, archives, files, retrievals, vaulted, leaves] = SUFFIXES.map(|suffix| self.quoted(suffix));
        format!(
            "CREATE TABLE IF NOT EXISTS {format} (format bigint NOT NULL); \
             CREATE TABLE IF NOT EXISTS {archives} (owner text, key text, role text NOT NULL, bytes bigint NOT NULL, \
               sha256 text NOT NULL, class text, stored text, PRIMARY KEY (owner, key)); \
             CREATE TABLE IF NOT EXISTS {files} (owner text, name text, bytes bigint NOT NULL, sha256 text NOT NULL, \
               mode bigint NOT NULL, modified text NOT NULL, stamp_ns bigint, inode bigint, archive text, \
               at bigint NOT NULL, PRIMARY KEY (owner, name), FOREIGN KEY (owner, archive) REFERENCES {archives}); \
             CREATE TABLE IF NOT EXISTS {retrievals} (owner text, archive text, state text NOT NULL, \
               PRIMARY KEY (owner, archive)); \
             CREATE TABLE IF NOT EXISTS {vaulted} (owner text, archive text, state text NOT NULL, \
               PRIMARY KEY (owner, archive)); \
             CREATE TABLE IF NOT EXISTS {leaves} (owner text, archive text, digests bytea NOT NULL, \
               PRIMARY KEY (owner, archive))"
        )
    }
}

/// What was found.
pub(super) enum Found {
    /// Our tables, of this format.
    Format(i64),
    /// A table of one of the names that is not ours.
    Others(String),
}

/// Makes the tables where there are none; tells what is there otherwise.
pub(super) async fn prepare(client: &Client, tables: &Tables) -> Result<Found, Error> {
    client.batch_execute("SET synchronous_commit = on; SET client_min_messages = warning").await?;
    let format = tables.quoted("format");
    let there = client.query_one("SELECT pg_catalog.to_regclass($1) IS NOT NULL", &[&format]).await?;
    if !there.get::<_, bool>(0) {
        let names: Vec<String> = SUFFIXES.iter().map(|suffix| tables.quoted(suffix)).collect();
        let taken = "SELECT n FROM pg_catalog.unnest($1::text[]) n WHERE pg_catalog.to_regclass(n) IS NOT NULL LIMIT 1";
        if let Some(row) = client.query_opt(taken, &[&names]).await? {
            return Ok(Found::Others(row.get(0)));
        }
        // Two at once would both see nothing; the lock goes with the transaction.
        let create = tables.create();
        client
            .batch_execute(&format!(
                "BEGIN; SELECT pg_catalog.pg_advisory_xact_lock(7309453310); {create}; \
                 INSERT INTO {format} SELECT {FORMAT} WHERE NOT EXISTS (SELECT FROM {format}); COMMIT"
            ))
            .await?;
    }
    let row = client.query_opt(&format!("SELECT max(format) FROM {format}"), &[]).await?;
    Ok(Found::Format(row.and_then(|row| row.get(0)).unwrap_or_default()))
}

/// Refuses what is not ours, or newer than we are.
pub(super) fn check(found: &Found, worker: &Worker, tables: &Tables) -> GlacierResult<()> {
    match found {
        Found::Format(found) if *found <= FORMAT => Ok(()),
        Found::Format(found) => {
            Err(GlacierError::NewerCatalogue { path: worker.name().to_owned(), found: *found, supported: FORMAT })
        }
        Found::Others(table) => {
            let what = format!("`{}` has a table {table} that is no catalogue of ours", worker.name());
            let help =
                format!("choose other names than those that begin with `{}`; nothing was changed", tables.prefix);
            Err(GlacierError::usage(what, help))
        }
    }
}
