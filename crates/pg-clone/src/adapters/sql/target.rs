//! Reads the catalogue of a live database that will receive rows.

use std::collections::{BTreeMap, BTreeSet};

use crate::adapters::connection::Session;
use crate::adapters::sql::live_tables::Firing;
use crate::error::{PgError, PgResult};
use crate::ident::{QualifiedName, quote_ident};
use crate::stored::detail::{SequenceState, TableDump};

/// Tables looked into by one statement: each costs a range-table entry.
const LOOK_BATCH: usize = 200;

/// Whether rows of the partitioned table `above.relid` find their partition by a hash that may differ between databases.
/// Polymorphic classes (`enum_ops`, `array_ops`, `record_ops`,
/// `range_ops`) take pseudo-types; an expression's type is not looked for.
pub(crate) const HASH_DIFFERS: &str = "EXISTS ( \
    SELECT FROM pg_catalog.pg_partitioned_table h, \
      unnest(h.partclass::oid[], h.partattrs::int2[]) AS k(class, attnum) \
      JOIN pg_catalog.pg_opclass o ON o.oid = k.class JOIN pg_catalog.pg_type t ON t.oid = o.opcintype \
    WHERE h.partrelid = above.relid AND h.partstrat = 'h' AND ( \
      o.opcnamespace <> 'pg_catalog'::regnamespace OR t.typtype = 'p' OR o.opcname = 'aclitem_ops' \
      OR (o.opcname = 'oid_ops' AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a \
        WHERE a.attrelid = h.partrelid AND a.attnum = k.attnum AND a.atttypid = 'oid'::regtype))))";

/// What the live database has of a dump's tables and sequences, and what stands around them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    /// By position among the dump's tables; nothing where there is no relation of that name.
    pub(crate) tables: Vec<Option<TargetTable>>,
    /// By position among the dump's sequences: whether it is there.
    pub(crate) sequences: Vec<bool>,
    /// Partitioned tables above them, the topmost first.
    pub(crate) partitioned: Vec<Partitioned>,
    /// Foreign keys of them and to them, each once: those of a partitioned table stand for its partitions' too.
    pub(crate) keys: Vec<TargetKey>,
    /// Checks on the tables that are `NOT VALID`, each once for each table.
    pub(crate) checks: Vec<TargetCheck>,
    /// The user's triggers on them that fire.
    pub(crate) triggers: Vec<TargetTrigger>,
    /// Materialized views that read them and hold rows.
    pub(crate) matviews: Vec<String>,
}

/// A relation of the name of a dump's table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TargetTable {
    pub(crate) oid: u32,
    /// `pg_class.relkind`.
    pub(crate) kind: String,
    pub(crate) columns: Vec<String>,
    /// Those that are computed.
    pub(crate) generated: Vec<String>,
    /// Those that neither may be null nor have a default.
    pub(crate) required: Vec<String>,
    /// With its `WHERE`, which rows belong to a dump, if it is a configuration table of an extension.
    pub(crate) condition: String,
    /// Whether it holds rows that a dump would have.
    pub(crate) holds_rows: bool,
}

/// A partitioned table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Partitioned {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
    /// All tables below it that hold rows.
    pub(crate) leaves: Vec<u32>,
    /// Their names, as `schema.table`.
    pub(crate) leaf_names: Vec<String>,
    /// Whether rows find their partition by a hash that differs between databases: they must go through this table.
    pub(crate) hash_differs: bool,
}

impl Partitioned {
    /// Its name, with its schema.
    pub(crate) fn qualified_name(&self) -> QualifiedName {
        QualifiedName::new(&self.schema, &self.name)
    }
}

/// A foreign key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TargetKey {
    pub(crate) name: String,
    /// The table that refers.
    pub(crate) table_oid: u32,
    pub(crate) schema: String,
    pub(crate) table: String,
    /// The table it refers to.
    pub(crate) referenced_oid: u32,
    pub(crate) referenced: String,
    pub(crate) is_deferrable: bool,
    /// Whether the server looks after it: since PostgreSQL 18 a key may be there for people alone.
    pub(crate) is_enforced: bool,
    /// Whether all rows of the table are known to keep it; not if it is `NOT VALID`.
    pub(crate) is_validated: bool,
}

/// A check on rows that is `NOT VALID`: rows from before it may break it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TargetCheck {
    /// The table whose rows are checked, without its schema, as messages of the server name it.
    pub(crate) table: String,
    /// Schema and name of the table that it was said of: that one, or one above it.
    pub(crate) schema: String,
    pub(crate) of_table: String,
    pub(crate) name: String,
    /// What follows `ADD CONSTRAINT` and its name.
    pub(crate) definition: String,
    /// The column that shall not be null, if that is what is checked (`NOT VALID` since PostgreSQL 18).
    pub(crate) column: Option<String>,
}

impl TargetCheck {
    /// `schema.table.name`.
    pub(crate) fn label(&self) -> String {
        format!("{}.{}.{}", self.schema, self.of_table, self.name)
    }

    /// By what a message of the server names it, beside its table.
    pub(crate) fn said(&self) -> &str {
        self.column.as_deref().unwrap_or(&self.name)
    }

    /// The statement that drops it.
    pub(crate) fn drop_statement(&self) -> String {
        format!("ALTER TABLE {} DROP CONSTRAINT {}", self.quoted_table(), quote_ident(&self.name))
    }

    /// The statement that makes it again.
    pub(crate) fn add_statement(&self) -> String {
        let name = quote_ident(&self.name);
        format!("ALTER TABLE {} ADD CONSTRAINT {name} {}", self.quoted_table(), self.definition)
    }

    fn quoted_table(&self) -> String {
        QualifiedName::new(&self.schema, &self.of_table).quoted()
    }
}

/// A trigger of the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetTrigger {
    pub(crate) table_oid: u32,
    pub(crate) schema: String,
    pub(crate) table: String,
    pub(crate) name: String,
    /// In which sessions it fires.
    pub(crate) firing: Firing,
}

impl Target {
    /// The tables and the partitioned ones above them.
    pub(crate) fn family(&self) -> Vec<u32> {
        let tables = self.tables.iter().flatten().map(|table| table.oid);
        tables.chain(self.partitioned.iter().map(|table| table.oid)).collect()
    }

    /// For each table whose rows must go through another one, by position: which of [`Target::partitioned`] that is.
    pub(crate) fn through(&self) -> BTreeMap<usize, usize> {
        let mut above: BTreeMap<u32, usize> = BTreeMap::new();
        for (at, table) in self.partitioned.iter().enumerate().filter(|(_, table)| table.hash_differs) {
            for leaf in &table.leaves {
                above.entry(*leaf).or_insert(at);
            }
        }
        let tables = self.tables.iter().enumerate();
        tables.filter_map(|(at, table)| Some((at, *above.get(&table.as_ref()?.oid)?))).collect()
    }

    /// [`Target::through`], by name.
    pub(crate) fn detours(&self) -> BTreeMap<usize, QualifiedName> {
        self.through().into_iter().map(|(table, above)| (table, self.partitioned[above].qualified_name())).collect()
    }
}

/// Reads what stands where the rows of these tables, and the values of these sequences, would go. Whether the tables hold rows is
/// told by [`look_for_rows`].
pub(crate) async fn read(session: &Session, wanted: &[TableDump], states: &[SequenceState]) -> PgResult<Target> {
    let tables = tables(session, wanted).await?;
    let oids: Vec<u32> = tables.iter().flatten().map(|table| table.oid).collect();
    let partitioned = partitioned(session, &oids).await?;
    let mut target = Target { tables, partitioned, ..Target::default() };
    let family = target.family();
    target.sequences = sequences(session, states).await?;
    target.keys = keys(session, &family).await?;
    target.checks = checks(session, &oids).await?;
    target.triggers = triggers(session, &family).await?;
    target.matviews = matviews(session, &oids).await?;
    Ok(target)
}

async fn tables(session: &Session, wanted: &[TableDump]) -> PgResult<Vec<Option<TargetTable>>> {
    let (schemas, names): (Vec<&str>, Vec<&str>) =
        wanted.iter().map(|table| (table.schema.as_str(), table.name.as_str())).unzip();
    let rows = session
        .query(
            "SELECT w.at, c.oid, c.relkind::text, coalesce(e.condition, ''), \
               ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 \
                 AND NOT a.attisdropped ORDER BY a.attnum), \
               ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 \
                 AND NOT a.attisdropped AND a.attgenerated <> '' ORDER BY a.attnum), \
               ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a \
                 JOIN pg_catalog.pg_type t ON t.oid = a.atttypid WHERE a.attrelid = c.oid AND a.attnum > 0 \
                 AND NOT a.attisdropped AND (a.attnotnull OR t.typnotnull) AND NOT a.atthasdef \
                 AND a.attidentity = '' AND t.typdefault IS NULL ORDER BY a.attnum) \
             FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w(schema, name, at) \
             JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema::name \
             JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name::name \
             LEFT JOIN LATERAL (SELECT x.extcondition[array_position(x.extconfig, c.oid)] AS condition \
               FROM pg_catalog.pg_extension x WHERE c.oid = ANY (x.extconfig)) e ON true",
            &[&schemas, &names],
        )
        .await
        .map_err(|error| PgError::sql("looking for the dump's tables", error))?;
    let mut found = vec![None; wanted.len()];
    for row in rows {
        let place = usize::try_from(row.get::<_, i64>(0)).ok().and_then(|at| found.get_mut(at.checked_sub(1)?));
        if let Some(place) = place {
            *place = Some(TargetTable {
                oid: row.get(1),
                kind: row.get(2),
                condition: row.get(3),
                columns: row.get(4),
                generated: row.get(5),
                required: row.get(6),
                holds_rows: false,
            });
        }
    }
    Ok(found)
}

/// Looks which of the tables hold rows, of those whose rows all belong to a dump or of the others, which have a condition of an
/// extension's. The server plans it, whose search path is the caller's business: nothing here is found by it but what the
/// condition names.
pub(crate) async fn look_for_rows(
    session: &Session,
    wanted: &[TableDump],
    tables: &mut [Option<TargetTable>],
    with_condition: bool,
) -> PgResult<()> {
    // Only ordinary tables: no others take rows, and a foreign one would be asked on its own server.
    let is_meant = |table: &TargetTable| table.kind == "r" && table.condition.is_empty() != with_condition;
    let places: Vec<usize> = (0..tables.len()).filter(|at| tables[*at].as_ref().is_some_and(is_meant)).collect();
    for batch in places.chunks(LOOK_BATCH) {
        let looks: Vec<String> = batch
            .iter()
            .map(|at| {
                let condition = tables[*at].as_ref().map(|table| table.condition.as_str()).unwrap_or_default();
                let table = &wanted[*at];
                let name = table.qualified_name().quoted();
                format!("SELECT {at}::pg_catalog.int8 WHERE EXISTS (SELECT FROM ONLY {name} {condition})")
            })
            .collect();
        let rows = session
            .query(&looks.join(" UNION ALL "), &[])
            .await
            .map_err(|error| PgError::sql("looking for rows in the tables", error))?;
        for row in rows {
            let at = usize::try_from(row.get::<_, i64>(0)).unwrap_or(usize::MAX);
            if let Some(Some(table)) = tables.get_mut(at) {
                table.holds_rows = true;
            }
        }
    }
    Ok(())
}

async fn sequences(session: &Session, wanted: &[SequenceState]) -> PgResult<Vec<bool>> {
    let (schemas, names): (Vec<&str>, Vec<&str>) =
        wanted.iter().map(|sequence| (sequence.schema.as_str(), sequence.name.as_str())).unzip();
    let rows = session
        .query(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE c.relkind = 'S' AND c.relname = w.name::name AND n.nspname = w.schema::name) \
             FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w(schema, name, at) ORDER BY w.at",
            &[&schemas, &names],
        )
        .await
        .map_err(|error| PgError::sql("looking for the dump's sequences", error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn partitioned(session: &Session, tables: &[u32]) -> PgResult<Vec<Partitioned>> {
    let rows = session
        .query(
            &format!(
                "SELECT c.oid, n.nspname::text, c.relname::text, \
                   ARRAY(SELECT t.relid::oid FROM pg_catalog.pg_partition_tree(c.oid) t WHERE t.isleaf ORDER BY 1), \
                   ARRAY(SELECT ln.nspname || '.' || l.relname FROM pg_catalog.pg_partition_tree(c.oid) t \
                     JOIN pg_catalog.pg_class l ON l.oid = t.relid \
                     JOIN pg_catalog.pg_namespace ln ON ln.oid = l.relnamespace WHERE t.isleaf ORDER BY t.relid::oid), \
                   {HASH_DIFFERS} \
                 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, \
                   LATERAL (SELECT c.oid AS relid) above \
                 WHERE c.oid IN (SELECT a.relid::oid FROM unnest($1::oid[]) w(oid), \
                   LATERAL pg_catalog.pg_partition_ancestors(w.oid) a(relid) WHERE a.relid::oid <> w.oid) \
                 ORDER BY (SELECT count(*) FROM pg_catalog.pg_partition_ancestors(c.oid)), 2, 3"
            ),
            &[&tables],
        )
        .await
        .map_err(|error| PgError::sql("looking for partitioned tables", error))?;
    let table = |row: &tokio_postgres::Row| Partitioned {
        oid: row.get(0),
        schema: row.get(1),
        name: row.get(2),
        leaves: row.get(3),
        leaf_names: row.get(4),
        hash_differs: row.get(5),
    };
    Ok(rows.iter().map(table).collect())
}

async fn keys(session: &Session, tables: &[u32]) -> PgResult<Vec<TargetKey>> {
    let rows = session
        .query(
            "SELECT k.conname::text, k.conrelid, n.nspname::text, c.relname::text, k.confrelid, \
               rn.nspname || '.' || r.relname, k.condeferrable, \
               coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true), k.convalidated \
             FROM pg_catalog.pg_constraint k \
             JOIN pg_catalog.pg_class c ON c.oid = k.conrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_class r ON r.oid = k.confrelid \
             JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace \
             WHERE k.contype = 'f' AND k.conparentid = 0 AND (k.conrelid = ANY ($1) OR k.confrelid = ANY ($1)) \
             ORDER BY 3, 4, 1",
            &[&tables],
        )
        .await
        .map_err(|error| PgError::sql("reading the foreign keys", error))?;
    let key = |row: &tokio_postgres::Row| TargetKey {
        name: row.get(0),
        table_oid: row.get(1),
        schema: row.get(2),
        table: row.get(3),
        referenced_oid: row.get(4),
        referenced: row.get(5),
        is_deferrable: row.get(6),
        is_enforced: row.get(7),
        is_validated: row.get(8),
    };
    Ok(rows.iter().map(key).collect())
}

/// A table has those of the tables above it as its own, and nobody can drop them there.
async fn checks(session: &Session, tables: &[u32]) -> PgResult<Vec<TargetCheck>> {
    let rows = session
        .query(
            "SELECT c.relname::text, n.nspname::text, o.relname::text, k.conname::text, \
               pg_catalog.pg_get_constraintdef(k.oid), CASE k.contype WHEN 'n' THEN (SELECT a.attname::text \
                 FROM pg_catalog.pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = k.conkey[1]) END \
             FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid \
             JOIN pg_catalog.pg_class o ON o.oid = coalesce((WITH RECURSIVE above(oid) AS ( \
                 SELECT k.conrelid UNION SELECT i.inhparent FROM above a JOIN pg_catalog.pg_inherits i ON i.inhrelid = a.oid) \
               SELECT p.conrelid FROM above a JOIN pg_catalog.pg_constraint p ON p.conrelid = a.oid \
               WHERE p.contype = k.contype AND p.conname = k.conname AND p.coninhcount = 0 LIMIT 1), k.conrelid) \
             JOIN pg_catalog.pg_namespace n ON n.oid = o.relnamespace \
             WHERE k.contype IN ('c', 'n') AND NOT k.convalidated AND k.conrelid = ANY ($1) \
               AND coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true) ORDER BY 2, 3, 4, 1",
            &[&tables],
        )
        .await
        .map_err(|error| PgError::sql("reading the checks", error))?;
    let check = |row: &tokio_postgres::Row| TargetCheck {
        table: row.get(0),
        schema: row.get(1),
        of_table: row.get(2),
        name: row.get(3),
        definition: row.get(4),
        column: row.get(5),
    };
    Ok(rows.iter().map(check).collect())
}

async fn triggers(session: &Session, tables: &[u32]) -> PgResult<Vec<TargetTrigger>> {
    let rows = session
        .query(
            "SELECT t.tgrelid, n.nspname::text, c.relname::text, t.tgname::text, t.tgenabled::text \
             FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE t.tgrelid = ANY ($1) AND NOT t.tgisinternal AND t.tgenabled <> 'D' ORDER BY 2, 3, 4",
            &[&tables],
        )
        .await
        .map_err(|error| PgError::sql("reading the triggers", error))?;
    let trigger = |row: &tokio_postgres::Row| TargetTrigger {
        table_oid: row.get(0),
        schema: row.get(1),
        table: row.get(2),
        name: row.get(3),
        firing: Firing::of_catalogue(row.get(4)),
    };
    Ok(rows.iter().map(trigger).collect())
}

/// Through views, and through the tables that these inherit from or are partitions of.
async fn matviews(session: &Session, tables: &[u32]) -> PgResult<Vec<String>> {
    let rows = session
        .query(
            "WITH RECURSIVE family(oid) AS ( \
               SELECT unnest($1::oid[]) \
               UNION SELECT i.inhparent FROM family f JOIN pg_catalog.pg_inherits i ON i.inhrelid = f.oid), \
             uses AS ( \
               SELECT DISTINCT r.ev_class AS reader, d.refobjid AS used FROM pg_catalog.pg_rewrite r \
               JOIN pg_catalog.pg_class c ON c.oid = r.ev_class AND c.relkind IN ('v', 'm') \
               JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid \
                 AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> r.ev_class), \
             readers(oid) AS ( \
               SELECT u.reader FROM uses u WHERE u.used IN (SELECT oid FROM family) \
               UNION SELECT u.reader FROM uses u JOIN readers r ON r.oid = u.used) \
             SELECT n.nspname || '.' || c.relname FROM readers JOIN pg_catalog.pg_class c ON c.oid = readers.oid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'm' AND c.relispopulated \
             ORDER BY 1",
            &[&tables],
        )
        .await
        .map_err(|error| PgError::sql("looking for materialized views", error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// How triggers and foreign keys behave that a load changes for its time: equal before and after, or something was not put
/// back.
pub(crate) async fn behaviour(session: &Session, tables: &[u32]) -> PgResult<BTreeSet<String>> {
    let rows = session
        .query(
            "SELECT concat_ws(' ', 'trigger', t.oid, t.tgenabled, t.tgdeferrable, t.tginitdeferred) FROM \
             pg_catalog.pg_trigger t \
               LEFT JOIN pg_catalog.pg_constraint k ON k.oid = t.tgconstraint \
               WHERE t.tgrelid = ANY ($1) OR k.conrelid = ANY ($1) OR k.confrelid = ANY ($1) \
             UNION ALL SELECT concat_ws(' ', 'key', k.oid, k.condeferrable, k.condeferred, k.convalidated) \
               FROM pg_catalog.pg_constraint k \
               WHERE k.contype = 'f' AND (k.conrelid = ANY ($1) OR k.confrelid = ANY ($1))",
            &[&tables],
        )
        .await
        .map_err(|error| PgError::sql("reading the state of triggers and foreign keys", error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
