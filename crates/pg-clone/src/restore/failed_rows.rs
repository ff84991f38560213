//! Which tables' rows the messages of a `pg_restore` are about, of a file that holds rows.

use std::collections::BTreeMap;

use crate::ident::QualifiedName;
use crate::restore::archive_toc::{ROWS, Written};
use crate::restore::failed_entry::{FailedEntry, refusal};
use crate::restore::messages::Message;
use crate::restore::unrestored::Unrestored;

/// A table whose rows may be those that the server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailedRows {
    pub(crate) entry: FailedEntry,
    pub(crate) table: QualifiedName,
    /// Whether it is one of those. The rows of a table that the server refused are all missing.
    pub(crate) is_certain: bool,
}

/// The tables that `messages` are about, of those whose rows were to be loaded; none if a message is about something else.
pub(crate) fn failed_rows(messages: &[Message], written: &[Written]) -> Option<Vec<FailedRows>> {
    let mut by_table: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for message in messages {
        by_table.entry(message.refused_table()?).or_default().push(refusal(message)?);
    }
    let mut failed = Vec::new();
    for (table, mut said) in by_table {
        let is_meant = |one: &&Written| one.entry.kind == ROWS && one.entry.name == table;
        let candidates: Vec<&Written> = written.iter().filter(is_meant).collect();
        if candidates.len() < said.len() {
            return None;
        }
        let is_certain = candidates.len() == said.len();
        if !is_certain {
            // Of which of them it was said, nobody knows.
            said.dedup();
            said = vec![said.join("; "); candidates.len()];
        }
        failed.extend(candidates.into_iter().zip(said).map(|(one, said)| FailedRows {
            entry: FailedEntry { id: one.entry.id, object: Unrestored::new(one.entry.label(), said), again: true },
            table: QualifiedName::new(one.entry.schema.clone().unwrap_or_default(), table),
            is_certain,
        }));
    }
    Some(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::archive_toc::Entry;
    use crate::restore::messages::{Expectations, classify};

    fn rows(id: u32, schema: &str, name: &str) -> Written {
        let entry = Entry {
            id,
            kind: ROWS.to_owned(),
            schema: Some(schema.to_owned()),
            name: name.to_owned(),
            needs: Vec::new(),
        };
        Written { entry, made_by: String::new(), dropped_by: String::new() }
    }

    fn messages(tables: &[&str]) -> Vec<Message> {
        let said = tables.iter().map(|table| {
            format!(
                "pg_restore: error: COPY failed for table \"{table}\": ERROR:  no f()\nCONTEXT:  COPY {table}, line 1\n"
            )
        });
        classify(&said.collect::<String>(), &Expectations::default()).fatal
    }

    #[test]
    fn a_table_is_known_by_its_name_and_one_of_several_is_not() {
        let archive = [rows(1, "a", "posts"), rows(2, "b", "posts"), rows(3, "a", "tags")];
        let failed = |tables: &[&str]| failed_rows(&messages(tables), &archive);
        let tags = &failed(&["tags"]).unwrap()[0];
        assert!(tags.is_certain && tags.entry.id == 3 && tags.table == QualifiedName::new("a", "tags"));
        assert_eq!(tags.entry.object, Unrestored::new("rows of a.tags", "no f(); CONTEXT:  COPY tags, line 1"));
        let both: Vec<_> =
            failed(&["posts", "posts"]).unwrap().iter().map(|one| (one.entry.id, one.is_certain)).collect();
        assert_eq!(both, [(1, true), (2, true)]);
        let one: Vec<_> = failed(&["posts"]).unwrap().iter().map(|one| (one.entry.id, one.is_certain)).collect();
        assert_eq!(one, [(1, false), (2, false)]);
        assert_eq!(failed(&["others"]), None);
        assert_eq!(failed(&["tags", "tags"]), None);
    }

    #[test]
    fn what_the_server_has_no_room_for_is_no_refusal() {
        let said =
            "pg_restore: error: COPY failed for table \"t\": ERROR:  could not extend file: No space left on device\n";
        let fatal = classify(said, &Expectations::default()).fatal;
        assert_eq!(fatal[0].refused_table(), Some("t"));
        assert_eq!(failed_rows(&fatal, &[rows(1, "a", "t")]), None);
    }
}
