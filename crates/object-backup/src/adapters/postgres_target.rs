//! A PostgreSQL database in gludb's form, all in one transaction.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::SinkExt;
use tokio_postgres::{CopyInSink, Error};
use tokio_util::sync::CancellationToken;

use super::postgres::{self, Link, field, said};
use super::postgres_names;
use super::sql::{self, quoted};
use crate::error::{ObjectError, ObjectResult};
use crate::ports::Connect;
use crate::target::{Load, Loaded, OnConflict, Restoring, Target};
use crate::type_key::TypeKey;

/// Bytes sent at a time.
const SEND_BYTES: usize = 256 * 1024;

/// Where the records of one type arrive before they are compared with what is there.
const ARRIVALS: &str = "pg_temp.lastgood_arrivals";

/// Others may hold a table for so long before the restore gives up; while it runs it keeps writers out.
const LOCK_TIMEOUT: &str = "10s";

/// A database to restore into. Tables that are not there are made.
#[derive(Clone, Debug)]
pub struct PostgresTarget {
    to: Arc<dyn Connect>,
}

impl PostgresTarget {
    /// The database that `to` connects to.
    #[must_use]
    pub fn new(to: Arc<dyn Connect>) -> Self {
        Self { to }
    }
}

impl Target for PostgresTarget {
    fn describe(&self) -> String {
        format!("postgres:{}", self.to.describe())
    }

    fn check(&self, types: &[Restoring], _on_conflict: OnConflict) -> ObjectResult<()> {
        postgres_names::kept(&self.open()?, types)
    }

    fn begin(&self, types: &[Restoring], on_conflict: OnConflict) -> ObjectResult<Box<dyn Load>> {
        let link = self.open()?;
        postgres_names::kept(&link, types)?;
        let mut filling = Filling { link, on_conflict, tables: BTreeMap::new(), current: None };
        filling.run("", &format!("BEGIN; SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))?;
        for restoring in types {
            let table = filling.prepare(restoring)?;
            filling.tables.insert(restoring.key.clone(), table);
        }
        Ok(Box::new(filling))
    }
}

impl PostgresTarget {
    fn open(&self) -> ObjectResult<Link> {
        let failed = |cause| ObjectError::target("connect to", self.to.describe(), cause);
        // A restore that is dropped closes the connection, and the server forgets it.
        Link::open(&self.to, &CancellationToken::new(), failed)
    }
}

/// What of a record goes into the columns of one table.
struct Table {
    /// With its schema: while records arrive, a table called as theirs would be found first.
    qualified: String,
    /// Whether `id` is written, and not computed by the server.
    takes_id: bool,
    /// Columns filled from fields of the record, and the SQL that does.
    filled: Vec<(String, String)>,
}

struct Filling {
    link: Link,
    on_conflict: OnConflict,
    tables: BTreeMap<TypeKey, Table>,
    current: Option<Arriving>,
}

/// The records of one type on their way.
struct Arriving {
    key: TypeKey,
    sink: Pin<Box<CopyInSink<Bytes>>>,
    buffer: Vec<u8>,
}

impl Filling {
    fn failed(&self, table: &str) -> impl Fn(Error) -> ObjectError + use<> {
        let what = if table.is_empty() { self.link.name.clone() } else { format!("{}: {table}", self.link.name) };
        move |error| ObjectError::target("write", &what, said(error))
    }

    fn run(&self, table: &str, statements: &str) -> ObjectResult<()> {
        self.link.wait(self.link.client().batch_execute(statements))?.map_err(self.failed(table))
    }

    fn execute(&self, table: &str, statement: &str) -> ObjectResult<u64> {
        self.link.wait(self.link.client().execute(statement, &[]))?.map_err(self.failed(table))
    }

    /// Makes the table unless it is there, with the columns the source had.
    fn prepare(&self, restoring: &Restoring) -> ObjectResult<Table> {
        let name = &restoring.key.table;
        let mut columns = self.link.columns(name)?.map_err(self.failed(name))?;
        let table = quoted(name);
        if columns.is_empty() {
            // `json` and not `jsonb`: the text stays as it is.
            let others: String =
                restoring.columns.iter().map(|column| format!(", {} text", quoted(&column.name))).collect();
            self.run(name, &format!("CREATE TABLE {table} (id text PRIMARY KEY, value json{others})"))?;
            for column in restoring.columns.iter().map(|column| quoted(&column.name)) {
                self.run(name, &format!("CREATE INDEX ON {table} ({column})"))?;
            }
            columns = self.link.columns(name)?.map_err(self.failed(name))?;
        } else {
            // What is there is compared with what comes: nobody may add to it in between.
            self.run(name, &format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"))?;
        }
        let unknown = |name: &String| restoring.columns.iter().any(|column| column.name == *name && !column.derived);
        let takes_id = !columns.iter().any(|column| column.generated && column.name == sql::ID);
        columns.retain(|column| !column.generated && postgres::is_index(&column.name) && !unknown(&column.name));
        let filled = columns.iter().map(|column| {
            let value = format!("{}::{}", field(&column.name, "l.value"), column.kind);
            (quoted(&column.name), value)
        });
        let filled = filled.collect();
        Ok(Table { qualified: self.link.qualified(name)?.map_err(self.failed(name))?, takes_id, filled })
    }

    /// The way in for records of `key`, made when the first one comes.
    fn arriving(&mut self, key: &TypeKey) -> ObjectResult<&mut Arriving> {
        if self.current.as_ref().is_none_or(|arriving| arriving.key != *key) {
            let Some(Table { qualified: table, .. }) = self.tables.get(key) else {
                return Err(ObjectError::Interrupted);
            };
            let make = format!(
                "CREATE TEMPORARY TABLE lastgood_arrivals ON COMMIT DROP AS SELECT id, value FROM {table} WITH NO DATA; \
                 ALTER TABLE {ARRIVALS} ADD n bigint GENERATED ALWAYS AS IDENTITY"
            );
            self.run(&key.table, &make)?;
            let copy = format!("COPY {ARRIVALS} (id, value) FROM STDIN");
            let sink = self.link.wait(self.link.client().copy_in(&copy))?.map_err(self.failed(&key.table))?;
            let buffer = Vec::with_capacity(SEND_BYTES);
            self.current = Some(Arriving { key: key.clone(), sink: Box::pin(sink), buffer });
        }
        self.current.as_mut().ok_or(ObjectError::Interrupted)
    }

    /// Moves what has arrived into its table.
    fn merge(&self, key: &TypeKey, arrived: u64) -> ObjectResult<Loaded> {
        let name = &key.table;
        let Some(Table { qualified: table, takes_id, filled }) = self.tables.get(key) else {
            return Ok(Loaded::default());
        };
        let there = format!("EXISTS (SELECT FROM {table} t WHERE t.id = l.id)");
        if self.on_conflict == OnConflict::Fail {
            let twice = format!("EXISTS (SELECT FROM {ARRIVALS} o WHERE o.id = l.id AND o.n < l.n)");
            let query = format!("SELECT l.id::text FROM {ARRIVALS} l WHERE {there} OR {twice} ORDER BY l.n LIMIT 1");
            let found = self.link.wait(self.link.client().query_opt(&query, &[]))?.map_err(self.failed(name))?;
            if let Some(row) = found {
                return Err(ObjectError::Conflict {
                    what: format!("`{name}` already has a record `{}`", row.get::<_, &str>(0)),
                });
            }
        }
        // Of two with one id `replace` takes the last and `skip` the first, as one after the other would.
        let order = if self.on_conflict == OnConflict::Replace { "DESC" } else { "ASC" };
        let one_each = format!("(SELECT DISTINCT ON (id) * FROM {ARRIVALS} ORDER BY id, n {order}) l");
        if self.on_conflict == OnConflict::Replace {
            let set: String = filled.iter().map(|(column, value)| format!(", {column} = {value}")).collect();
            self.execute(
                name,
                &format!("UPDATE {table} t SET value = l.value{set} FROM {one_each} WHERE t.id = l.id"),
            )?;
        }
        let columns: String = filled.iter().map(|(column, _)| format!(", {column}")).collect();
        let values: String = filled.iter().map(|(_, value)| format!(", {value}")).collect();
        let from = format!("FROM {one_each} WHERE NOT {there} ORDER BY l.n");
        let (id, its_value) = if *takes_id { ("id, ", "l.id, ") } else { ("", "") };
        let insert = format!("INSERT INTO {table} ({id}value{columns}) SELECT {its_value}l.value{values} {from}");
        let inserted = self.execute(name, &insert)?;
        let (rest, none) = (arrived.saturating_sub(inserted), Loaded { inserted, ..Loaded::default() });
        Ok(match self.on_conflict {
            OnConflict::Replace => Loaded { replaced: rest, ..none },
            OnConflict::Fail | OnConflict::Skip => Loaded { skipped: rest, ..none },
        })
    }
}

impl Load for Filling {
    fn record(&mut self, key: &TypeKey, id: &str, text: &[u8]) -> ObjectResult<()> {
        let arriving = self.arriving(key)?;
        escaped(id.as_bytes(), &mut arriving.buffer);
        arriving.buffer.push(b'\t');
        escaped(text, &mut arriving.buffer);
        arriving.buffer.push(b'\n');
        if arriving.buffer.len() < SEND_BYTES {
            return Ok(());
        }
        let full = std::mem::replace(&mut arriving.buffer, Vec::with_capacity(SEND_BYTES));
        self.send(full)
    }

    fn end(&mut self, key: &TypeKey) -> ObjectResult<Loaded> {
        if self.current.as_ref().is_none_or(|arriving| arriving.key != *key) {
            return Ok(Loaded::default());
        }
        let rest = self.current.as_mut().map(|arriving| std::mem::take(&mut arriving.buffer)).unwrap_or_default();
        self.send(rest)?;
        let Some(mut arriving) = self.current.take() else { return Ok(Loaded::default()) };
        let arrived = self.link.wait(arriving.sink.as_mut().finish())?.map_err(self.failed(&key.table))?;
        // Without it the planner expects a handful of rows, and compares each with each.
        self.run(&key.table, &format!("CREATE INDEX ON {ARRIVALS} (id); ANALYZE {ARRIVALS}"))?;
        let loaded = self.merge(key, arrived)?;
        self.run(&key.table, &format!("DROP TABLE {ARRIVALS}"))?;
        Ok(loaded)
    }

    fn commit(self: Box<Self>) -> ObjectResult<()> {
        match self.link.wait(self.link.client().batch_execute("COMMIT"))? {
            Err(error) if error.is_closed() => Err(ObjectError::Uncertain { what: self.link.name.clone() }),
            done => done.map_err(self.failed("")),
        }
    }
}

impl Filling {
    fn send(&mut self, bytes: Vec<u8>) -> ObjectResult<()> {
        let Some(arriving) = self.current.as_mut() else { return Ok(()) };
        let table = arriving.key.table.clone();
        let sent = self.link.wait(arriving.sink.send(bytes.into()))?;
        sent.map_err(self.failed(&table))
    }
}

/// Appends the bytes as `COPY` reads them (PostgreSQL manual, "COPY", text format).
fn escaped(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\\' | b'\t' | b'\n' | b'\r')) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(match rest[at] {
            b'\t' => b"\\t",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            _ => b"\\\\",
        });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_copy_would_take_for_its_own_is_escaped() {
        let mut out = Vec::new();
        escaped(b"a\\.b\tc\nd\re", &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "a\\\\.b\\tc\\nd\\re");
    }
}
