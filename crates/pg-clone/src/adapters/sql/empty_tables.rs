//! Tables without rows.

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};
use crate::ident::{QualifiedName, quote_literal};

/// Whether a table holds no row of its own; never said of a partition, whose rows may have gone into another one.
pub(crate) async fn is_empty(session: &Session, table: &QualifiedName) -> PgResult<bool> {
    let name = table.quoted();
    let statement = format!(
        "SELECT NOT relispartition AND NOT EXISTS (SELECT FROM ONLY {name}) FROM pg_catalog.pg_class \
         WHERE oid = {}::pg_catalog.regclass",
        quote_literal(&name)
    );
    let row = session
        .query_one(&statement, &[])
        .await
        .map_err(|error| PgError::sql(format!("looking whether `{}` is empty", table.label()), error))?;
    Ok(row.get(0))
}
