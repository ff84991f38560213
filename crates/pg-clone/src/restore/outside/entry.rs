//! What `pg_restore` makes of one entry of an archive, which is more than the statements that stand in it.
//!
//! The functions that are named here are those of PostgreSQL's `pg_backup_archiver.c`.

use std::collections::BTreeSet;

use crate::restore::archive_toc::{self, ROWS, Whole, Written};
use crate::restore::outside::judge::{copies_rows, is_encoding, judge};
use crate::restore::outside::kind::{Content, Outside};
use crate::restore::outside::tokens::{Strings, Unreadable, statements};

/// The entry that says how strings are read, in all of the archive (`processStdStringsEntry`).
const STRINGS: &str = "STDSTRINGS";

/// The entry that says in which encoding all of the archive is (`processEncodingEntry`).
const ENCODING: &str = "ENCODING";

/// A large object, named by its number.
const LARGE_OBJECT: &str = "BLOB";

/// Many large objects, whose numbers stand where others have statements (`IssueCommandPerBlob`, PostgreSQL 17).
const LARGE_OBJECTS: &str = "BLOB METADATA";

/// What large objects hold.
const LARGE_OBJECT_DATA: &str = "BLOBS";

/// How the name of an entry begins that gives privileges on many large objects.
const NAMES_LARGE_OBJECTS: &str = "LARGE OBJECTS";

/// What privileges on large objects name before a number.
const BEFORE_NUMBER: &str = "LARGE OBJECT ";

/// What `pg_restore` does only with `--create`, which it never gets from us: making the database itself, its settings, and what
/// is said of it (`_tocEntryRequired`). Every archive has some of it.
pub(super) fn is_of_the_database(entry: &archive_toc::Entry) -> bool {
    let says = ["ACL", "COMMENT", "SECURITY LABEL"].contains(&entry.kind.as_str());
    ["DATABASE", "DATABASE PROPERTIES"].contains(&entry.kind.as_str()) || says && entry.name.starts_with("DATABASE ")
}

/// How strings are read in an archive with these entries.
pub(super) fn strings(entries: &[Whole]) -> Strings {
    let told = entries.iter().find(|one| one.written.entry.kind == STRINGS);
    told.and_then(|one| told_strings(&one.written)).unwrap_or(Strings::Standard)
}

fn told_strings(written: &Written) -> Option<Strings> {
    match written.made_by.trim() {
        "SET standard_conforming_strings = 'on';" => Some(Strings::Standard),
        "SET standard_conforming_strings = 'off';" => Some(Strings::Escaping),
        _ => None,
    }
}

/// Whether an entry names the encoding, and nothing else: `pg_restore` takes the first text in quotes for it.
fn tells_encoding(written: &Written) -> bool {
    let name = written.made_by.trim().strip_prefix("SET client_encoding = '").and_then(|rest| rest.strip_suffix("';"));
    name.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && is_encoding(name))
}

/// Everything that one entry does outside.
pub(super) fn of_entry(one: &Whole, content: Content, strings: Strings, entries: &[Whole]) -> BTreeSet<Outside> {
    let Whole { written, copied_by, .. } = one;
    let kind = written.entry.kind.as_str();
    let mut found = of_dropping(&written.dropped_by, strings);
    let is_plain = match kind {
        // What these two say, and nothing else, is how `pg_restore` reads the rest.
        STRINGS => told_strings(written) == Some(strings),
        ENCODING => tells_encoding(written),
        // What is written on them is put into statements as it is.
        LARGE_OBJECTS => written.made_by.trim_end_matches('\n').split('\n').all(is_number),
        LARGE_OBJECT if !is_number(&written.entry.name) => false,
        "ACL" if written.entry.name.starts_with(NAMES_LARGE_OBJECTS) => {
            found.extend(of_text(&written.made_by, strings));
            names_numbers(&written.made_by) && is_about_large_objects(written, entries)
        }
        _ => {
            found.extend(of_text(&written.made_by, strings));
            true
        }
    };
    let brings_rows = content == Content::Rows && kind == ROWS && is_copy(copied_by, strings);
    if !brings_rows {
        found.extend(of_text(copied_by, strings));
    }
    // What is no rows and no large object is sent as statements, which nobody has read.
    let is_known = brings_rows || content == Content::Rows && kind == LARGE_OBJECT_DATA;
    let is_told = !kind.chars().any(char::is_control);
    if !is_plain || !is_told || one.has_data && !is_known {
        found.insert(Outside::Commands);
    }
    found
}

pub(super) fn of_text(text: &str, strings: Strings) -> BTreeSet<Outside> {
    match statements(text, strings) {
        Ok(statements) => statements.iter().filter_map(|statement| judge(statement)).collect(),
        Err(Unreadable::Backslash) => BTreeSet::from([Outside::Programs]),
        Err(Unreadable::Unclear) => BTreeSet::from([Outside::Commands]),
    }
}

/// A statement that would drop something, which is not run; but what is behind its fifth byte stands in one that sets an owner
/// (`_getObjectDescription`).
fn of_dropping(text: &str, strings: Strings) -> BTreeSet<Outside> {
    const VERB_BYTES: usize = "DROP ".len();
    let mut found = of_text(text, strings);
    if !text.is_empty() {
        match text.get(VERB_BYTES..) {
            Some(object) => {
                let object = object.trim_end_matches(['\n', ';']);
                found.extend(of_text(&format!("ALTER {object} OWNER TO somebody;"), strings));
            }
            None => {
                found.insert(Outside::Commands);
            }
        }
    }
    found
}

fn is_copy(text: &str, strings: Strings) -> bool {
    statements(text, strings).is_ok_and(|statements| matches!(&statements[..], [one] if copies_rows(one)))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether privileges on large objects can be cut as `IssueACLPerBlob` cuts them, by looking for semicolons and for what comes
/// before a number, without regard for strings and comments.
fn names_numbers(text: &str) -> bool {
    let is_simple = !["'", "$", "--", "/*", "\\"].iter().any(|sign| text.contains(sign));
    is_simple
        && text.split(';').map(str::trim).filter(|one| !one.is_empty()).all(|one| {
            let mut behind = one.split(BEFORE_NUMBER).skip(1);
            let number = behind.next().is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
            number && behind.next().is_none()
        })
}

/// Whether the numbers that are put into its statements come from where only numbers are.
fn is_about_large_objects(written: &Written, entries: &[Whole]) -> bool {
    let Some(first) = written.entry.needs.first() else { return false };
    let mut named = entries.iter().map(|one| &one.written.entry).filter(|entry| entry.id == *first).peekable();
    named.peek().is_some() && named.all(|entry| entry.kind == LARGE_OBJECTS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::archive_toc::Entry;

    fn whole(kind: &str, made_by: &str, dropped_by: &str) -> Whole {
        let entry = Entry { id: 7, kind: kind.into(), schema: None, name: "n".into(), needs: Vec::new() };
        let written = Written { entry, made_by: made_by.into(), dropped_by: dropped_by.into() };
        Whole { written, copied_by: String::new(), has_data: false }
    }

    fn named(name: &str, one: Whole) -> Whole {
        let entry = Entry { name: name.into(), ..one.written.entry };
        Whole { written: Written { entry, ..one.written }, ..one }
    }

    fn found(one: &Whole) -> BTreeSet<Outside> {
        of_entry(one, Content::Schema, Strings::Standard, &[])
    }

    fn commands() -> BTreeSet<Outside> {
        BTreeSet::from([Outside::Commands])
    }

    #[test]
    fn every_text_of_an_entry_is_read() {
        let role = BTreeSet::from([Outside::Roles]);
        assert_eq!(found(&whole("TABLE", "CREATE TABLE t (); CREATE ROLE r;", "")), role);
        assert_eq!(found(&whole("FUNCTION", "", "DROP FUNCTION f(); ALTER ROLE r SUPERUSER;")), role);
        let copies = |text: &str| Whole { copied_by: text.into(), ..whole(ROWS, "", "") };
        assert_eq!(found(&copies("COPY t FROM PROGRAM 'true';")), BTreeSet::from([Outside::Programs]));
        assert_eq!(found(&whole("TABLE\nCREATE ROLE r;", "", "")), commands());
        assert_eq!(found(&whole("TABLE", "CREATE TABLE t ();", "DROP TABLE t;")), BTreeSet::new());
        assert_eq!(of_text("\\! true", Strings::Standard), BTreeSet::from([Outside::Programs]));
    }

    #[test]
    fn what_would_drop_is_read_as_what_sets_an_owner_too() {
        let dropped = |text: &str| found(&whole("FUNCTION", "", text));
        for (expected, text) in [
            (Outside::Roles, "SET \"ROLE r SUPERUSER; --\""),
            (Outside::Configuration, "SET \"SYSTEM SET work_mem = '1MB'; --\""),
            (Outside::Databases, "RESETDATABASE d"),
            (Outside::Commands, "SETé"),
        ] {
            assert!(dropped(text).contains(&expected), "{text}: {:?}", dropped(text));
        }
        for text in [
            "DROP FUNCTION public.f(integer);\n",
            "DROP SUBSCRIPTION s;",
            "DROP USER MAPPING IF EXISTS FOR r SERVER s;\n",
            "ALTER TABLE ONLY public.t DROP CONSTRAINT c;\n",
            "SELECT pg_catalog.lo_unlink('16387');\n",
            "",
        ] {
            assert_eq!(dropped(text), BTreeSet::new(), "{text}");
        }
    }

    #[test]
    fn strings_are_read_as_the_archive_says() {
        let says = |made_by: &str, dropped_by: &str, strings| {
            of_entry(&whole(STRINGS, made_by, dropped_by), Content::Schema, strings, &[])
        };
        let (on, off) = ("SET standard_conforming_strings = 'on';\n", "SET standard_conforming_strings = 'off';\n");
        assert_eq!(says(on, "", Strings::Standard), BTreeSet::new());
        assert_eq!(says(off, "", Strings::Escaping), BTreeSet::new());
        // Of two that differ nobody knows which counts.
        assert_eq!((says(on, "", Strings::Escaping), says(off, "", Strings::Standard)), (commands(), commands()));
        // `pg_restore` looks for the first quote.
        let first = "SET application_name = 'off'; SET standard_conforming_strings = 'on';";
        assert_eq!(says(first, "DROP TABLE t;", Strings::Standard), commands());
    }

    #[test]
    fn an_encoding_is_named_by_itself_and_has_no_quotes_within_characters() {
        assert_eq!(found(&whole(ENCODING, "SET client_encoding = 'UTF8';\n", "")), BTreeSet::new());
        for made_by in [
            "SET application_name = 'SJIS'; SET client_encoding = 'UTF8';",
            "SET client_encoding = 'SJIS';",
            "SET client_encoding = 'UTF8''';",
            "SET client_encoding TO 'UTF8';",
            "",
        ] {
            assert_eq!(found(&whole(ENCODING, made_by, "")), commands(), "{made_by}");
        }
    }

    #[test]
    fn what_follows_the_table_of_contents_is_rows_or_large_objects() {
        let with_data = |one: Whole| Whole { has_data: true, ..one };
        let copy = Whole { copied_by: "COPY public.t (a, \"B\") FROM stdin;\n".into(), ..whole(ROWS, "", "") };
        let judged = |one: &Whole, content| of_entry(one, content, Strings::Standard, &[]);
        assert_eq!(judged(&with_data(copy.clone()), Content::Rows), BTreeSet::new());
        assert_eq!(judged(&with_data(copy), Content::Schema), commands());
        assert_eq!(judged(&with_data(whole(LARGE_OBJECT_DATA, "", "")), Content::Rows), BTreeSet::new());
        // Rows as INSERT, and whatever else somebody puts there.
        for kind in [ROWS, "CHECK", "BLOB COMMENTS"] {
            assert_eq!(judged(&with_data(whole(kind, "", "")), Content::Rows), commands(), "{kind}");
        }
        for copied_by in ["COPY t FROM stdin; CREATE ROLE r;", "COPY t FROM stdin WHERE f()"] {
            let one = with_data(Whole { copied_by: copied_by.into(), ..whole(ROWS, "", "") });
            assert!(judged(&one, Content::Rows).contains(&Outside::Commands), "{copied_by}");
        }
    }

    #[test]
    fn large_objects_are_numbers() {
        assert_eq!(
            found(&named("16387", whole(LARGE_OBJECT, "SELECT pg_catalog.lo_create('16387');", ""))),
            BTreeSet::new()
        );
        assert_eq!(found(&named("1 OWNER TO x; DROP ROLE r", whole(LARGE_OBJECT, "", ""))), commands());
        assert_eq!(found(&whole(LARGE_OBJECTS, "1\n22\n", "SELECT pg_catalog.lo_unlink('1');")), BTreeSet::new());
        assert_eq!(found(&whole(LARGE_OBJECTS, "1\n2'); DROP ROLE r; --\n", "")), commands());
    }

    #[test]
    fn privileges_on_large_objects_are_cut_where_they_end() {
        let entries = [whole(LARGE_OBJECTS, "1\n2\n", "")];
        let judged = |text: &str, needs: &[u32]| {
            let mut one = named("LARGE OBJECTS 1..2", whole("ACL", text, ""));
            one.written.entry.needs = needs.to_vec();
            of_entry(&one, Content::Rows, Strings::Standard, &entries)
        };
        let usual = "REVOKE ALL ON LARGE OBJECT 1 FROM o;\nGRANT SELECT ON LARGE OBJECT 1 TO \"a b\";\n";
        assert_eq!(judged(usual, &[7]), BTreeSet::new());
        assert_eq!(judged(usual, &[8]), commands(), "numbers of nothing");
        for text in [
            "COMMENT ON TABLE t IS 'LARGE OBJECT 1; ALTER ROLE r SUPERUSER --LARGE OBJECT 1;';",
            "GRANT SELECT ON LARGE OBJECT \"x\" TO r;",
            "GRANT SELECT ON LARGE OBJECT 1 TO r, LARGE OBJECT 2;",
            "GRANT SELECT ON TABLE t TO r;",
        ] {
            assert!(judged(text, &[7]).contains(&Outside::Commands), "{text}");
        }
    }

    #[test]
    fn entries_that_only_create_would_run_are_not_read() {
        let entry = |kind: &str, name: &str| named(name, whole(kind, "", "")).written.entry;
        for (kind, name) in [("DATABASE", "d"), ("DATABASE PROPERTIES", "d"), ("ACL", "DATABASE d")] {
            assert!(is_of_the_database(&entry(kind, name)), "{kind} {name}");
        }
        for (kind, name) in [("ACL", "TABLE d"), ("TABLE", "DATABASE d"), ("DATABASE\n", "d"), ("ACL", "DATABASES")] {
            assert!(!is_of_the_database(&entry(kind, name)), "{kind} {name}");
        }
    }
}
