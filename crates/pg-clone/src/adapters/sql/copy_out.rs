//! The statement that reads a table's rows: one form, so that rows read twice are the same text.

use bytes::Bytes;
use futures::{Stream, TryStreamExt};

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};
use crate::ident::{QualifiedName, quote_ident};

/// A `COPY … TO STDOUT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CopyOut {
    text: String,
}

impl CopyOut {
    /// Of `columns` of one table alone, without those that inherit from it. Columns are named, so that a dropped or
    /// generated one cannot shift the others; `condition` comes with its `WHERE`.
    pub(crate) fn of_table(table: &QualifiedName, columns: &[String], condition: &str) -> Self {
        Self::of_relation(&table.quoted(), columns, condition)
    }

    /// Of the rows of a table on pages `[from, to)` of its heap; an absent end means to the end.
    pub(crate) fn of_pages(table: &QualifiedName, columns: &[String], from: u64, to: Option<u64>) -> Self {
        let end = to.map_or_else(String::new, |to| format!(" AND ctid < '({to},0)'::tid"));
        Self::of_table(table, columns, &format!("WHERE ctid >= '({from},0)'::tid{end}"))
    }

    /// As [`CopyOut::of_table`], of a relation whose name is quoted already.
    pub(super) fn of_relation(table: &str, columns: &[String], condition: &str) -> Self {
        let columns = listed(columns);
        if !condition.is_empty() {
            return Self::of_query(&format!("SELECT {columns} FROM ONLY {table} {condition}"));
        }
        let columns = if columns.is_empty() { columns } else { format!(" ({columns})") };
        Self { text: format!("COPY {table}{columns} TO STDOUT") }
    }

    /// Of whatever a query says.
    pub(super) fn of_query(query: &str) -> Self {
        Self { text: format!("COPY ({query}) TO STDOUT") }
    }

    /// The statement.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Begins it, and returns its rows; `doing` is what an error says was done.
    pub(crate) async fn begin<'a>(
        &self,
        session: &Session,
        doing: &'a str,
    ) -> PgResult<impl Stream<Item = PgResult<Bytes>> + Send + use<'a>> {
        let rows = session.copy_out(self.text.as_str()).await.map_err(|error| PgError::sql(doing, error))?;
        Ok(rows.map_err(move |error| PgError::sql(doing, error)))
    }
}

/// Columns as a statement lists them.
pub(super) fn listed(columns: &[String]) -> String {
    columns.iter().map(|column| quote_ident(column)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_and_conditions_kept() {
        let table = QualifiedName::new("s", "a\"b");
        let columns = ["x".to_owned(), "Y".to_owned()];
        let of_table = |columns: &[String], condition: &str| CopyOut::of_table(&table, columns, condition).text;
        assert_eq!(of_table(&columns, ""), r#"COPY "s"."a""b" ("x", "Y") TO STDOUT"#);
        assert_eq!(of_table(&[], ""), r#"COPY "s"."a""b" TO STDOUT"#);
        assert_eq!(
            of_table(&columns[..1], "WHERE x > 1"),
            r#"COPY (SELECT "x" FROM ONLY "s"."a""b" WHERE x > 1) TO STDOUT"#
        );
        assert_eq!(
            CopyOut::of_pages(&table, &columns, 8, None).text,
            r#"COPY (SELECT "x", "Y" FROM ONLY "s"."a""b" WHERE ctid >= '(8,0)'::tid) TO STDOUT"#
        );
        let within = CopyOut::of_pages(&table, &columns[..1], 8, Some(9)).text;
        assert!(within.ends_with("WHERE ctid >= '(8,0)'::tid AND ctid < '(9,0)'::tid) TO STDOUT"), "{within}");
    }
}
