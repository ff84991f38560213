//! Which database of which cluster a connection leads to, and which of its schemas it sees.

use backup_core::error::Cause;
use backup_core::source::Identity;
use tokio_postgres::{Client, Error};

use super::postgres::said;

/// What the search path sees in a database that nobody arranged.
const USUAL_SCHEMA: &str = "public";

/// Asks through an open connection. Two roles may see other schemas of one database, and so other records; the path a role
/// has decides, whether there are tables in it or not.
pub(super) async fn ask(client: &Client, host: &str) -> Result<Identity, Cause> {
    let query = "SELECT pg_catalog.current_database()::text, pg_catalog.current_schemas(false)::text[], \
        pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')";
    let row = client.query_one(query, &[]).await.map_err(said)?;
    let (database, schemas): (String, Vec<String>) = (row.get(0), row.get(1));
    let identifier = if row.get(2) { system_identifier(client).await.map_err(said)? } else { None };
    let cluster = identifier.map_or_else(|| format!("postgresql-host:{host}"), |number| format!("postgresql:{number}"));
    let within = within(&database, &schemas);
    Ok(Identity { id: format!("{cluster}/{within}"), host: format!("{host}/{within}") })
}

/// `system_identifier` of `pg_control_system()` (PostgreSQL manual, "Control Data Functions"); services that keep no control
/// file of their own refuse although the privilege is there.
async fn system_identifier(client: &Client) -> Result<Option<i64>, Error> {
    // Within the transaction that reads the records, which a refusal must not end.
    client.batch_execute("SAVEPOINT identity").await?;
    match client.query_one("SELECT system_identifier FROM pg_catalog.pg_control_system()", &[]).await {
        Ok(row) => Ok(Some(row.get(0))),
        Err(error) if error.as_db_error().is_some() => {
            client.batch_execute("ROLLBACK TO SAVEPOINT identity").await?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Database and schemas, so that no two of them are written alike.
fn within(database: &str, schemas: &[String]) -> String {
    let escaped = |name: &str| name.replace('%', "%25").replace('/', "%2F").replace(',', "%2C");
    let schemas: Vec<String> = schemas.iter().map(|schema| escaped(schema)).collect();
    match schemas.join(",") {
        seen if seen == USUAL_SCHEMA => escaped(database),
        seen => format!("{}/{seen}", escaped(database)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_count_where_somebody_arranged_them() {
        let of = |database: &str, schemas: &[&str]| {
            within(database, &schemas.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(of("shop", &["public"]), "shop");
        assert_eq!(of("shop", &["tenant1", "public"]), "shop/tenant1,public");
        assert_eq!(of("shop", &[]), "shop/");
        assert_ne!(of("a/b", &["public"]), of("a", &["b"]));
        assert_ne!(of("a", &["b,c"]), of("a", &["b", "c"]));
    }
}
