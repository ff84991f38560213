//! Subscriptions of the session's database.

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};
use crate::ident::quote_ident;

/// Drops them without their publishers' slots, which belong to whoever the database was copied from.
pub(crate) async fn detach_all(session: &Session, database: &str) -> PgResult<()> {
    let sql = |error| PgError::sql(format!("removing the subscriptions of `{database}`"), error);
    let rows = session
        .query(
            "SELECT subname::text FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid \
             WHERE d.datname = pg_catalog.current_database()",
            &[],
        )
        .await
        .map_err(sql)?;
    for row in rows {
        let name = quote_ident(&row.get::<_, String>(0));
        for statement in [
            format!("ALTER SUBSCRIPTION {name} DISABLE"),
            format!("ALTER SUBSCRIPTION {name} SET (slot_name = NONE)"),
            format!("DROP SUBSCRIPTION {name}"),
        ] {
            session.batch_execute(&statement).await.map_err(sql)?;
        }
    }
    Ok(())
}
