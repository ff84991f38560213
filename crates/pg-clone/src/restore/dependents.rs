//! Extensions, and what stands or falls with them. Pure decisions.

use std::collections::BTreeSet;

use backup_core::failure::Setting;
use backup_core::remedy;

use crate::error::{Obstacle, Problem};
use crate::restore::archive_toc::Entry;
use crate::stored::detail::DumpDetail;

/// Kinds of entries that say something of another one.
const SAYINGS: [&str; 3] = ["ACL", "COMMENT", "SECURITY LABEL"];

/// Kinds of entries that have columns, values or rows.
const RELATIONS: [&str; 4] = ["TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE"];

/// An extension that a server has only in the database of one name, and so not in a copy that is still to get it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) extension: &'static str,
    /// The schema that it makes for itself, with the tables whose rows are dumped.
    schema: &'static str,
    /// The server's parameter that says which database.
    pub(crate) parameter: &'static str,
}

/// Those that are known.
const BOUND: [Bound; 1] = [Bound { extension: "pg_cron", schema: "cron", parameter: "cron.database_name" }];

/// Those of a dump.
pub(crate) fn bound(detail: &DumpDetail) -> Vec<Bound> {
    let has = |bound: &&Bound| detail.extensions.iter().any(|extension| extension.name == bound.extension);
    BOUND.iter().filter(has).copied().collect()
}

/// What stands against making it in `target` where the server names `database`, or none where it does not have it loaded.
pub(crate) fn not_there(bound: Bound, target: &str, database: Option<&str>) -> Option<Problem> {
    let Bound { extension, parameter, .. } = bound;
    let (what, help) = match database {
        Some(database) if database == target => return None,
        Some(database) => (
            format!("the server has the extension `{extension}` only in the database `{database}`, not in `{target}`"),
            format!("set {parameter} to the database's name and restart the server"),
        ),
        None => (
            format!("the server has not loaded the extension `{extension}`"),
            "add it to shared_preload_libraries and restart the server".to_owned(),
        ),
    };
    let help = remedy![help, ", or leave it out with ", Setting::ExcludeExtension.with(extension.to_owned())];
    Some(Problem::new(Obstacle::MissingOnServer, what, help))
}

/// Extensions, and everything that cannot be without them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dependents<'a> {
    /// Entries of the archive, by number.
    pub(crate) ids: BTreeSet<u32>,
    /// Relations that are no extension's, by schema and name.
    relations: BTreeSet<(&'a str, &'a str)>,
    /// Schemas of extensions' own.
    schemas: BTreeSet<&'static str>,
}

impl<'a> Dependents<'a> {
    /// Of the extensions of these names.
    pub(crate) fn of(entries: &'a [Entry], extensions: &[&str]) -> Self {
        let schemas: BTreeSet<&'static str> =
            BOUND.iter().filter(|bound| extensions.contains(&bound.extension)).map(|bound| bound.schema).collect();
        // What is said of an extension's own objects needs objects that no entry makes.
        let is_of_schema = |entry: &Entry| {
            SAYINGS.contains(&entry.kind.as_str())
                && schemas.iter().any(|schema| {
                    entry.schema.as_deref() == Some(*schema) || entry.name.strip_prefix("SCHEMA ") == Some(*schema)
                })
        };
        let is_it = |entry: &Entry| entry.kind == "EXTENSION" && extensions.contains(&entry.name.as_str());
        let mut ids: BTreeSet<u32> =
            entries.iter().filter(|entry| is_it(entry) || is_of_schema(entry)).map(|entry| entry.id).collect();
        loop {
            let needs_one = |entry: &&Entry| entry.needs.iter().any(|need| ids.contains(need));
            let more: Vec<u32> = entries
                .iter()
                .filter(|entry| !ids.contains(&entry.id))
                .filter(needs_one)
                .map(|entry| entry.id)
                .collect();
            if more.is_empty() {
                break;
            }
            ids.extend(more);
        }
        let relations = entries.iter().filter(|entry| ids.contains(&entry.id));
        let relations = relations.filter(|entry| RELATIONS.contains(&entry.kind.as_str()));
        let relations = relations.filter_map(|entry| Some((entry.schema.as_deref()?, entry.name.as_str()))).collect();
        Self { ids, relations, schemas }
    }

    /// Whether a relation of this name is among them.
    pub(crate) fn holds(&self, schema: &str, name: &str) -> bool {
        self.relations.contains(&(schema, name)) || self.schemas.contains(schema)
    }

    /// What of a dump is among them, and what is not.
    pub(crate) fn part(&self, detail: &DumpDetail) -> (DumpDetail, DumpDetail) {
        let (mut with, mut without) = (detail.clone(), detail.clone());
        with.tables.retain(|table| self.holds(&table.schema, &table.name));
        without.tables.retain(|table| !self.holds(&table.schema, &table.name));
        with.sequences.retain(|sequence| self.holds(&sequence.schema, &sequence.name));
        without.sequences.retain(|sequence| !self.holds(&sequence.schema, &sequence.name));
        with.matviews.retain(|view| self.holds(&view.schema, &view.name));
        without.matviews.retain(|view| !self.holds(&view.schema, &view.name));
        with.large_objects = None;
        (with, without)
    }

    /// What somebody wants to know of who leaves them out: whatever is no extension itself, and not only said of something.
    pub(crate) fn others(&self, entries: &'a [Entry]) -> impl Iterator<Item = &'a Entry> {
        let told = |entry: &&Entry| entry.kind != "EXTENSION" && !SAYINGS.contains(&entry.kind.as_str());
        entries.iter().filter(|entry| self.ids.contains(&entry.id)).filter(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u32, kind: &str, schema: Option<&str>, name: &str, needs: &[u32]) -> Entry {
        Entry { id, kind: kind.into(), schema: schema.map(Into::into), name: name.into(), needs: needs.to_vec() }
    }

    fn entries() -> Vec<Entry> {
        vec![
            entry(2, "EXTENSION", None, "pg_cron", &[]),
            entry(3, "COMMENT", None, "EXTENSION pg_cron", &[2]),
            entry(4, "VIEW", Some("public"), "jobs", &[2]),
            entry(5, "VIEW", Some("public"), "of_jobs", &[4]),
            entry(6, "TABLE", Some("public"), "t", &[]),
            entry(7, "ACL", None, "SCHEMA cron", &[90]),
            entry(8, "ACL", Some("cron"), "TABLE job", &[91]),
            entry(9, "ACL", Some("public"), "TABLE t", &[6]),
            entry(10, "EXTENSION", None, "hstore", &[]),
        ]
    }

    #[test]
    fn whatever_needs_an_extension_goes_with_it() {
        let entries = entries();
        let found = Dependents::of(&entries, &["pg_cron"]);
        assert_eq!(found.ids, BTreeSet::from([2, 3, 4, 5, 7, 8]));
        assert!(found.holds("public", "of_jobs") && found.holds("cron", "job") && !found.holds("public", "t"));
        let others: Vec<_> = found.others(&entries).map(Entry::label).collect();
        assert_eq!(others, ["view public.jobs", "view public.of_jobs"]);
        assert_eq!(Dependents::of(&entries, &["hstore"]).ids, BTreeSet::from([10]));
    }

    #[test]
    fn an_extension_is_made_only_where_the_server_has_it() {
        assert!(not_there(BOUND[0], "shop", Some("shop")).is_none());
        let elsewhere = not_there(BOUND[0], "shop", Some("postgres")).unwrap();
        assert!(elsewhere.what.contains("only in the database `postgres`"), "{}", elsewhere.what);
        assert!(elsewhere.help.to_string().contains("cron.database_name"));
        assert!(not_there(BOUND[0], "shop", None).unwrap().what.contains("not loaded"));
    }
}
