//! Tables that are carried over from one database to another: what they are like, and their sequences.

use tokio_postgres::Row;

use crate::adapters::connection::Session;
use crate::adapters::sql::session_settings::{self, RAW_ENCODING};
use crate::error::{PgError, PgResult};
use crate::ident::{QualifiedName, quote_ident};
use crate::stored::detail::SequenceState;

/// A relation that somebody wants to carry over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) name: QualifiedName,
    /// `pg_class.relkind`.
    pub(crate) kind: String,
    /// Whether it is a partition, or inherits or is inherited from.
    pub(crate) has_relatives: bool,
    /// Whether our role may read it.
    pub(crate) readable: bool,
    /// The owner of its schema.
    pub(crate) schema_owner: String,
    /// Its columns but for generated ones.
    pub(crate) columns: Vec<String>,
    /// Columns, constraints, indexes, triggers, policies and sequences as text: equal for equal definitions.
    pub(crate) definition: String,
    /// Sequences that its columns own.
    pub(crate) sequences: Vec<QualifiedName>,
    /// Other tables with foreign keys to it, as `schema.table`.
    pub(crate) referring: Vec<String>,
}

/// What a definition consists of, a line each. The search path is empty, so that all names have their schema. Owner and
/// privileges are not in it: they are the dump's.
const DEFINITION: &str = "\
    SELECT format('column %I %s %s %s %s %s %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), \
        a.attnotnull, a.attidentity, a.attgenerated, coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '-'), \
        coalesce(l.collname, '-')) AS line \
      FROM pg_catalog.pg_attribute a \
      LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
      LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation \
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
    UNION ALL SELECT format('constraint %I %s %s', k.conname, pg_catalog.pg_get_constraintdef(k.oid), k.convalidated) \
      FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype <> 'n' \
    UNION ALL SELECT pg_catalog.pg_get_indexdef(i.indexrelid) FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid \
    UNION ALL SELECT format('%s %s', pg_catalog.pg_get_triggerdef(t.oid), t.tgenabled) \
      FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal \
    UNION ALL SELECT format('policy %I %s %s %s', p.polname, p.polcmd, pg_catalog.pg_get_expr(p.polqual, c.oid), \
        pg_catalog.pg_get_expr(p.polwithcheck, c.oid)) FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid \
    UNION ALL SELECT format('row security %s %s', c.relrowsecurity, c.relforcerowsecurity) \
    UNION ALL SELECT format('persistence %s', c.relpersistence) \
    UNION ALL SELECT format('sequence %I.%I of %I: %s %s %s %s %s', sn.nspname, s.relname, sa.attname, \
        pg_catalog.format_type(q.seqtypid, NULL), q.seqincrement, q.seqmin, q.seqmax, q.seqcycle) \
      FROM pg_catalog.pg_depend o JOIN pg_catalog.pg_class s ON s.oid = o.objid AND s.relkind = 'S' \
      JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace \
      JOIN pg_catalog.pg_attribute sa ON sa.attrelid = o.refobjid AND sa.attnum = o.refobjsubid \
      WHERE o.classid = 'pg_catalog.pg_class'::regclass AND o.refclassid = 'pg_catalog.pg_class'::regclass \
        AND o.refobjid = c.oid AND o.deptype IN ('a', 'i')";

/// The sequences that columns of `c` own, by schema and name.
const OWNED: &str = "\
    FROM pg_catalog.pg_depend o JOIN pg_catalog.pg_class s ON s.oid = o.objid AND s.relkind = 'S' \
    JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace \
    WHERE o.classid = 'pg_catalog.pg_class'::regclass AND o.refclassid = 'pg_catalog.pg_class'::regclass \
      AND o.refobjid = c.oid AND o.refobjsubid > 0 AND o.deptype IN ('a', 'i') ORDER BY sn.nspname, s.relname";

/// A session in a database whose rows are read or written as text: with the same settings on both sides nothing of a value
/// changes on the way. Bytes of no known encoding stay what they are.
pub(crate) async fn prepare(session: &Session) -> PgResult<()> {
    session_settings::for_reading(session).await?;
    let asked = "SELECT pg_catalog.getdatabaseencoding()::text";
    let row = session.query_one(asked, &[]).await.map_err(|error| PgError::sql("asking for the encoding", error))?;
    if row.get::<_, String>(0) == "SQL_ASCII" {
        session.batch_execute(RAW_ENCODING).await.map_err(|error| PgError::sql("preparing the session", error))?;
    }
    Ok(())
}

/// What the session's database has under these names, by position; nothing where there is no relation of that name.
pub(crate) async fn read(session: &Session, names: &[QualifiedName]) -> PgResult<Vec<Option<Found>>> {
    let (schemas, tables): (Vec<&str>, Vec<&str>) =
        names.iter().map(|name| (name.schema.as_str(), name.name.as_str())).unzip();
    let statement = format!(
        "SELECT w.at, c.relkind::text, \
           c.relispartition OR EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE c.oid IN (h.inhrelid, h.inhparent)), \
           pg_catalog.has_table_privilege(c.oid, 'SELECT'), pg_catalog.pg_get_userbyid(n.nspowner)::text, \
           ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 \
             AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum), \
           (SELECT string_agg(line, E'\\n' ORDER BY line COLLATE \"C\") FROM ({DEFINITION}) AS lines), \
           ARRAY(SELECT sn.nspname::text {OWNED}), ARRAY(SELECT s.relname::text {OWNED}), \
           ARRAY(SELECT DISTINCT rn.nspname || '.' || r.relname FROM pg_catalog.pg_constraint k \
             JOIN pg_catalog.pg_class r ON r.oid = k.conrelid JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace \
             WHERE k.contype = 'f' AND k.confrelid = c.oid AND NOT EXISTS ( \
               SELECT FROM unnest($1::text[], $2::text[]) AS x(schema, name) \
               WHERE x.schema::name = rn.nspname AND x.name::name = r.relname) ORDER BY 1) \
         FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w(schema, name, at) \
         JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema::name \
         JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name::name"
    );
    let rows = session
        .query(&statement, &[&schemas, &tables])
        .await
        .map_err(|error| PgError::sql("looking for the tables to carry over", error))?;
    let mut found = vec![None; names.len()];
    for row in rows {
        let at = usize::try_from(row.get::<_, i64>(0)).ok().and_then(|at| at.checked_sub(1));
        if let Some((at, place)) = at.and_then(|at| Some((at, found.get_mut(at)?))) {
            *place = Some(of_row(names[at].clone(), &row));
        }
    }
    Ok(found)
}

fn of_row(name: QualifiedName, row: &Row) -> Found {
    let (schemas, sequences): (Vec<String>, Vec<String>) = (row.get(7), row.get(8));
    Found {
        name,
        kind: row.get(1),
        has_relatives: row.get(2),
        readable: row.get(3),
        schema_owner: row.get(4),
        columns: row.get(5),
        definition: row.get(6),
        sequences: schemas.into_iter().zip(sequences).map(|(schema, name)| QualifiedName::new(schema, name)).collect(),
        referring: row.get(9),
    }
}

/// Where these sequences stand.
pub(crate) async fn sequences(session: &Session, names: &[QualifiedName]) -> PgResult<Vec<SequenceState>> {
    let mut states = Vec::with_capacity(names.len());
    for name in names {
        let row = session
            .query_one(&format!("SELECT last_value, is_called FROM {}", name.quoted()), &[])
            .await
            .map_err(|error| PgError::sql("reading the sequences", error))?;
        let QualifiedName { schema, name } = name.clone();
        states.push(SequenceState { schema, name, last_value: row.get(0), is_called: row.get(1) });
    }
    Ok(states)
}

/// Begins to read at one moment.
pub(crate) async fn begin_reading(session: &Session) -> PgResult<()> {
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
    session.batch_execute(begin).await.map_err(|error| PgError::sql("beginning to read", error))
}

/// Drops tables that will be made anew, unless something else needs them.
pub(crate) async fn drop_tables(session: &Session, tables: &[QualifiedName]) -> PgResult<()> {
    if tables.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = tables.iter().map(QualifiedName::quoted).collect();
    let drop = format!("DROP TABLE {}", names.join(", "));
    session.batch_execute(&drop).await.map_err(|error| PgError::sql("dropping tables to make them anew", error))
}

/// Creates a schema unless it is there.
pub(crate) async fn create_schema(session: &Session, schema: &str, owner: Option<&str>) -> PgResult<()> {
    let owner = owner.map_or_else(String::new, |owner| format!(" AUTHORIZATION {}", quote_ident(owner)));
    let create = format!("CREATE SCHEMA IF NOT EXISTS {}{owner}", quote_ident(schema));
    session.batch_execute(&create).await.map_err(|error| PgError::sql("creating a schema", error))
}
