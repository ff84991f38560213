//! SQL text that others wrote: files of hooks, and statements of an archive.

use crate::adapters::connection::Session;

/// SQLSTATE by which the server says that no transaction is open: no_active_sql_transaction.
const NO_TRANSACTION: &str = "25P01";

/// How a text left the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// In no transaction: all it did is committed.
    Committed,
    /// In a transaction, which would be undone without a word when the session ends.
    InTransaction,
}

/// Sends `text` as one simple query: one transaction, unless it begins and ends its own.
///
/// # Errors
/// The driver's own, whose position in the text a caller may want to show.
pub(crate) async fn run(session: &Session, text: &str) -> Result<Left, tokio_postgres::Error> {
    session.batch_execute(text).await?;
    match session.batch_execute("SAVEPOINT lastgood_hook").await {
        Err(error) if error.code().is_some_and(|code| code.code() == NO_TRANSACTION) => Ok(Left::Committed),
        Err(error) => Err(error),
        Ok(()) => Ok(Left::InTransaction),
    }
}

/// Runs one statement; what the server says against it comes back as words.
pub(crate) async fn try_statement(session: &Session, statement: &str) -> Result<(), String> {
    let ran = session.batch_execute(statement).await;
    ran.map_err(|error| error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned()))
}
