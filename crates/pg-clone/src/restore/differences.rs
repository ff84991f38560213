//! The last check of a restore: whether the database holds what was dumped.

use std::collections::BTreeMap;

use crate::adapters::connection::Session;
use crate::adapters::sql::indexes;
use crate::error::{PgError, PgResult};
use crate::stored::detail::TableDump;

/// Differences listed in an error.
const DIFFERENCES_SHOWN: usize = 5;

/// Compares what the server took with what was dumped.
pub(crate) fn check_rows(tables: &[TableDump], loaded: &BTreeMap<usize, u64>) -> PgResult<()> {
    refuse_differences(differences(tables, loaded))
}

fn differences(tables: &[TableDump], loaded: &BTreeMap<usize, u64>) -> Vec<String> {
    let difference = |(at, table): (usize, &TableDump)| {
        let rows = loaded.get(&at).copied().unwrap_or_default();
        (rows != table.data.rows)
            .then(|| format!("`{}.{}` has {rows} of {} rows", table.schema, table.name, table.data.rows))
    };
    tables.iter().enumerate().filter_map(difference).collect()
}

/// Compares what the server took with what was dumped, and looks for indexes that did not become valid.
pub(crate) async fn check(session: &Session, tables: &[TableDump], loaded: &BTreeMap<usize, u64>) -> PgResult<()> {
    let mut differences = differences(tables, loaded);
    let invalid = indexes::invalid(session).await?;
    differences.extend(invalid.iter().map(|index| format!("the index `{index}` is not valid")));
    refuse_differences(differences)
}

/// An error that names the differences, if there are any.
pub(crate) fn refuse_differences(mut differences: Vec<String>) -> PgResult<()> {
    if differences.is_empty() {
        return Ok(());
    }
    let more = differences.len().saturating_sub(DIFFERENCES_SHOWN);
    differences.truncate(DIFFERENCES_SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(PgError::Mismatch { what: format!("{}{more}", differences.join(", ")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_differences_are_named_and_the_others_counted() {
        refuse_differences(Vec::new()).unwrap();
        let error = refuse_differences((1..=7).map(|at| format!("t{at} differs")).collect()).unwrap_err().to_string();
        assert!(error.contains("t1 differs, ") && error.ends_with("t5 differs and 2 more"), "{error}");
    }
}
