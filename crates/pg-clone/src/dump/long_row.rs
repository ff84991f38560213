//! Rows that are too long for the server to copy.
//!
//! COPY writes a row as one text, of which the server makes none of 1 GiB (`MaxAllocSize`), while a row can hold more: a
//! `bytea` takes two digits for each of its bytes, a backslash or line end in `text` two characters. `pg_dump` fails on such a
//! row too. What could be written can be read again: the same limit holds for the row that a server reads.

use crate::error::PgError;

/// SQLSTATE and words of the server's two ways to say so (`enlargeStringInfo` and `palloc`).
const SAYINGS: [(&str, &str); 2] =
    [("54000", "Cannot enlarge string buffer"), ("XX000", "invalid memory alloc request size")];

/// Says which table has such a row and what to do, if that is what `error` is about.
pub(crate) fn explained(table: &str, error: PgError) -> PgError {
    let PgError::Sql { sqlstate, message, .. } = &error else { return error };
    if !SAYINGS.iter().any(|(code, words)| sqlstate == code && message.contains(words)) {
        return error;
    }
    PgError::RowTooLong { table: table.to_owned(), message: message.clone() }
}

#[cfg(test)]
mod tests {
    use backup_core::Failure;

    use super::*;

    #[test]
    fn only_what_is_about_the_length_is_explained() {
        let sql = |sqlstate: &str, message: &str| PgError::Sql {
            doing: "copying the rows of `s.t`".into(),
            message: message.into(),
            sqlstate: sqlstate.into(),
            help: None,
        };
        for (sqlstate, message) in [
            ("XX000", "invalid memory alloc request size 1200000003"),
            ("54000", "out of memory; Cannot enlarge string buffer containing 5 bytes by 9 more bytes."),
        ] {
            let error = explained("s.t", sql(sqlstate, message));
            assert!(
                error.to_string().contains("`s.t`")
                    && error.remedy().is_some_and(|help| help.to_string().contains("s.t")),
                "{error}"
            );
        }
        for (sqlstate, message) in [("XX000", "cache lookup failed"), ("53200", "out of memory")] {
            assert!(matches!(explained("s.t", sql(sqlstate, message)), PgError::Sql { .. }));
        }
    }
}
