//! The statements of the switch.

use jiff::Timestamp;

use crate::ident::{quote_ident, quote_literal};
use crate::state::{Live, State};

/// Most time the renames may wait for locks: nobody else should hold any.
const RENAME_LOCK_TIMEOUT: &str = "2s";

/// Closes the door of the live database, if there is one, and of the copy.
pub(super) fn close(live: Option<&str>, copy: &str) -> String {
    let databases = live.into_iter().chain([copy]);
    databases
        .map(|database| format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", quote_ident(database)))
        .collect::<Vec<_>>()
        .join("; ")
}

/// The exchange of the names.
#[derive(Debug)]
pub(super) struct Rename<'a> {
    pub(super) target: &'a str,
    pub(super) copy: &'a str,
    pub(super) copy_oid: u32,
    /// The live database, and the name it gets.
    pub(super) live: Option<(&'a Live, &'a str)>,
    pub(super) comment: Option<&'a str>,
    pub(super) connection_limit: i32,
}

impl Rename<'_> {
    /// One transaction, the only point at which anything switches, with `timeout_ms` for each of its statements (0 for any
    /// time); it begins by leaving one that failed. Before it commits it looks whether the names now
    /// mean the databases they should, by oid, and otherwise divides by zero: one statement string costs one round trip
    /// of outage, and has no other way to stop.
    pub(super) fn statements(&self, now: Timestamp, timeout_ms: u32) -> String {
        let target = quote_ident(self.target);
        let mut statements = vec![
            "ROLLBACK".to_owned(),
            "BEGIN".to_owned(),
            format!("SET LOCAL lock_timeout = '{RENAME_LOCK_TIMEOUT}'"),
            format!("SET LOCAL statement_timeout = {timeout_ms}"),
        ];
        let mut expected = vec![format!("({}, {})", self.copy_oid, quote_literal(self.target))];
        if let Some((live, old_name)) = self.live {
            let old = quote_ident(old_name);
            let state = State::Superseded {
                target: self.target.to_owned(),
                by: self.copy_oid,
                comment: self.comment.map(ToOwned::to_owned),
                since: now,
            };
            statements.push(format!("ALTER DATABASE {target} RENAME TO {old}"));
            statements.push(format!("COMMENT ON DATABASE {old} IS {}", quote_literal(&state.to_comment())));
            expected.push(format!("({}, {})", live.oid, quote_literal(old_name)));
        }
        statements.push(format!("ALTER DATABASE {} RENAME TO {target}", quote_ident(self.copy)));
        let comment = self.comment.map_or_else(|| "NULL".to_owned(), quote_literal);
        statements.push(format!("COMMENT ON DATABASE {target} IS {comment}"));
        let (limit, allow) = (self.connection_limit, self.live.is_none_or(|(live, _)| live.allow_connections));
        statements.push(format!("ALTER DATABASE {target} WITH CONNECTION LIMIT {limit} ALLOW_CONNECTIONS {allow}"));
        statements.push(format!(
            "SELECT 1 / (count(*) = {})::integer FROM pg_catalog.pg_database WHERE (oid, datname) IN ({})",
            expected.len(),
            expected.join(", ")
        ));
        statements.push("COMMIT".to_owned());
        statements.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_change_between_begin_and_commit_and_are_checked_by_oid() {
        let live = Live { oid: 5, allow_connections: false };
        let rename = Rename {
            target: "we\"ird",
            copy: "copy",
            copy_oid: 9,
            live: Some((&live, "old")),
            comment: Some("it's"),
            connection_limit: 7,
        };
        let statements = rename.statements(Timestamp::UNIX_EPOCH, 10);
        let parts: Vec<&str> = statements.split("; ").collect();
        assert_eq!((parts[1], parts[parts.len() - 1]), ("BEGIN", "COMMIT"));
        assert_eq!(parts[4], r#"ALTER DATABASE "we""ird" RENAME TO "old""#);
        assert_eq!(parts[6], r#"ALTER DATABASE "copy" RENAME TO "we""ird""#);
        assert_eq!(parts[7], r#"COMMENT ON DATABASE "we""ird" IS 'it''s'"#);
        assert_eq!(parts[8], r#"ALTER DATABASE "we""ird" WITH CONNECTION LIMIT 7 ALLOW_CONNECTIONS false"#);
        assert!(parts[9].ends_with(r#"IN ((9, 'we"ird'), (5, 'old'))"#), "{}", parts[9]);
        assert_eq!(close(None, "copy"), r#"ALTER DATABASE "copy" ALLOW_CONNECTIONS false"#);
    }
}
