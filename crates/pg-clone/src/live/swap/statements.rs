//! The statements of the swap.

use std::collections::BTreeMap;

use crate::ident::{quote_ident, quote_literal};
use crate::live::swap::moves::{Mark, Move};

/// Most time the renames may wait for locks: nobody else should hold any.
const RENAME_LOCK_TIMEOUT: &str = "2s";

/// Closes the doors of these databases.
pub(super) fn close(databases: &[String]) -> String {
    databases
        .iter()
        .map(|database| format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", quote_ident(database)))
        .collect::<Vec<_>>()
        .join("; ")
}

/// The exchange of the names: one transaction, the only point at which anything switches, with `timeout_ms` for each of
/// its statements (0 for any time); it begins by leaving one that failed. Before it commits it looks whether the names now
/// mean the databases they should, by oid, and otherwise divides by zero: one statement string costs one round trip of
/// outage, and has no other way to stop.
pub(super) fn exchange(moves: &[Move], timeout_ms: u32) -> String {
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
        if let Some((limit, allow)) = one.access {
            let limit = limit.map_or(String::new(), |limit| format!("CONNECTION LIMIT {limit} "));
            statements.push(format!("ALTER DATABASE {to} WITH {limit}ALLOW_CONNECTIONS {allow}"));
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

    fn rename(oid: u32, from: &str, to: &str) -> Move {
        Move { oid, from: from.into(), to: to.into(), mark: Mark::Stays, access: None, doomed: false }
    }

    #[test]
    fn all_names_change_between_begin_and_commit_and_are_checked_by_oid() {
        let live = Move { mark: Mark::Becomes(Some("old".into())), ..rename(5, "we\"ird", "old") };
        let copy = Move {
            mark: Mark::Becomes(Some("it's".into())),
            access: Some((Some(7), false)),
            ..rename(9, "copy", "we\"ird")
        };
        let statements = exchange(&[live, copy], 10);
        let parts: Vec<&str> = statements.split("; ").collect();
        assert_eq!((parts[1], parts[parts.len() - 1]), ("BEGIN", "COMMIT"));
        assert_eq!(parts[4], r#"ALTER DATABASE "we""ird" RENAME TO "old""#);
        assert_eq!(parts[6], r#"ALTER DATABASE "copy" RENAME TO "we""ird""#);
        assert_eq!(parts[7], r#"COMMENT ON DATABASE "we""ird" IS 'it''s'"#);
        assert_eq!(parts[8], r#"ALTER DATABASE "we""ird" WITH CONNECTION LIMIT 7 ALLOW_CONNECTIONS false"#);
        assert!(parts[9].ends_with(r#"IN ((5, 'old'), (9, 'we"ird'))"#), "{}", parts[9]);
        assert_eq!(close(&["copy".into()]), r#"ALTER DATABASE "copy" ALLOW_CONNECTIONS false"#);
    }

    #[test]
    fn a_database_that_steps_aside_is_expected_where_it_ends() {
        let statements = exchange(&[rename(2, "b", "aside"), rename(1, "a", "b"), rename(2, "aside", "a")], 0);
        assert!(statements.contains("count(*) = 2"), "{statements}");
        assert!(statements.contains("IN ((1, 'b'), (2, 'a'))"), "{statements}");
    }
}
