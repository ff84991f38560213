//! Workers of one restore that stand in each other's way.
//!
//! What several jobs do at once can take locks that nobody sees in the dump: of an event trigger that looks at other tables,
//! or of a function in an index. The server then ends one of them, and what it was about is made without the others.

use crate::error::PgError;

/// What a server says, and the SQLSTATE it has.
const SAID: [(&str, &str); 5] = [
    ("deadlock detected", "40P01"),
    ("canceling statement due to lock timeout", "55P03"),
    ("could not obtain lock on", "55P03"),
    // Internal errors of PostgreSQL's, XX000 like any other.
    ("tuple concurrently updated", ""),
    ("tuple concurrently deleted", ""),
];

/// The server's words for it, if there are such in what was said.
pub(super) fn in_words(said: &str) -> Option<&'static str> {
    SAID.iter().map(|(words, _)| *words).find(|words| said.contains(words))
}

/// The same of an error: of a session of ours, or of a `pg_restore` that said more than could be understood.
pub(super) fn of_error(error: &PgError) -> Option<&'static str> {
    match error {
        PgError::Sql { sqlstate, message, .. } => {
            let by_state = SAID.iter().find(|(_, state)| *state == sqlstate.as_str()).map(|(words, _)| *words);
            in_words(message).or(by_state)
        }
        PgError::Tool { help, .. } => in_words(&help.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clash_is_known_by_its_state_and_by_its_words() {
        let sql = |sqlstate: &str, message: &str| PgError::Sql {
            doing: "loading".to_owned(),
            message: message.to_owned(),
            sqlstate: sqlstate.to_owned(),
            help: None,
        };
        assert_eq!(of_error(&sql("40P01", "Verklemmung entdeckt")), Some("deadlock detected"));
        assert_eq!(of_error(&sql("XX000", "tuple concurrently updated")), Some("tuple concurrently updated"));
        assert_eq!(of_error(&sql("23505", "duplicate key value violates unique constraint")), None);
        let tool = |said: &'static str| PgError::Tool { program: String::new(), how: String::new(), help: said.into() };
        assert_eq!(of_error(&tool("ERROR:  deadlock detected; DETAIL: …")), Some("deadlock detected"));
        assert_eq!(of_error(&tool("ERROR:  relation \"t\" does not exist")), None);
        assert_eq!(of_error(&PgError::Interrupted), None);
    }
}
