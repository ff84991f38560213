//! What became of indexes.

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};

/// Names of indexes that did not become valid.
pub(crate) async fn invalid(session: &Session) -> PgResult<Vec<String>> {
    let rows = session
        .query(
            "SELECT i.indexrelid::regclass::text FROM pg_catalog.pg_index i \
             JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i' WHERE NOT i.indisvalid",
            &[],
        )
        .await
        .map_err(|error| PgError::sql("checking the indexes", error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
