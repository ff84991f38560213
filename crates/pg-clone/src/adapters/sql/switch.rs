//! The switch: the only statements that rename a database.

use std::collections::BTreeMap;

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};
use crate::ident::{quote_ident, quote_literal};
use crate::live::swap::moves::{Mark, Move};

/// Most time the renames may wait for locks: nobody else should hold any.
const RENAME_LOCK_TIMEOUT: &str = "2s";

/// SQLSTATE of an exchange that took too long: query_canceled.
pub(crate) const TOOK_TOO_LONG: &str = "57014";

/// SQLSTATE by which an exchange says that the names did not mean what they meant before: division_by_zero.
pub(crate) const NAMES_CHANGED: &str = "22012";

/// What a database is bound by that a rename would break, or that would keep it from being renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    /// Prepared transactions.
    pub(crate) prepared: u64,
    /// Logical replication slots.
    pub(crate) slots: u64,
    /// Subscriptions.
    pub(crate) subscriptions: u64,
}

/// What is bound to the database of that name and oid.
pub(crate) async fn bound(admin: &Session, name: &str, oid: u32) -> PgResult<Bound> {
    let row = admin
        .query_one(
            "SELECT (SELECT count(*) FROM pg_catalog.pg_prepared_xacts WHERE database = $1), \
               (SELECT count(*) FROM pg_catalog.pg_replication_slots WHERE database = $1), \
               (SELECT count(*) FROM pg_catalog.pg_subscription WHERE subdbid = $2)",
            &[&name, &oid],
        )
        .await
        .map_err(|error| PgError::sql("checking what is bound to the live database", error))?;
    let count = |at: usize| row.get::<_, i64>(at).unsigned_abs();
    Ok(Bound { prepared: count(0), slots: count(1), subscriptions: count(2) })
}

/// Exchanges the names, or nothing, with `timeout_ms` for each statement (0 for any time).
///
/// # Errors
/// What the server says, as [`TOOK_TOO_LONG`] and [`NAMES_CHANGED`] among them; the session is left in a failed transaction.
pub(crate) async fn exchange(admin: &Session, moves: &[Move], timeout_ms: u32) -> PgResult<()> {
    let statements = statements(moves, timeout_ms);
    admin.batch_execute(&statements).await.map_err(|error| PgError::sql("exchanging the names", error))
}

/// Leaves the transaction of an exchange that failed.
pub(crate) async fn leave(admin: &Session) -> PgResult<()> {
    admin.batch_execute("ROLLBACK").await.map_err(|error| PgError::sql("leaving the failed exchange", error))
}

/// Gives a database that was replaced the name that nobody has now, and lets clients in.
pub(crate) async fn give_name_back(admin: &Session, database: &str, name: &str) -> PgResult<()> {
    let rename = format!(
        "BEGIN; ALTER DATABASE {0} RENAME TO {1}; ALTER DATABASE {1} ALLOW_CONNECTIONS true; COMMIT",
        quote_ident(database),
        quote_ident(name)
    );
    admin.batch_execute(&rename).await.map_err(|error| PgError::sql("giving the name back", error))
}

/// The exchange of the names: one transaction, the only point at which anything switches; it begins by leaving one that
/// failed. Before it commits it looks whether the names now mean the databases they should, by oid, and otherwise divides by
/// zero: one statement string costs one round trip of outage, and has no other way to stop.
fn statements(moves: &[Move], timeout_ms: u32) -> String {
    let mut statements = vec![
        "ROLLBACK".to_owned(),
        "BEGIN".to_owned(),
        format!("SET LOCAL lock_timeout = '{RENAME_LOCK_TIMEOUT}'"),
        format!("SET LOCAL statement_timeout = {timeout_ms}"),
    ];
    let mut expected = BTreeMap::new();
    for one in moves {
        let to = quote_ident(&one.to);
        statements.push(format!("ALTER DATABASE {} RENAME TO {to}", quote_ident(&one.from)));
        if let Mark::Becomes(comment) = &one.mark {
            let comment = comment.as_deref().map_or_else(|| "NULL".to_owned(), quote_literal);
            statements.push(format!("COMMENT ON DATABASE {to} IS {comment}"));
        }
        if let Some(access) = one.access {
            let limit = access.connection_limit.map_or(String::new(), |limit| format!("CONNECTION LIMIT {limit} "));
            statements.push(format!("ALTER DATABASE {to} WITH {limit}ALLOW_CONNECTIONS {}", access.allow_connections));
        }
        expected.insert(one.oid, format!("({}, {})", one.oid, quote_literal(&one.to)));
    }
    statements.push(format!(
        "SELECT 1 / (count(*) = {})::integer FROM pg_catalog.pg_database WHERE (oid, datname) IN ({})",
        expected.len(),
        expected.into_values().collect::<Vec<_>>().join(", ")
    ));
    statements.push("COMMIT".to_owned());
    statements.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::swap::moves::Access;

    fn rename(oid: u32, from: &str, to: &str) -> Move {
        Move { oid, from: from.into(), to: to.into(), mark: Mark::Stays, access: None, doomed: false }
    }

    #[test]
    fn all_names_change_between_begin_and_commit_and_are_checked_by_oid() {
        let live = Move { mark: Mark::Becomes(Some("old".into())), ..rename(5, "we\"ird", "old") };
        let copy = Move {
            mark: Mark::Becomes(Some("it's".into())),
            access: Some(Access { connection_limit: Some(7), allow_connections: false }),
            ..rename(9, "copy", "we\"ird")
        };
        let text = statements(&[live, copy], 10);
        let parts: Vec<&str> = text.split("; ").collect();
        assert_eq!((parts[1], parts[parts.len() - 1]), ("BEGIN", "COMMIT"));
        assert_eq!(parts[4], r#"ALTER DATABASE "we""ird" RENAME TO "old""#);
        assert_eq!(parts[6], r#"ALTER DATABASE "copy" RENAME TO "we""ird""#);
        assert_eq!(parts[7], r#"COMMENT ON DATABASE "we""ird" IS 'it''s'"#);
        assert_eq!(parts[8], r#"ALTER DATABASE "we""ird" WITH CONNECTION LIMIT 7 ALLOW_CONNECTIONS false"#);
        assert!(parts[9].ends_with(r#"IN ((5, 'old'), (9, 'we"ird'))"#), "{}", parts[9]);
    }

    #[test]
    fn a_database_that_steps_aside_is_expected_where_it_ends() {
        let text = statements(&[rename(2, "b", "aside"), rename(1, "a", "b"), rename(2, "aside", "a")], 0);
        assert!(text.contains("count(*) = 2"), "{text}");
        assert!(text.contains("IN ((1, 'b'), (2, 'a'))"), "{text}");
    }
}
