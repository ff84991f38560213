//! What the text of rows depends on beside their bytes: columns, types, the role, the version.

use std::collections::BTreeMap;

use crate::adapters::connection::Session;
use crate::adapters::sql::session_settings::READING;
use crate::dump::changes::text::{ColumnFacts, TypeFacts};
use crate::error::{PgError, PgResult};

/// What beside columns and types the text of rows depends on. Rows may be masked for a role, by an extension and its labels.
/// Libraries that the role may not see are those of the server's start. What a conversion of encodings does that somebody made
/// nobody knows: it is another thing each time.
pub(crate) async fn surroundings(session: &Session) -> PgResult<String> {
    let row = session
        .query_one(
            "SELECT pg_catalog.concat_ws(E'\\n', current_setting('server_version_num'), current_setting('server_encoding'), \
               current_setting('client_encoding'), current_user, \
               (SELECT string_agg(pg_catalog.format('%s %s %s', e.oid, e.extname, e.extversion), ',' ORDER BY e.oid) \
                  FROM pg_catalog.pg_extension e), \
               (SELECT string_agg(pg_catalog.format('%s=%s', s.name, s.setting), ',' ORDER BY s.name) \
                  FROM pg_catalog.pg_settings s WHERE s.name LIKE '%\\_preload\\_libraries'), \
               (SELECT md5(string_agg(l::text, ',' ORDER BY l::text)) FROM pg_catalog.pg_seclabel l), \
               (SELECT md5(string_agg(l::text, ',' ORDER BY l::text)) FROM pg_catalog.pg_shseclabel l), \
               CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_conversion c WHERE c.oid >= 16384) \
                 THEN pg_catalog.gen_random_uuid()::text END)",
            &[],
        )
        .await
        .map_err(|error| PgError::sql("reading what the text of rows depends on", error))?;
    // What our own sessions set counts as well: another version may set something else.
    Ok(format!("{READING}\n{}", row.get::<_, String>(0)))
}

/// The columns of `tables` that are dumped, in order. What changes one of them has another `xmin`: names that are changed and
/// changed back are not what they were.
pub(crate) async fn columns(session: &Session, tables: &[u32]) -> PgResult<Vec<ColumnFacts>> {
    let rows = session
        .query(
            "SELECT a.attrelid, a.attnum, a.attname::text, a.atttypid, \
               pg_catalog.format('%s %s %s %s', a.xmin, a.atttypmod, a.atthasmissing, a.attmissingval) \
             FROM pg_catalog.pg_attribute a WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped \
               AND a.attgenerated = '' ORDER BY 1, 2",
            &[&tables],
        )
        .await
        .map_err(|error| PgError::sql("reading the tables' columns", error))?;
    let column = |row: &tokio_postgres::Row| ColumnFacts {
        table: row.get(0),
        number: row.get(1),
        name: row.get(2),
        type_oid: row.get(3),
        said: row.get(4),
    };
    Ok(rows.iter().map(column).collect())
}

/// The types that a type is directly made of: elements, what a domain stands for, attributes, what ranges are of.
const PARTS: &str = "SELECT t.typelem AS oid WHERE t.typelem <> 0 \
    UNION ALL SELECT t.typbasetype WHERE t.typbasetype <> 0 \
    UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid \
    UNION ALL SELECT r.rngtypid FROM pg_catalog.pg_range r WHERE r.rngmultitypid = t.oid \
    UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a \
      WHERE a.attrelid = t.typrelid AND t.typrelid <> 0 AND a.attnum > 0 AND NOT a.attisdropped";

/// The types of these columns, and all that these are made of, by their oids. Opaque are types whose output names something
/// else (`regclass`, `aclitem`), and base types that are none of the server's own: their output is a program's.
pub(crate) async fn types(session: &Session, tables: &[u32]) -> PgResult<BTreeMap<u32, TypeFacts>> {
    let rows = session
        .query(
            &format!(
                "WITH RECURSIVE wanted(oid) AS ( \
                   SELECT DISTINCT a.atttypid FROM pg_catalog.pg_attribute a WHERE a.attrelid = ANY ($1) AND a.attnum > 0 \
                     AND NOT a.attisdropped AND a.attgenerated = '' \
                   UNION SELECT part.oid FROM wanted w JOIN pg_catalog.pg_type t ON t.oid = w.oid \
                     CROSS JOIN LATERAL ({PARTS}) part) \
                 SELECT t.oid, pg_catalog.format_type(t.oid, NULL), \
                   t.oid >= 16384 AND t.typtype IN ('b', 'p') AND t.typcategory <> 'A' \
                     OR t.oid < 16384 AND (t.typname LIKE 'reg%' OR t.typname = 'aclitem'), \
                   ARRAY(SELECT part.oid FROM ({PARTS}) part ORDER BY 1), \
                   pg_catalog.format('%s %s %s %s %s %s;%s;%s', t.xmin, t.typtype, t.typoutput::oid, t.typlen, t.typtypmod, \
                     t.typdelim, \
                     (SELECT string_agg(pg_catalog.format('%s %s %s', e.oid, e.xmin, e.enumlabel), ',' ORDER BY e.oid) \
                        FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid), \
                     (SELECT string_agg(pg_catalog.format('%s %s %s %s', a.attnum, a.xmin, a.atttypid, a.attisdropped), ',' \
                          ORDER BY a.attnum) \
                        FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.typrelid AND t.typrelid <> 0 AND a.attnum > 0)) \
                 FROM wanted w JOIN pg_catalog.pg_type t ON t.oid = w.oid"
            ),
            &[&tables],
        )
        .await
        .map_err(|error| PgError::sql("reading the types of columns", error))?;
    let one = |row: &tokio_postgres::Row| {
        let facts = TypeFacts { name: row.get(1), is_opaque: row.get(2), parts: row.get(3), said: row.get(4) };
        (row.get(0), facts)
    };
    Ok(rows.iter().map(one).collect())
}
