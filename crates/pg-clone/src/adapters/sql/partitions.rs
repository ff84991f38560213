//! Partitions whose rows may belong elsewhere in another database.

use crate::adapters::connection::Session;
use crate::adapters::sql::target::HASH_DIFFERS;
use crate::error::{PgError, PgResult};
use crate::ident::QualifiedName;

/// Partitions with such a table above them, each with the topmost one: `pg_partition_ancestors` goes from below upwards.
const PARTITIONS: &str = "\
    SELECT n.nspname::text, c.relname::text, rn.nspname::text, r.relname::text \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    JOIN LATERAL (SELECT above.relid FROM pg_catalog.pg_partition_ancestors(c.oid) WITH ORDINALITY above(relid, height) \
      WHERE {HASH_DIFFERS} ORDER BY above.height DESC LIMIT 1) top ON true \
    JOIN pg_catalog.pg_class r ON r.oid = top.relid \
    JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace \
    WHERE c.relispartition AND c.relkind = 'r'";

/// A partition, and the topmost table above it that finds a row's partition by a hash that differs between databases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hashed {
    pub(crate) partition: QualifiedName,
    pub(crate) root: QualifiedName,
}

/// All such partitions of the session's database.
pub(crate) async fn hashed(session: &Session) -> PgResult<Vec<Hashed>> {
    let doing = "looking for tables partitioned by a hash that differs between databases";
    let partitions = PARTITIONS.replace("{HASH_DIFFERS}", HASH_DIFFERS);
    let rows = session.query(&partitions, &[]).await.map_err(|error| PgError::sql(doing, error))?;
    let hashed = |row: &tokio_postgres::Row| Hashed {
        partition: QualifiedName { schema: row.get(0), name: row.get(1) },
        root: QualifiedName { schema: row.get(2), name: row.get(3) },
    };
    Ok(rows.iter().map(hashed).collect())
}
