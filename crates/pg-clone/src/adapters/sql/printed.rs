//! A dump's rows as the database of the session prints them: loaded into a table on which nothing else stands.

use crate::adapters::connection::Session;
use crate::adapters::sql::copy_in::CopyIn;
use crate::adapters::sql::copy_out::{CopyOut, listed};
use crate::error::{PgError, PgResult};
use crate::ident::QualifiedName;

/// The table's name.
const NAME: &str = "lastgood_printed";

/// The same, where it is.
const PRINTED: &str = "pg_temp.lastgood_printed";

/// The time zone in which dumps print.
const DUMPED_ZONE: &str = "SET timezone = 'UTC'";

/// From now on the session prints in the time zone of dumps.
pub(crate) async fn print_as_dumped(session: &Session, doing: &str) -> PgResult<()> {
    run(session, DUMPED_ZONE, doing).await
}

/// Makes the table with `columns` of `like`. Rows are read in the time zone in which rows were read before.
pub(crate) async fn make(session: &Session, like: &QualifiedName, columns: &[String], doing: &str) -> PgResult<()> {
    let (all, like) = (listed(columns), like.quoted());
    let make = format!("RESET timezone; CREATE TEMP TABLE {NAME} AS SELECT {all} FROM {like} WITH NO DATA");
    run(session, &make, doing).await
}

/// Takes rows.
pub(crate) fn taking(columns: &[String]) -> CopyIn {
    CopyIn::into(PRINTED, columns, "")
}

/// Gives them as they are printed.
pub(crate) fn giving(columns: &[String]) -> CopyOut {
    CopyOut::of_relation(PRINTED, columns, "")
}

/// Drops the table.
pub(crate) async fn drop(session: &Session, doing: &str) -> PgResult<()> {
    run(session, &format!("DROP TABLE {PRINTED}"), doing).await
}

async fn run(session: &Session, statement: &str, doing: &str) -> PgResult<()> {
    session.batch_execute(statement).await.map_err(|error| PgError::sql(doing, error))
}
