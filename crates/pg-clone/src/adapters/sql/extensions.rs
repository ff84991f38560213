//! Extensions that a server offers.

use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};
use crate::ident::QualifiedName;
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
    /// Whether only a superuser may make it, and our role is none.
    pub(crate) is_superusers: bool,
}

/// How often a server is asked whose extensions change while it looks at them, as they do while packages are installed.
const READS: u32 = 10;
/// How long it is left alone in between.
const BETWEEN_READS: Duration = Duration::from_millis(200);

/// Asks what extensions lie on the server's disk. For that it lists a folder and then opens every control file in it: one that
/// went in between is an error (`feature_not_supported`, up to 13 `undefined_file`), whatever extension was asked for.
async fn on_disk(admin: &Session, sql: &str, of: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, tokio_postgres::Error> {
    let mut reads = 1;
    loop {
        let answer = admin.query(sql, of).await;
        let state = answer.as_ref().err().and_then(|error| error.code()).map(|state| state.code().to_owned());
        if reads == READS || !matches!(state.as_deref(), Some("0A000" | "58P01")) {
            return answer;
        }
        reads += 1;
        tokio::time::sleep(BETWEEN_READS).await;
    }
}

/// Those of `wanted` that the server offers, by name. Before 13 no extension is a trusted one, and there is no such column.
pub(crate) async fn offered(admin: &Session, wanted: &[Extension]) -> PgResult<Vec<Offered>> {
    let names: Vec<&str> = wanted.iter().map(|extension| extension.name.as_str()).collect();
    let versions: Vec<&str> = wanted.iter().map(|extension| extension.version.as_str()).collect();
    // Each of the two views opens every control file: once, whatever is wanted.
    let sql = "WITH v AS MATERIALIZED (SELECT name, version, superuser, \
                   pg_catalog.to_jsonb(o) ->> 'trusted' IS NOT DISTINCT FROM 'true' AS trusted \
                 FROM pg_catalog.pg_available_extension_versions o), \
               a AS MATERIALIZED (SELECT name, default_version FROM pg_catalog.pg_available_extensions) \
               SELECT w.name, w.version, a.default_version::text, \
                 EXISTS (SELECT FROM v WHERE v.name = w.name AND v.version = w.version), \
                 EXISTS (SELECT FROM v WHERE v.name = w.name AND v.version = a.default_version AND v.superuser AND NOT v.trusted) \
                 AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = current_user AND r.rolsuper) \
               FROM unnest($1::text[], $2::text[]) w(name, version) JOIN a ON a.name = w.name ORDER BY w.name";
    let rows = on_disk(admin, sql, &[&names, &versions])
        .await
        .map_err(|error| PgError::sql("reading the versions of the extensions", error))?;
    let offered = |row: &Row| Offered {
        name: row.get(0),
        wanted: row.get(1),
        default: row.get(2),
        has_wanted: row.get(3),
        is_superusers: row.get(4),
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
    let sql = "SELECT wanted FROM unnest($1::text[]) wanted \
               WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_available_extensions a WHERE a.name = wanted)";
    let rows =
        on_disk(admin, sql, &[&wanted]).await.map_err(|error| PgError::sql("checking what the dump needs", error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// For each whole-number column of extensions' tables that a sequence of the extension's own numbers upwards: a statement that
/// sets the sequence to the largest number that is there, if it is behind it. Those that our role may not set are left out.
const NUMBERINGS: &str = "\
SELECT pg_catalog.format('SELECT pg_catalog.setval(%L, t.largest) FROM (SELECT pg_catalog.max(%I) AS largest FROM %s) t, %s s \
    WHERE t.largest > s.last_value OR t.largest = s.last_value AND NOT s.is_called', sequence, attname, relation, sequence) \
  FROM (SELECT pg_catalog.format('%I.%I', sn.nspname, s.relname) AS sequence, a.attname, \
      pg_catalog.format('%I.%I', tn.nspname, t.relname) AS relation \
    FROM unnest($1::text[], $2::text[]) wanted(schema, name) \
    JOIN pg_catalog.pg_namespace tn ON tn.nspname = wanted.schema \
    JOIN pg_catalog.pg_class t ON t.relnamespace = tn.oid AND t.relname = wanted.name \
    JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = t.oid \
      AND d.refobjsubid > 0 AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i') \
    JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S' \
    JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace \
    JOIN pg_catalog.pg_sequence n ON n.seqrelid = s.oid AND n.seqincrement > 0 AND NOT n.seqcycle \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid \
      AND a.atttypid IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype) \
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE s.oid = ANY (e.extconfig)) \
      AND pg_catalog.has_sequence_privilege(s.oid, 'SELECT') AND pg_catalog.has_sequence_privilege(s.oid, 'UPDATE') \
      AND pg_catalog.has_column_privilege(t.oid, a.attnum, 'SELECT')) numbered";

/// Lets the numbering of extensions' tables go on behind the rows that are there. A dump has only what an extension counts
/// among its configuration, and some count a table but not the sequence of its `serial` column (PgQ 3.5 and mimeo 1.5 do not):
/// with that at its beginning, the next row would get a number that is taken.
pub(crate) async fn number_on(session: &Session, tables: &[QualifiedName]) -> PgResult<()> {
    if tables.is_empty() {
        return Ok(());
    }
    let doing = "setting what numbers the rows of extensions";
    let schemas: Vec<&str> = tables.iter().map(|table| table.schema.as_str()).collect();
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let rows = session.query(NUMBERINGS, &[&schemas, &names]).await.map_err(|error| PgError::sql(doing, error))?;
    for row in &rows {
        session.batch_execute(row.get(0)).await.map_err(|error| PgError::sql(doing, error))?;
    }
    Ok(())
}
