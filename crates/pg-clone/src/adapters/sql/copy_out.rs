//! The statement that reads a table's rows: one form, so that rows read twice are the same text.

use crate::ident::quote_ident;

/// What every session sets that reads rows as text, so that their form does not depend on anybody's configuration and nothing
/// is left out silently (`row_security=off` makes a policy an error instead of fewer rows).
pub(crate) const SESSION_SETTINGS: &str = "SET datestyle = ISO; SET intervalstyle = postgres; SET timezone = 'UTC'; \
    SET extra_float_digits = 3; SET bytea_output = hex; SET xmloption = content; SET synchronize_seqscans = off; \
    SET row_security = off; SET jit = off; SET max_parallel_workers_per_gather = 0; SET enable_tidscan = on; \
    SET idle_in_transaction_session_timeout = 0; SET search_path = ''";

/// `COPY` of `columns` of one table alone, without those that inherit from it. Columns are named, so that a dropped or generated
/// one cannot shift the others; `condition` comes with its `WHERE`.
pub(crate) fn copy_out(table: &str, columns: &[String], condition: &str) -> String {
    let columns = listed(columns);
    if !condition.is_empty() {
        return format!("COPY (SELECT {columns} FROM ONLY {table} {condition}) TO STDOUT");
    }
    if columns.is_empty() {
        return format!("COPY {table} TO STDOUT");
    }
    format!("COPY {table} ({columns}) TO STDOUT")
}

/// Columns as a statement lists them.
pub(crate) fn listed(columns: &[String]) -> String {
    columns.iter().map(|column| quote_ident(column)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_and_conditions_kept() {
        let columns = ["x".to_owned(), "Y".to_owned()];
        assert_eq!(copy_out(r#""s"."t""#, &columns, ""), r#"COPY "s"."t" ("x", "Y") TO STDOUT"#);
        assert_eq!(copy_out(r#""s"."t""#, &[], ""), r#"COPY "s"."t" TO STDOUT"#);
        assert_eq!(
            copy_out(r#""s"."t""#, &columns[..1], "WHERE x > 1"),
            r#"COPY (SELECT "x" FROM ONLY "s"."t" WHERE x > 1) TO STDOUT"#
        );
    }
}
