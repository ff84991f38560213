//! A log event for each statement: its kind, how long it took, and what the server said; never its values.

use std::future::Future;
use std::time::Instant;

use tokio_postgres::Error;

/// Words that belong to the kind of a statement when they follow its first one. No name and no value is among them.
const SECOND_WORDS: [&str; 14] = [
    "CONSTRAINTS",
    "DATABASE",
    "EXTENSION",
    "INDEX",
    "ISOLATION",
    "MATERIALIZED",
    "ON",
    "PREPARED",
    "ROLE",
    "SCHEMA",
    "SEQUENCE",
    "SUBSCRIPTION",
    "TABLE",
    "VIEW",
];

/// Does it, and says in the log that and how.
pub(super) async fn told<T>(statement: &str, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let begun = Instant::now();
    let done = work.await;
    let statement = kind(statement);
    let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    match &done {
        Ok(_) => tracing::debug!(target: "pg_clone::sql", statement, ms, "done"),
        Err(error) => {
            let sqlstate = error.code().map_or("none", |code| code.code());
            tracing::debug!(target: "pg_clone::sql", statement, ms, sqlstate, "failed");
        }
    }
    done
}

/// `SELECT`, `COPY`, `ALTER DATABASE`: what a statement is, without anything it is about.
fn kind(statement: &str) -> &str {
    let statement = statement.trim_start();
    let is_of_word = |c: char| c.is_ascii_uppercase();
    let first = statement.find(|c| !is_of_word(c)).unwrap_or(statement.len());
    let rest = statement[first..].strip_prefix(' ').unwrap_or_default();
    let second = &rest[..rest.find(|c| !is_of_word(c)).unwrap_or(rest.len())];
    match SECOND_WORDS.contains(&second) {
        true => &statement[..first + 1 + second.len()],
        false => &statement[..first],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_statement_holds_no_name_and_no_value() {
        for (statement, expected) in [
            ("SELECT 1", "SELECT"),
            ("  COPY \"s\".\"t\" TO STDOUT", "COPY"),
            ("ALTER DATABASE \"shop\" RENAME TO \"x\"", "ALTER DATABASE"),
            ("COMMENT ON DATABASE \"shop\" IS 'hush'", "COMMENT ON"),
            ("BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN ISOLATION"),
            ("SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS"),
            ("DELETE FROM SECRET", "DELETE"),
            ("ROLLBACK", "ROLLBACK"),
            ("update t set a = 'hush'", ""),
            ("", ""),
            ("É", ""),
        ] {
            assert_eq!(kind(statement), expected, "{statement}");
        }
    }
}
