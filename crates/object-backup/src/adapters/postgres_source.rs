//! A PostgreSQL database in gludb's form: a table a type, with `id`, `value` (the record's JSON) and columns for indexes.

use std::sync::Arc;

use backup_core::source::Identity;
use futures::StreamExt;
use tokio_postgres::Error;
use tokio_postgres::binary_copy::BinaryCopyOutStream;
use tokio_postgres::types::Type;
use tokio_util::sync::CancellationToken;

use super::postgres::{self, Link, field, said};
use super::postgres_identity;
use super::sql::{self, quoted};
use crate::detail::Column;
use crate::error::{ObjectError, ObjectResult};
use crate::ports::Connect;
use crate::source::{Available, Size, Source, Take, View};
use crate::type_key::TypeKey;

/// A database to back up: the tables its search path finds.
#[derive(Clone, Debug)]
pub struct PostgresSource {
    to: Arc<dyn Connect>,
}

impl PostgresSource {
    /// The database that `to` connects to.
    #[must_use]
    pub fn new(to: Arc<dyn Connect>) -> Self {
        Self { to }
    }

    /// Which database this is. Connects, and may block.
    ///
    /// # Errors
    /// Why it cannot be asked.
    pub fn identity(&self, cancel: &CancellationToken) -> ObjectResult<Identity> {
        self.begin(cancel)?.ask()
    }

    fn begin(&self, cancel: &CancellationToken) -> ObjectResult<Reading> {
        let failed = |cause| ObjectError::source("connect to", self.to.describe(), cause);
        let link = Link::open(&self.to, cancel, failed)?;
        // The first statement decides which moment is seen, whoever writes meanwhile.
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1";
        link.wait(link.client().batch_execute(begin))?.map_err(|error| failed(said(error)))?;
        Ok(Reading { link, host: self.to.host() })
    }
}

impl Source for PostgresSource {
    fn kind(&self) -> &'static str {
        "postgres"
    }

    fn open(&self, cancel: &CancellationToken) -> ObjectResult<Box<dyn View>> {
        Ok(Box::new(self.begin(cancel)?))
    }
}

/// An open read transaction.
struct Reading {
    link: Link,
    host: String,
}

/// Every table of the application's that the search path finds, and whether it has gludb's form.
const TABLES: &str = "SELECT c.relname, \
    count(*) FILTER (WHERE a.attname = 'id' OR \
        a.attname = 'value' AND a.atttypid = ANY ('{json,jsonb,text,varchar}'::regtype[])) = 2 \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' \
    AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND pg_catalog.pg_table_is_visible(c.oid) \
    GROUP BY c.oid, c.relname ORDER BY c.relname COLLATE \"C\"";

impl Reading {
    fn ask(&self) -> ObjectResult<Identity> {
        let asked = self.link.wait(postgres_identity::ask(self.link.client(), &self.host))?;
        asked.map_err(|cause| ObjectError::source("identify", &self.link.name, cause))
    }

    fn failed(&self, what: &str) -> impl Fn(Error) -> ObjectError {
        let what = if what.is_empty() { self.link.name.clone() } else { format!("{}: {what}", self.link.name) };
        move |error| ObjectError::source("read", &what, said(error))
    }

    fn tables(&self) -> ObjectResult<Vec<(String, bool)>> {
        let rows = self.link.wait(self.link.client().query(TABLES, &[]))?.map_err(self.failed(""))?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Of each column whether it holds, in every row, the text of the record's field of that name.
    fn derived(&self, table: &str, columns: &[String]) -> ObjectResult<Vec<bool>> {
        let client = self.link.client();
        let same = |column: &String| {
            let differs = format!("{}::text IS DISTINCT FROM {}", quoted(column), field(column, sql::VALUE));
            format!("count(*) FILTER (WHERE {differs}) = 0")
        };
        let same: Vec<String> = columns.iter().map(same).collect();
        let query = format!("SELECT {} FROM {}", same.join(", "), quoted(table));
        let work = async {
            client.batch_execute("SAVEPOINT lastgood").await?;
            match client.query_one(&query, &[]).await {
                Ok(row) => Ok((0..columns.len()).map(|at| row.get(at)).collect()),
                // A text with `\u0000` cannot leave JSON: then nothing is known of the columns.
                Err(error) if error.as_db_error().is_some() => {
                    client.batch_execute("ROLLBACK TO SAVEPOINT lastgood").await?;
                    Ok(vec![false; columns.len()])
                }
                Err(error) => Err(error),
            }
        };
        self.link.wait(work)?.map_err(self.failed(table))
    }
}

impl View for Reading {
    fn identity(&mut self) -> ObjectResult<Option<Identity>> {
        self.ask().map(Some)
    }

    fn form(&self) -> &'static str {
        sql::FORM
    }

    fn types(&mut self) -> ObjectResult<Option<Vec<Available>>> {
        let ours = self.tables()?.into_iter().filter(|(_, ours)| *ours);
        Ok(Some(ours.map(|(table, _)| Available { type_name: None, table }).collect()))
    }

    fn left_out(&mut self) -> ObjectResult<Vec<String>> {
        let others = self.tables()?.into_iter().filter(|(_, ours)| !ours);
        let words = |table| format!("the table `{table}` has no `id` and `value` of JSON or text: it is left out");
        Ok(others.map(|(table, _)| words(table)).collect())
    }

    fn ids_are_unique(&mut self, key: &TypeKey) -> ObjectResult<bool> {
        self.link.is_unique_by_id(&key.table)?.map_err(self.failed(&key.table))
    }

    fn size(&mut self, key: &TypeKey) -> ObjectResult<Option<Size>> {
        // In the encoding we are sent, which need not be the database's.
        let bytes = "coalesce(sum(octet_length(convert_to(value::text, 'UTF8')) + 1), 0)::bigint";
        let query = format!("SELECT count(*), {bytes} FROM {}", quoted(&key.table));
        let row = self.link.wait(self.link.client().query_one(&query, &[]))?.map_err(self.failed(&key.table))?;
        let number = |at| row.get::<_, i64>(at).unsigned_abs();
        Ok(Some(Size { records: number(0), bytes: number(1) }))
    }

    fn columns(&mut self, key: &TypeKey) -> ObjectResult<Vec<Column>> {
        let columns = self.link.columns(&key.table)?.map_err(self.failed(&key.table))?;
        let names: Vec<String> =
            columns.into_iter().map(|column| column.name).filter(|name| postgres::is_index(name)).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let derived = self.derived(&key.table, &names)?;
        Ok(names.into_iter().zip(derived).map(|(name, derived)| Column { name, derived }).collect())
    }

    fn read(&mut self, key: &TypeKey, take: &mut Take<'_>) -> ObjectResult<()> {
        let failed = self.failed(&key.table);
        let rows = format!("SELECT id::text, value::text FROM {} ORDER BY {}", quoted(&key.table), quoted(sql::ID));
        let copy = format!("COPY ({rows}) TO STDOUT (FORMAT binary)");
        let stream = self.link.wait(self.link.client().copy_out(&copy))?.map_err(&failed)?;
        let mut rows = Box::pin(BinaryCopyOutStream::new(stream, &[Type::TEXT, Type::TEXT]));
        let mut position = 0_u64;
        while let Some(row) = self.link.wait(rows.next())? {
            let row = row.map_err(&failed)?;
            position += 1;
            let id: Option<&str> = row.try_get(0).map_err(&failed)?;
            let Some(text) = row.try_get::<Option<&str>>(1).map_err(&failed)? else {
                let record = id.map_or_else(|| format!("record {position}"), |id| format!("the record `{id}`"));
                let what = "its `value` is null".to_owned();
                return Err(ObjectError::Record { member: key.to_string(), record, what });
            };
            take(Some(id.unwrap_or_default()), text.as_bytes())?;
        }
        Ok(())
    }
}
