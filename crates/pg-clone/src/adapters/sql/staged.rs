//! Rows that wait beside their table until it is known which of them it has.

use crate::adapters::connection::Session;
use crate::adapters::sql::copy_in::CopyIn;
use crate::adapters::sql::copy_out::listed;
use crate::error::{PgError, PgResult};
use crate::ident::{QualifiedName, quote_ident};

/// The table they wait in, which is the session's own and ends with its transaction.
const TABLE: &str = "lastgood_staged";

/// Rows of a table that wait beside it.
#[derive(Debug)]
pub(crate) struct Staged<'a> {
    table: &'a QualifiedName,
    columns: &'a [String],
}

impl<'a> Staged<'a> {
    pub(crate) fn new(table: &'a QualifiedName, columns: &'a [String]) -> Self {
        Self { table, columns }
    }

    /// Makes the place where they wait.
    pub(crate) async fn create(&self, session: &Session, doing: &str) -> PgResult<()> {
        let create = format!(
            "CREATE TEMPORARY TABLE {TABLE} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA",
            listed(self.columns),
            self.table.quoted()
        );
        run(session, &create, doing).await
    }

    /// The `COPY` that takes them.
    pub(crate) fn copy(&self) -> CopyIn {
        CopyIn::into(&format!("pg_temp.{TABLE}"), self.columns, "")
    }

    /// Puts those into the table that it does not have; rows are equal if their text is.
    pub(crate) async fn insert_missing(&self, session: &Session, doing: &str) -> PgResult<()> {
        run(session, &self.insert(), doing).await
    }

    fn insert(&self) -> String {
        let of = |alias: &str| {
            let columns = self.columns.iter().map(|column| format!("{alias}.{}", quote_ident(column)));
            columns.collect::<Vec<_>>().join(", ")
        };
        format!(
            "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {staged} FROM pg_temp.{TABLE} s \
             WHERE NOT EXISTS (SELECT FROM {table} t WHERE ROW({there})::pg_catalog.text = ROW({staged})::pg_catalog.text)",
            table = self.table.quoted(),
            columns = listed(self.columns),
            staged = of("s"),
            there = of("t"),
        )
    }
}

async fn run(session: &Session, statement: &str, doing: &str) -> PgResult<()> {
    session.batch_execute(statement).await.map_err(|error| PgError::sql(doing, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rows_that_differ_are_inserted() {
        let table = QualifiedName::new("ext", "srs");
        let columns = ["id".to_owned(), "Text".to_owned()];
        assert_eq!(
            Staged::new(&table, &columns).insert(),
            r#"INSERT INTO "ext"."srs" ("id", "Text") OVERRIDING SYSTEM VALUE SELECT s."id", s."Text" FROM pg_temp.lastgood_staged s "#
                .to_owned()
                + r#"WHERE NOT EXISTS (SELECT FROM "ext"."srs" t WHERE ROW(t."id", t."Text")::pg_catalog.text = "#
                + r#"ROW(s."id", s."Text")::pg_catalog.text)"#
        );
    }
}
