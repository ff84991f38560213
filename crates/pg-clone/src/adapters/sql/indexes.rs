//! What became of indexes.

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};

/// Oids of what is not the system's own begin here: `FirstNormalObjectId` of PostgreSQL.
const FIRST_OF_USERS: u32 = 16_384;

/// How many valid indexes there are beside the system's, those of constraints too.
pub(crate) async fn count(session: &Session) -> PgResult<u64> {
    let rows = session
        .query(
            "SELECT pg_catalog.count(*) FROM pg_catalog.pg_index WHERE indisvalid AND indrelid >= $1",
            &[&FIRST_OF_USERS],
        )
        .await
        .map_err(|error| PgError::sql("counting the indexes", error))?;
    let count: i64 = rows.first().map_or(0, |row| row.get(0));
    Ok(u64::try_from(count).unwrap_or_default())
}

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
