//! Roles of a server.

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};

/// Those of `wanted` that do not exist.
pub(crate) async fn missing(admin: &Session, wanted: &[&str]) -> PgResult<Vec<String>> {
    let rows = admin
        .query(
            "SELECT wanted FROM unnest($1::text[]) wanted \
             WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = wanted)",
            &[&wanted],
        )
        .await
        .map_err(|error| PgError::sql("checking what the dump needs", error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
