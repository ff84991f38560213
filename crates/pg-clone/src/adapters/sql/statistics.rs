//! Planner statistics.

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};
use crate::ident::QualifiedName;

/// Which relations to collect statistics of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Analyzed {
    /// Tables, partitioned ones too.
    Tables,
    /// Materialized views.
    Matviews,
}

impl Analyzed {
    /// `pg_class.relkind` of them.
    fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Tables => &["r", "p"],
            Self::Matviews => &["m"],
        }
    }
}

/// The relations of that kind that can be analyzed, the smallest first.
pub(crate) async fn analyzable(session: &Session, what: Analyzed) -> PgResult<Vec<QualifiedName>> {
    let rows = session
        .query(
            // Sampling a table with a foreign one below it would connect to that one's server.
            "WITH RECURSIVE reaches_out(oid) AS ( \
               SELECT i.inhparent FROM pg_catalog.pg_inherits i \
                 JOIN pg_catalog.pg_class f ON f.oid = i.inhrelid AND f.relkind = 'f' \
               UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN reaches_out r ON r.oid = i.inhrelid) \
             SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind::text = ANY ($1) AND (c.relkind <> 'm' OR c.relispopulated) AND n.nspname !~ '^pg_' \
               AND n.nspname <> 'information_schema' AND c.oid NOT IN (SELECT oid FROM reaches_out) \
             ORDER BY c.relpages",
            &[&what.kinds()],
        )
        .await
        .map_err(|error| PgError::sql("listing the tables to analyze", error))?;
    Ok(rows.iter().map(|row| QualifiedName { schema: row.get(0), name: row.get(1) }).collect())
}

/// Collects the statistics of these relations.
pub(crate) async fn analyze(session: &Session, relations: &[QualifiedName]) -> PgResult<()> {
    let names: Vec<String> = relations.iter().map(QualifiedName::quoted).collect();
    session
        .batch_execute(&format!("ANALYZE {}", names.join(", ")))
        .await
        .map_err(|error| PgError::sql(analyzing(relations), error))
}

fn analyzing(relations: &[QualifiedName]) -> String {
    let first = relations.first().map_or_else(String::new, |first| format!("`{}`", first.label()));
    match relations.len() {
        0 | 1 => format!("analyzing {first}"),
        count => format!("analyzing {first} and {} tables after it", count - 1),
    }
}
