//! Extensions that a server offers.

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};
use crate::stored::detail::Extension;

/// An extension that is wanted and offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offered {
    pub(crate) name: String,
    /// The version that is wanted.
    pub(crate) wanted: String,
    /// The version the server would make by itself.
    pub(crate) default: Option<String>,
    /// Whether it could make the wanted one.
    pub(crate) has_wanted: bool,
}

/// Those of `wanted` that the server offers, by name.
pub(crate) async fn offered(admin: &Session, wanted: &[Extension]) -> PgResult<Vec<Offered>> {
    let names: Vec<&str> = wanted.iter().map(|extension| extension.name.as_str()).collect();
    let versions: Vec<&str> = wanted.iter().map(|extension| extension.version.as_str()).collect();
    let rows = admin
        .query(
            "SELECT w.name, w.version, a.default_version::text, \
               EXISTS (SELECT FROM pg_catalog.pg_available_extension_versions v \
                 WHERE v.name = w.name AND v.version = w.version) \
             FROM unnest($1::text[], $2::text[]) w(name, version) \
             JOIN pg_catalog.pg_available_extensions a ON a.name = w.name ORDER BY w.name",
            &[&names, &versions],
        )
        .await
        .map_err(|error| PgError::sql("reading the versions of the extensions", error))?;
    let offered = |row: &tokio_postgres::Row| Offered {
        name: row.get(0),
        wanted: row.get(1),
        default: row.get(2),
        has_wanted: row.get(3),
    };
    Ok(rows.iter().map(offered).collect())
}

/// The value of a parameter that an extension brings; none where the server has not loaded it.
pub(crate) async fn parameter(admin: &Session, name: &str) -> PgResult<Option<String>> {
    let row = admin
        .query_one("SELECT pg_catalog.current_setting($1, true)", &[&name])
        .await
        .map_err(|error| PgError::sql(format!("reading {name}"), error))?;
    Ok(row.get(0))
}

/// Those of `wanted` that the server does not offer.
pub(crate) async fn missing(admin: &Session, wanted: &[&str]) -> PgResult<Vec<String>> {
    let rows = admin
        .query(
            "SELECT wanted FROM unnest($1::text[]) wanted \
             WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_available_extensions a WHERE a.name = wanted)",
            &[&wanted],
        )
        .await
        .map_err(|error| PgError::sql("checking what the dump needs", error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
