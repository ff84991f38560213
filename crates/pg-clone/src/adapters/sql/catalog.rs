//! Reads the source's system catalogues (PostgreSQL manual, chapter "System Catalogs").

use std::collections::{BTreeMap, BTreeSet};

use crate::adapters::connection::Session;
use crate::adapters::sql::session_settings;
use crate::dump::matviews::{Matview, Use};
use crate::dump::units::TableSource;
use crate::error::{PgError, PgResult};
use crate::ident::{QualifiedName, qualified};
use crate::stored::detail::{Extension, ForeignKey, MatviewState, SequenceState, ServerInfo, TableKind};

/// Sequences asked in one statement: each costs a range-table entry.
const SEQUENCE_BATCH: usize = 200;

/// A relation to lock: ordinary or partitioned table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Relation {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) partitioned: bool,
    pub(crate) unlogged: bool,
    pub(crate) filenode: u32,
    /// Whether its name alone finds it; known where somebody asked for it.
    pub(crate) visible: bool,
    /// For a member of an extension, the condition under which its rows belong to the dump.
    pub(crate) extension: Option<Option<String>>,
    /// The partitioned tables above it: what is said of them holds for it too.
    pub(crate) ancestors: Vec<u32>,
}

impl Relation {
    pub(crate) fn qualified(&self) -> String {
        qualified(&self.schema, &self.name)
    }

    /// Its name, with its schema.
    pub(crate) fn qualified_name(&self) -> QualifiedName {
        QualifiedName::new(&self.schema, &self.name)
    }

    /// `schema.table` for people.
    pub(crate) fn label(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

/// Facts about the server and the session.
pub(crate) async fn server_info(session: &Session) -> PgResult<ServerInfo> {
    let row = session
        .query_one(
            "SELECT current_setting('server_version_num')::int, current_setting('server_version'), \
             pg_is_in_recovery(), \
             CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text",
            &[],
        )
        .await
        .map_err(|error| PgError::sql("reading the server's version", error))?;
    Ok(ServerInfo {
        version_num: u32::try_from(row.get::<_, i32>(0)).unwrap_or_default(),
        version: row.get(1),
        in_recovery: row.get(2),
        snapshot_lsn: row.get::<_, Option<String>>(3).unwrap_or_default(),
    })
}

/// All tables of the user's and of extensions that may hold rows to dump.
pub(crate) async fn relations(session: &Session) -> PgResult<Vec<Relation>> {
    let rows = session
        .query(
            "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind = 'p', c.relpersistence = 'u', \
               pg_catalog.pg_relation_filenode(c.oid), \
               d.refobjid IS NOT NULL, config.condition, \
               ARRAY(SELECT a.relid::oid FROM pg_catalog.pg_partition_ancestors(c.oid) a(relid)) \
             FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid \
               AND d.objsubid = 0 AND d.deptype = 'e' \
             LEFT JOIN LATERAL (SELECT coalesce(e.extcondition[array_position(e.extconfig, c.oid)], '') AS condition \
               FROM pg_catalog.pg_extension e WHERE e.oid = d.refobjid AND c.oid = ANY (e.extconfig)) config ON true \
             WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' \
               AND n.nspname <> 'information_schema' \
             ORDER BY n.nspname, c.relname",
            &[],
        )
        .await
        .map_err(|error| PgError::sql("listing the tables", error))?;
    Ok(rows
        .iter()
        .map(|row| Relation {
            oid: row.get(0),
            schema: row.get(1),
            name: row.get(2),
            partitioned: row.get(3),
            unlogged: row.get(4),
            filenode: row.get::<_, Option<u32>>(5).unwrap_or_default(),
            visible: false,
            extension: row.get::<_, bool>(6).then(|| row.get(7)),
            ancestors: row.get(8),
        })
        .collect())
}

/// Notes which relations are found by their names alone on the search path that role and database have. Somebody may have put
/// functions and operators on it (CVE-2018-1058): while it is in use nothing is said but what names its schema.
pub(crate) async fn note_visible(session: &Session, relations: &mut [Relation]) -> PgResult<()> {
    const VISIBLE: &str = "SELECT c.oid FROM pg_catalog.pg_class c WHERE pg_catalog.pg_table_is_visible(c.oid)";
    let sql = |error| PgError::sql("reading which tables the search path finds", error);
    session_settings::reset_search_path(session).await?;
    let rows = session.query(VISIBLE, &[]).await.map_err(sql)?;
    session_settings::empty_search_path(session).await?;
    let visible: BTreeSet<u32> = rows.iter().map(|row| row.get(0)).collect();
    for relation in relations {
        relation.visible = visible.contains(&relation.oid);
    }
    Ok(())
}

/// Columns and sizes of `relations`, as the snapshot has them. Sizes are those of heap and TOAST alone: `pg_table_size`
/// looks at their maps and indexes too, and takes twice as long for ten thousand tables. Ranges of them are of about `range_bytes`.
pub(crate) async fn table_sources(
    session: &Session,
    relations: &[&Relation],
    range_bytes: u64,
) -> PgResult<Vec<TableSource>> {
    let oids: Vec<u32> = relations.iter().map(|relation| relation.oid).collect();
    let rows = session
        .query(
            "SELECT c.oid, pg_catalog.pg_relation_size(c.oid) / current_setting('block_size')::int, \
               pg_catalog.pg_relation_size(c.oid) + CASE WHEN c.reltoastrelid = 0 THEN 0 \
                 ELSE pg_catalog.pg_relation_size(c.reltoastrelid) END, coalesce(am.amname = 'heap', false), \
               ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 \
                 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum) \
             FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam WHERE c.oid = ANY ($1)",
            &[&oids],
        )
        .await
        .map_err(|error| PgError::sql("reading the tables' columns", error))?;
    let mut found: BTreeMap<u32, _> = rows.iter().map(|row| (row.get::<_, u32>(0), row)).collect();
    relations
        .iter()
        .map(|relation| {
            let row = found.remove(&relation.oid).ok_or_else(|| PgError::TablesChanging {
                what: format!("the table `{}` vanished while its columns were read", relation.label()),
            })?;
            Ok(TableSource {
                oid: relation.oid,
                schema: relation.schema.clone(),
                name: relation.name.clone(),
                kind: match (&relation.extension, relation.unlogged) {
                    (Some(_), _) => TableKind::ExtensionConfig,
                    (None, true) => TableKind::Unlogged,
                    (None, false) => TableKind::Table,
                },
                columns: row.get(4),
                heap_pages: u64::try_from(row.get::<_, i64>(1)).unwrap_or_default(),
                table_bytes: u64::try_from(row.get::<_, i64>(2)).unwrap_or_default(),
                by_ranges: row.get(3),
                condition: relation.extension.clone().flatten().unwrap_or_default(),
                range_bytes,
                range_pages: None,
            })
        })
        .collect()
}

/// States of all sequences, but for those that a standby cannot read since they are unlogged, those that extensions make and that are none of their configuration, and identity
/// sequences of `excluded` tables. Not part of the snapshot: a sequence may be ahead of it, never behind.
pub(crate) async fn sequences(session: &Session, excluded: &[u32]) -> PgResult<Vec<SequenceState>> {
    let doing = "reading the sequences";
    let names = session
        .query(
            "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' \
               AND n.nspname <> 'information_schema' AND NOT (c.relpersistence = 'u' AND pg_catalog.pg_is_in_recovery()) \
               AND (NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass \
                   AND d.objid = c.oid AND d.deptype = 'e') \
                 OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE c.oid = ANY (e.extconfig))) \
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass \
                 AND d.objid = c.oid AND d.deptype = 'i' AND d.refobjid = ANY ($1)) \
             ORDER BY 1, 2",
            &[&excluded],
        )
        .await
        .map_err(|error| PgError::sql(doing, error))?;
    let names: Vec<(String, String)> = names.iter().map(|row| (row.get(0), row.get(1))).collect();
    let mut states = Vec::with_capacity(names.len());
    for batch in names.chunks(SEQUENCE_BATCH) {
        let selects: Vec<String> = batch
            .iter()
            .enumerate()
            .map(|(at, (schema, name))| {
                format!("SELECT {at} AS at, last_value, is_called FROM {}", qualified(schema, name))
            })
            .collect();
        let rows = session
            .query(&format!("{} ORDER BY at", selects.join(" UNION ALL ")), &[])
            .await
            .map_err(|error| PgError::sql(doing, error))?;
        for ((schema, name), row) in batch.iter().zip(&rows) {
            states.push(SequenceState {
                schema: schema.clone(),
                name: name.clone(),
                last_value: row.get(1),
                is_called: row.get(2),
            });
        }
    }
    Ok(states)
}

/// Materialized views, by name.
pub(crate) async fn matviews(session: &Session) -> PgResult<Vec<Matview>> {
    let rows = session
        .query(
            "SELECT c.oid, n.nspname::text, c.relname::text, c.relispopulated FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'm' \
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass \
                 AND d.objid = c.oid AND d.deptype = 'e') \
             ORDER BY 2, 3",
            &[],
        )
        .await
        .map_err(|error| PgError::sql("reading the materialized views", error))?;
    let matview = |row: &tokio_postgres::Row| Matview {
        oid: row.get(0),
        state: MatviewState { schema: row.get(1), name: row.get(2), populated: row.get(3) },
    };
    Ok(rows.iter().map(matview).collect())
}

/// Which of them read which, directly or through others.
pub(crate) async fn matview_uses(session: &Session) -> PgResult<Vec<Use>> {
    let rows = session
        .query(
            "WITH RECURSIVE uses AS ( \
               SELECT DISTINCT rule.ev_class AS user_oid, d.refobjid AS used_oid \
               FROM pg_catalog.pg_rewrite rule \
               JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = rule.oid \
                 AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> rule.ev_class), \
             reached AS ( \
               SELECT uses.user_oid, uses.used_oid FROM uses \
               JOIN pg_catalog.pg_class c ON c.oid = uses.user_oid AND c.relkind = 'm' \
               UNION \
               SELECT reached.user_oid, uses.used_oid FROM reached JOIN uses ON uses.user_oid = reached.used_oid) \
             SELECT reached.user_oid, reached.used_oid FROM reached \
             JOIN pg_catalog.pg_class c ON c.oid = reached.used_oid AND c.relkind = 'm'",
            &[],
        )
        .await
        .map_err(|error| PgError::sql("reading what materialized views read", error))?;
    Ok(rows.iter().map(|row| Use { user: row.get(0), used: row.get(1) }).collect())
}

/// Installed extensions.
pub(crate) async fn extensions(session: &Session) -> PgResult<Vec<Extension>> {
    let rows = session
        .query(
            "SELECT e.extname::text, e.extversion, n.nspname::text FROM pg_catalog.pg_extension e \
             JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace ORDER BY 1",
            &[],
        )
        .await
        .map_err(|error| PgError::sql("reading the extensions", error))?;
    Ok(rows.iter().map(|row| Extension { name: row.get(0), version: row.get(1), schema: row.get(2) }).collect())
}

/// Roles that own something here or have a privilege on it.
pub(crate) async fn roles(session: &Session) -> PgResult<Vec<String>> {
    let rows = session
        .query(
            "SELECT DISTINCT r.rolname::text FROM pg_catalog.pg_shdepend s \
             JOIN pg_catalog.pg_database d ON d.datname = current_database() AND s.dbid IN (d.oid, 0) \
             JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid \
             WHERE s.refclassid = 'pg_catalog.pg_authid'::regclass \
               AND (s.dbid = d.oid OR (s.classid = 'pg_catalog.pg_database'::regclass AND s.objid = d.oid)) \
             ORDER BY 1",
            &[],
        )
        .await
        .map_err(|error| PgError::sql("reading the roles", error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Event triggers that ran for this very login, and run for each of ours (since PostgreSQL 17).
pub(crate) async fn login_triggers(session: &Session) -> PgResult<Vec<String>> {
    let rows = session
        .query(
            "SELECT evtname::text FROM pg_catalog.pg_event_trigger WHERE evtevent = 'login' AND evtenabled IN ('O', 'A') \
               AND current_setting('event_triggers', true) = 'on' ORDER BY 1",
            &[],
        )
        .await
        .map_err(|error| PgError::sql("reading the event triggers", error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Roles that policies of tables name, but for those of `excluded` tables.
pub(crate) async fn policy_roles(session: &Session, excluded: &[u32]) -> PgResult<Vec<String>> {
    let rows = session
        .query(
            "SELECT DISTINCT r.rolname::text FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_roles r \
               ON r.oid = ANY (p.polroles) WHERE NOT p.polrelid = ANY ($1) ORDER BY 1",
            &[&excluded],
        )
        .await
        .map_err(|error| PgError::sql("reading the policies", error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Foreign keys of tables that stay, to tables that are left out.
pub(crate) async fn foreign_keys_to(session: &Session, excluded: &[u32]) -> PgResult<Vec<ForeignKey>> {
    let rows = session
        .query(
            "SELECT n.nspname::text, c.relname::text, k.conname::text FROM pg_catalog.pg_constraint k \
             JOIN pg_catalog.pg_class c ON c.oid = k.conrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE k.contype = 'f' AND k.confrelid = ANY ($1) AND NOT k.conrelid = ANY ($1) ORDER BY 1, 2, 3",
            &[&excluded],
        )
        .await
        .map_err(|error| PgError::sql("reading the foreign keys", error))?;
    Ok(rows.iter().map(|row| ForeignKey { schema: row.get(0), table: row.get(1), name: row.get(2) }).collect())
}

/// Foreign keys that are checked, of tables that have rows, to `emptied` tables or to partitions of theirs. Of a partitioned
/// table's keys the one that its partitions have theirs from.
pub(crate) async fn foreign_keys_to_emptied(session: &Session, emptied: &[u32]) -> PgResult<Vec<ForeignKey>> {
    let rows = session
        .query(
            "WITH RECURSIVE doubtful(oid, parent) AS ( \
               SELECT k.oid, k.conparentid FROM pg_catalog.pg_constraint k \
                 WHERE k.contype = 'f' AND k.confrelid = ANY ($1) AND NOT k.conrelid = ANY ($1) AND k.convalidated \
               UNION SELECT k.oid, k.conparentid FROM doubtful d JOIN pg_catalog.pg_constraint k ON k.oid = d.parent) \
             SELECT n.nspname::text, c.relname::text, k.conname::text FROM doubtful d \
             JOIN pg_catalog.pg_constraint k ON k.oid = d.oid AND k.conparentid = 0 \
             JOIN pg_catalog.pg_class c ON c.oid = k.conrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ORDER BY 1, 2, 3",
            &[&emptied],
        )
        .await
        .map_err(|error| PgError::sql("reading the foreign keys", error))?;
    Ok(rows.iter().map(|row| ForeignKey { schema: row.get(0), table: row.get(1), name: row.get(2) }).collect())
}

/// A view, and a table that it reads, each as `schema.name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ViewOn {
    pub(crate) view: String,
    pub(crate) table: String,
}

/// Views and other relations that need an excluded table and would not restore without it.
pub(crate) async fn views_on(session: &Session, excluded: &[u32]) -> PgResult<Vec<ViewOn>> {
    let rows = session
        .query(
            "SELECT DISTINCT vn.nspname || '.' || v.relname, tn.nspname || '.' || t.relname \
             FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid \
             JOIN pg_catalog.pg_class v ON v.oid = r.ev_class \
             JOIN pg_catalog.pg_namespace vn ON vn.oid = v.relnamespace \
             JOIN pg_catalog.pg_class t ON t.oid = d.refobjid \
             JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace \
             WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass \
               AND d.refobjid = ANY ($1) AND r.ev_class <> d.refobjid AND v.relkind IN ('v', 'm') ORDER BY 1, 2",
            &[&excluded],
        )
        .await
        .map_err(|error| PgError::sql("reading the views", error))?;
    Ok(rows.iter().map(|row| ViewOn { view: row.get(0), table: row.get(1) }).collect())
}

/// Oids of all large objects, in order.
pub(crate) async fn large_objects(session: &Session) -> PgResult<Vec<u32>> {
    let rows = session
        .query("SELECT oid FROM pg_catalog.pg_largeobject_metadata ORDER BY oid", &[])
        .await
        .map_err(|error| PgError::sql("listing the large objects", error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
