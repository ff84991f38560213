//! The statement that takes a table's rows, and rows on their way to the server.

use std::pin::Pin;

use bytes::Bytes;
use futures::SinkExt;
use futures::future::join_all;
use tokio_postgres::{CopyInSink, Error, Statement};

use crate::adapters::connection::Session;
use crate::adapters::sql::copy_out::listed;
use crate::error::{PgError, PgResult};
use crate::ident::QualifiedName;

/// Most bytes of rows sent in one message: what nearly every frame holds, so that only long rows are cut.
const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A `COPY … FROM STDIN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CopyIn {
    text: String,
}

/// One that the server has taken note of.
#[derive(Debug)]
pub(crate) struct Prepared {
    statement: Statement,
}

/// The rows of one `COPY`. Dropped before its end it makes the server fail the `COPY`: half of it is never committed.
pub(crate) struct Rows {
    sink: Pin<Box<CopyInSink<Bytes>>>,
    doing: String,
}

impl CopyIn {
    /// Into a table, with the columns in this order; `frozen` as the manual has it (COPY, FREEZE).
    pub(crate) fn into_table(table: &QualifiedName, columns: &[String], frozen: bool) -> Self {
        let option = if frozen { " WITH (FREEZE)" } else { "" };
        Self::into(&table.quoted(), columns, option)
    }

    /// Into a relation whose name is quoted already.
    pub(super) fn into(table: &str, columns: &[String], option: &str) -> Self {
        let columns = if columns.is_empty() { String::new() } else { format!(" ({})", listed(columns)) };
        Self { text: format!("COPY {table}{columns} FROM STDIN{option}") }
    }

    /// Begins it; `doing` is what an error says was done.
    pub(crate) async fn begin(&self, session: &Session, doing: impl Into<String>) -> PgResult<Rows> {
        Rows::of(session.copy_in(self.text.as_str()).await, doing.into())
    }

    /// Prepares several in one round trip. Those behind one that fails only say that the transaction is aborted.
    pub(crate) async fn prepare_all(session: &Session, copies: &[Self]) -> Vec<Result<Prepared, Error>> {
        let prepared = join_all(copies.iter().map(|copy| session.prepare(&copy.text))).await;
        prepared.into_iter().map(|prepared| prepared.map(|statement| Prepared { statement })).collect()
    }
}

impl Prepared {
    /// As [`CopyIn::begin`].
    pub(crate) async fn begin(&self, session: &Session, doing: impl Into<String>) -> PgResult<Rows> {
        Rows::of(session.copy_in_prepared(&self.statement).await, doing.into())
    }
}

impl Rows {
    fn of(begun: Result<CopyInSink<Bytes>, Error>, doing: String) -> PgResult<Self> {
        match begun {
            Ok(sink) => Ok(Self { sink: Box::pin(sink), doing }),
            Err(error) => Err(PgError::sql(doing, error)),
        }
    }

    /// Sends rows.
    pub(crate) async fn send(&mut self, rows: Bytes) -> PgResult<()> {
        for message in messages(rows) {
            self.sink.feed(message).await.map_err(|error| PgError::sql(&self.doing, error))?;
        }
        Ok(())
    }

    /// Ends it; returns how many rows the server counted.
    pub(crate) async fn finish(&mut self) -> PgResult<u64> {
        self.sink.as_mut().finish().await.map_err(|error| PgError::sql(&self.doing, error))
    }
}

/// The rows in messages of bearable size: the driver copies each once more, and the server takes none of 1 GiB. They may end
/// anywhere in a row (PostgreSQL manual, "COPY Operations" of the protocol).
fn messages(mut rows: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || (!rows.is_empty()).then(|| rows.split_to(rows.len().min(MESSAGE_BYTES_MAX))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_row_is_cut_and_nothing_of_it_is_lost() {
        let row: Bytes = (0..MESSAGE_BYTES_MAX * 2 + 1).map(|at| (at % 251) as u8).collect();
        let sent: Vec<Bytes> = messages(row.clone()).collect();
        assert_eq!(sent.iter().map(Bytes::len).collect::<Vec<_>>(), [MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX, 1]);
        assert_eq!(sent.concat(), row);
        assert_eq!(messages(Bytes::from_static(b"short\n")).count(), 1);
        assert_eq!(messages(Bytes::new()).count(), 0);
    }

    #[test]
    fn columns_are_named_in_the_order_of_the_rows() {
        let table = QualifiedName::new("s", "a\"b");
        let columns = ["x".to_owned(), "Y".to_owned()];
        assert_eq!(
            CopyIn::into_table(&table, &columns, true).text,
            r#"COPY "s"."a""b" ("x", "Y") FROM STDIN WITH (FREEZE)"#
        );
        assert_eq!(CopyIn::into_table(&table, &[], false).text, r#"COPY "s"."a""b" FROM STDIN"#);
    }
}
