//! Names that PostgreSQL would shorten to 63 bytes without an error, so that two tables become one.

use std::collections::BTreeMap;

use super::postgres::{Link, said};
use crate::error::{ObjectError, ObjectResult};
use crate::names;
use crate::target::Restoring;

/// Refuses types whose tables or columns the server would call otherwise.
///
/// # Errors
/// [`ObjectError::Names`]; what the server says.
pub(super) fn kept(link: &Link, types: &[Restoring]) -> ObjectResult<()> {
    let failed = |error| ObjectError::target("read", &link.name, said(error));
    decided(types, &link.called(&all(types))?.map_err(failed)?)
}

fn all(types: &[Restoring]) -> Vec<&str> {
    let tables = types.iter().map(|restoring| restoring.key.table.as_str());
    let columns = types.iter().flat_map(|restoring| &restoring.columns).map(|column| column.name.as_str());
    tables.chain(columns).collect()
}

/// `called` says what the server makes of each name.
fn decided(types: &[Restoring], called: &BTreeMap<String, String>) -> ObjectResult<()> {
    let called = |name: &str| called.get(name).map_or(name, String::as_str).to_owned();
    if let Some((first, second, name)) = names::shared(types, |restoring| called(&restoring.key.table)) {
        let why = if first.table == second.table { "" } else { ": PostgreSQL shortens longer names" };
        return Err(names::one_place(first, second, &format!("table `{name}`"), why));
    }
    for restoring in types {
        let table = &restoring.key.table;
        let cut = |what: &str, name: &str| {
            let what = format!("PostgreSQL would shorten its {what} `{name}` to `{}`", called(name));
            Err(names::not_as_it_is(&restoring.key, &what))
        };
        // A table of the shorter name may be there, and be another's.
        if called(table) != *table {
            return cut("table", table);
        }
        if let Some(column) = restoring.columns.iter().find(|column| called(&column.name) != column.name) {
            return cut("column", &column.name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detail::Column;
    use crate::type_key::TypeKey;

    fn restoring(type_name: &str, table: &str, columns: &[&str]) -> Restoring {
        let columns = columns.iter().map(|name| Column { name: (*name).to_owned(), derived: true }).collect();
        Restoring { key: TypeKey::new(type_name, table).unwrap(), records: 1, columns }
    }

    #[test]
    fn w7_names_that_postgres_would_cut_are_refused() {
        let [first, second] = ["1", "2"].map(|end| format!("{}{end}", "n".repeat(63)));
        let called = [&first, &second].map(|name| (name.clone(), name[..63].to_owned())).into();
        let refused = |types: &[Restoring]| decided(types, &called).unwrap_err().to_string();
        let said = refused(&[restoring("A", &first, &[]), restoring("B", &second, &[])]);
        assert!(said.contains(&format!("would share the table `{}`: PostgreSQL shortens", &first[..63])), "{said}");
        let said = refused(&[restoring("A", &first, &[])]);
        assert!(said.contains(&format!("its table `{first}` to `{}`", &first[..63])), "{said}");
        assert!(refused(&[restoring("A", "a", &["b", &second])]).contains("its column"));
        assert!(
            refused(&[restoring("A", "t", &[]), restoring("B", "t", &[])]).contains("share the table `t`; nothing")
        );
        decided(&[restoring("A", "Users", &["x", "X"]), restoring("A", "users", &["ID"])], &called).unwrap();
    }
}
