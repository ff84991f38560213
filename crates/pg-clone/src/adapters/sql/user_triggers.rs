//! Triggers of users, which rows that come late must not fire: when rows come first there are none yet.

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};
use crate::ident::{QualifiedName, quote_literal};

/// Keeps the triggers of a table from firing, but for those of foreign keys; returns the statements that let them fire as
/// before.
pub(crate) async fn switch_off(session: &Session, table: &QualifiedName) -> PgResult<Vec<String>> {
    let doing = format!("switching triggers of `{}` off", table.label());
    let name = quote_literal(&table.quoted());
    let statement = format!(
        "SELECT pg_catalog.format('ALTER TABLE %s DISABLE TRIGGER %I', {name}, tgname), \
           pg_catalog.format('ALTER TABLE %s %s TRIGGER %I', {name}, CASE tgenabled WHEN 'R' THEN 'ENABLE REPLICA' \
             WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE' END, tgname) \
         FROM pg_catalog.pg_trigger WHERE tgrelid = {name}::pg_catalog.regclass AND NOT tgisinternal AND tgenabled <> 'D'"
    );
    let rows = session.query(&statement, &[]).await.map_err(|error| PgError::sql(doing.clone(), error))?;
    for row in &rows {
        session.batch_execute(row.get(0)).await.map_err(|error| PgError::sql(doing.clone(), error))?;
    }
    Ok(rows.iter().map(|row| row.get(1)).collect())
}

/// Runs what [`switch_off`] returned.
pub(crate) async fn switch_on(session: &Session, statements: &[String]) -> PgResult<()> {
    for statement in statements {
        let ran = session.batch_execute(statement).await;
        ran.map_err(|error| PgError::sql("switching triggers on again", error))?;
    }
    Ok(())
}
