//! The statements of a session, each told in the log.

use bytes::Bytes;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, CopyInSink, CopyOutStream, Error, Row, Statement};

use super::Session;
use crate::adapters::connection::statement::told;

/// These stand in front of the driver's methods of the same name.
impl Session {
    /// Runs a query and returns its rows.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn query(&self, statement: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        told(statement, Client::query(self, statement, parameters)).await
    }

    /// Runs a query that returns one row.
    ///
    /// # Errors
    /// What the driver says, also if there is another number of rows.
    pub async fn query_one(&self, statement: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Row, Error> {
        told(statement, Client::query_one(self, statement, parameters)).await
    }

    /// Runs a query that returns one row or none.
    ///
    /// # Errors
    /// What the driver says, also if there are more.
    pub async fn query_opt(&self, statement: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, Error> {
        told(statement, Client::query_opt(self, statement, parameters)).await
    }

    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn execute(&self, statement: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        told(statement, Client::execute(self, statement, parameters)).await
    }

    /// Runs statements, separated by semicolons.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn batch_execute(&self, statements: &str) -> Result<(), Error> {
        told(statements, Client::batch_execute(self, statements)).await
    }

    /// Prepares a statement.
    pub(crate) async fn prepare(&self, statement: &str) -> Result<Statement, Error> {
        Client::prepare(self, statement).await
    }

    /// Begins a `COPY … FROM STDIN`.
    pub(crate) async fn copy_in(&self, statement: &str) -> Result<CopyInSink<Bytes>, Error> {
        told(statement, Client::copy_in(self, statement)).await
    }

    /// [`Session::copy_in`] of a prepared statement.
    pub(crate) async fn copy_in_prepared(&self, statement: &Statement) -> Result<CopyInSink<Bytes>, Error> {
        told("COPY", Client::copy_in(self, statement)).await
    }

    /// Begins a `COPY … TO STDOUT`.
    pub(crate) async fn copy_out(&self, statement: &str) -> Result<CopyOutStream, Error> {
        told(statement, Client::copy_out(self, statement)).await
    }
}
