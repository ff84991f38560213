//! What the PostgreSQL source and target share.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio_postgres::{Client, Error, Row};
use tokio_util::sync::CancellationToken;

use super::sql::{self, quoted};
use crate::error::{ObjectError, ObjectResult};
use crate::ports::{Connect, Connection};

/// A connection used from a thread that may block.
pub(super) struct Link {
    connection: Connection,
    runtime: Handle,
    cancel: CancellationToken,
    /// The database, for messages.
    pub(super) name: String,
}

impl Link {
    /// Connects, unless `cancel` comes first.
    pub(super) fn open(
        to: &Arc<dyn Connect>,
        cancel: &CancellationToken,
        failed: impl Fn(backup_core::error::Cause) -> ObjectError,
    ) -> ObjectResult<Self> {
        let runtime = Handle::try_current().map_err(|error| failed(error.into()))?;
        let opened = runtime.block_on(async {
            tokio::select! {
                biased;
                () = cancel.cancelled() => Err(ObjectError::Interrupted),
                opened = to.connect() => opened.map_err(&failed),
            }
        });
        Ok(Self { connection: opened?, runtime, cancel: cancel.clone(), name: to.describe() })
    }

    pub(super) fn client(&self) -> &Client {
        &self.connection
    }

    /// Waits for `work`, unless the run is cancelled first; then the outer error says so.
    pub(super) fn wait<T>(&self, work: impl Future<Output = T>) -> ObjectResult<T> {
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => Err(ObjectError::Interrupted),
                done = work => Ok(done),
            }
        })
    }

    /// `names` as the server calls them: cut where it cuts them, which is no matter of characters but of bytes in its encoding.
    pub(super) fn called(&self, names: &[&str]) -> ObjectResult<Result<BTreeMap<String, String>, Error>> {
        let query = "SELECT n, n::name::text FROM pg_catalog.unnest($1::text[]) n";
        let rows = self.wait(self.client().query(query, &[&names]))?;
        Ok(rows.map(|rows| rows.iter().map(|row| (row.get(0), row.get(1))).collect()))
    }

    /// `table` with its schema, as SQL has it, wherever the search path finds it.
    pub(super) fn qualified(&self, table: &str) -> ObjectResult<Result<String, Error>> {
        let query = "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c \
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = pg_catalog.to_regclass($1)";
        let row = self.wait(self.client().query_one(query, &[&quoted(table)]))?;
        Ok(row.map(|row| row.get(0)))
    }

    /// The columns of `table`, in order; none if there is no such table.
    pub(super) fn columns(&self, table: &str) -> ObjectResult<Result<Vec<TableColumn>, Error>> {
        let query = "SELECT attname, format_type(atttypid, atttypmod), attgenerated::text <> '' FROM pg_catalog.pg_attribute \
            WHERE attrelid = pg_catalog.to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
        let rows = self.wait(self.client().query(query, &[&quoted(table)]))?;
        let read = |row: &Row| TableColumn { name: row.get(0), kind: row.get(1), generated: row.get(2) };
        Ok(rows.map(|rows| rows.iter().map(read).collect()))
    }

    /// Whether a primary key or a whole unique index of `table` is on `id` alone.
    pub(super) fn is_unique_by_id(&self, table: &str) -> ObjectResult<Result<bool, Error>> {
        let query = "SELECT EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a \
            ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] AND a.attname = 'id' \
            WHERE i.indrelid = pg_catalog.to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1 \
            AND i.indpred IS NULL)";
        let row = self.wait(self.client().query_one(query, &[&quoted(table)]))?;
        Ok(row.map(|row| row.get(0)))
    }
}

/// A column of a table.
pub(super) struct TableColumn {
    pub(super) name: String,
    /// Its type, as SQL names it.
    pub(super) kind: String,
    /// The server computes it, and takes no value for it.
    pub(super) generated: bool,
}

/// Whether the column is another than those every table has. Case counts.
pub(super) fn is_index(column: &str) -> bool {
    column != sql::ID && column != sql::VALUE
}

/// SQL for the text of the record's field `column`, given SQL for the record.
pub(super) fn field(column: &str, record: &str) -> String {
    format!("({record}::json ->> {})", literal(column))
}

/// The text as SQL has it, whatever is in it and whatever the server's settings.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// The server's own words: message, detail and where, which the driver's error keeps apart.
pub(super) fn said(error: Error) -> backup_core::error::Cause {
    let Some(db) = error.as_db_error() else { return error.into() };
    let parts = [Some(db.message()), db.detail(), db.where_()];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ").replace('\n', ", ").into()
}
