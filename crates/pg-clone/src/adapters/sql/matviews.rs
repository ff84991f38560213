//! Fills materialized views.

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};
use crate::ident::qualified;
use crate::stored::detail::MatviewState;

/// Computes a materialized view anew.
pub(crate) async fn refresh(session: &Session, view: &MatviewState) -> PgResult<()> {
    session
        .batch_execute(&format!("REFRESH MATERIALIZED VIEW {}", qualified(&view.schema, &view.name)))
        .await
        .map_err(|error| PgError::sql(format!("refreshing `{}.{}`", view.schema, view.name), error))
}
