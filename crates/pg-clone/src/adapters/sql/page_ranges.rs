//! Whether the server can plan to read tables by ranges of their pages.

use crate::adapters::connection::Session;
use crate::adapters::sql::transaction;
use crate::error::{PgError, PgResult};
use crate::ident::QualifiedName;

/// Which of the tables, by position, it can plan to read so, without reading anything. It looks at the expressions of their
/// indexes and statistics then, and functions in them may name others that are found by a search path alone: nothing that
/// `COPY` of a whole table looks at. The session is in a transaction, which stays as it is.
pub(crate) async fn can_be_planned(session: &Session, tables: &[QualifiedName]) -> PgResult<Vec<bool>> {
    if tables.is_empty() || plan(session, tables).await? {
        return Ok(vec![true; tables.len()]);
    }
    let mut can_be = Vec::with_capacity(tables.len());
    for table in tables {
        can_be.push(plan(session, std::slice::from_ref(table)).await?);
    }
    Ok(can_be)
}

/// Whether it can plan all of them.
async fn plan(session: &Session, tables: &[QualifiedName]) -> PgResult<bool> {
    const DOING: &str = "planning to read tables by ranges";
    transaction::set_savepoint(session, DOING).await?;
    let explain =
        |table: &QualifiedName| format!("EXPLAIN SELECT FROM ONLY {} WHERE ctid >= '(0,0)'::tid", table.quoted());
    let all: Vec<String> = tables.iter().map(explain).collect();
    let planned = session.batch_execute(&all.join("; ")).await.map_err(|error| PgError::sql(DOING, error));
    match planned {
        Err(error) if !error.is_refusal() => Err(error),
        planned => {
            transaction::return_to_savepoint(session, DOING).await?;
            Ok(planned.is_ok())
        }
    }
}
