//! What an archive's statements would do outside of the new database, or run on the server: found before anything is made.
//!
//! `pg_dump` writes statements that make something in one database. Whoever can write to the location can put others into an
//! archive, and `pg_restore` sends what it is given, with the rights of the restoring role. What functions do when they are
//! called, no reader can tell: that is why a restore is better not run by a superuser.

mod judge;
mod kind;
mod tokens;

use std::collections::BTreeSet;

use backup_core::failure::Setting;
use backup_core::remedy;

use crate::error::{Obstacle, PgError, PgResult, Problem};
use crate::restore::archive_toc::{self, Written};
use crate::restore::outside::judge::judge;
pub use crate::restore::outside::kind::Outside;
use crate::restore::outside::tokens::{Strings, Unreadable, statements};

/// A statement that acts outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acting {
    pub(crate) outside: Outside,
    /// The entry it is in, for people.
    pub(crate) entry: String,
}

/// Entries that are told; more would not help anybody.
const TOLD_MAX: usize = 5;

/// Refuses an archive that acts outside of the new database but for what is `allowed`.
///
/// # Errors
/// [`PgError::Obstacle`]; [`PgError::Integrity`] for an archive that cannot be read.
pub(crate) fn refuse(archive: &[u8], dump: &str, allowed: &BTreeSet<Outside>) -> PgResult<()> {
    let acting = acting(archive).map_err(|what| PgError::Integrity {
        dump: dump.to_owned(),
        what: format!("the schema archive's table of contents cannot be read: {what}"),
    })?;
    let refused: Vec<&Acting> = acting.iter().filter(|acting| !allowed.contains(&acting.outside)).collect();
    match problem(&refused) {
        Some(problem) => Err(problem.against(&format!("`{dump}` cannot be restored"))),
        None => Ok(()),
    }
}

/// What stands against a restore of statements that nobody has allowed.
fn problem(refused: &[&Acting]) -> Option<Problem> {
    let kinds: BTreeSet<Outside> = refused.iter().map(|acting| acting.outside).collect();
    let mut told: Vec<String> = Vec::new();
    for acting in refused {
        let line = format!("{} {}", acting.entry, acting.outside.does());
        if !told.contains(&line) {
            told.push(line);
        }
    }
    let more = told.len().saturating_sub(TOLD_MAX);
    told.truncate(TOLD_MAX);
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    let mut help = remedy!["if you trust whoever wrote the dump, use "];
    for (at, kind) in kinds.iter().enumerate() {
        let between = if at == 0 { "" } else { " and " };
        help = help.and(remedy![between, Setting::AllowOutside.with(kind.name().to_owned())]);
    }
    let what = format!("its schema acts outside of the new database: {}", told.join("; "));
    (!kinds.is_empty()).then(|| Problem::new(Obstacle::ActsOutside, what, help))
}

/// Everything in an archive that acts outside of a new database.
pub(crate) fn acting(archive: &[u8]) -> Result<Vec<Acting>, String> {
    let written = archive_toc::parse_all(archive)?;
    let mut told = written.iter().filter(|(written, _)| written.entry.kind == STRINGS);
    let strings = told.next().and_then(|(written, _)| told_strings(written)).unwrap_or(Strings::Standard);
    let mut acting = Vec::new();
    for (written, copied_by) in written {
        if is_of_the_database(&written.entry) {
            continue;
        }
        let entry = told_entry(&written);
        let found = of_entry(&written, &copied_by, strings);
        acting.extend(found.into_iter().map(|outside| Acting { outside, entry: entry.clone() }));
    }
    Ok(acting)
}

/// What `pg_restore` does only with `--create`, which it never gets from us: making the database itself, its settings, and what
/// is said of it (`_tocEntryRequired` in PostgreSQL's `pg_backup_archiver.c`). Every archive has some of it.
fn is_of_the_database(entry: &archive_toc::Entry) -> bool {
    let says = ["ACL", "COMMENT", "SECURITY LABEL"].contains(&entry.kind.as_str());
    ["DATABASE", "DATABASE PROPERTIES"].contains(&entry.kind.as_str()) || says && entry.name.starts_with("DATABASE ")
}

/// The entry that says how strings are read, in all of the archive (`processStdStringsEntry` of `pg_backup_archiver.c`).
const STRINGS: &str = "STDSTRINGS";

fn told_strings(written: &Written) -> Option<Strings> {
    match written.made_by.trim() {
        "SET standard_conforming_strings = 'on';" => Some(Strings::Standard),
        "SET standard_conforming_strings = 'off';" => Some(Strings::Escaping),
        _ => None,
    }
}

/// `pg_restore` makes more of an entry than its statements: who owns it is set by what would drop it, and its kind stands in
/// a comment.
fn of_entry(written: &Written, copied_by: &str, strings: Strings) -> BTreeSet<Outside> {
    if written.entry.kind == STRINGS && written.dropped_by.is_empty() && copied_by.is_empty() {
        // What it says, and nothing else, is how `pg_restore` reads it.
        return if told_strings(written) == Some(strings) {
            BTreeSet::new()
        } else {
            BTreeSet::from([Outside::Commands])
        };
    }
    let mut found: BTreeSet<Outside> =
        [&written.made_by, &written.dropped_by].into_iter().flat_map(|text| of_text(text, strings)).collect();
    found.extend(of_text(copied_by, strings));
    if written.entry.kind.chars().any(char::is_control) {
        found.insert(Outside::Commands);
    }
    found
}

fn of_text(text: &str, strings: Strings) -> BTreeSet<Outside> {
    match statements(text, strings) {
        Ok(statements) => statements.iter().filter_map(|statement| judge(statement)).collect(),
        Err(Unreadable::Backslash) => BTreeSet::from([Outside::Programs]),
        Err(Unreadable::Unclear) => BTreeSet::from([Outside::Commands]),
    }
}

fn told_entry(written: &Written) -> String {
    // Whoever wrote it may have given it any name.
    format!("`{}`", written.entry.label().escape_debug())
}

/// Whether a dump has code that runs while it is restored, with the rights of the restoring role.
pub(crate) fn has_code(entries: &[archive_toc::Entry]) -> bool {
    const CODE: [&str; 4] = ["AGGREGATE", "EVENT TRIGGER", "FUNCTION", "PROCEDURE"];
    entries.iter().any(|entry| CODE.contains(&entry.kind.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::archive_toc::Entry;

    fn written(kind: &str, made_by: &str, dropped_by: &str) -> Written {
        let entry = Entry { id: 7, kind: kind.into(), schema: None, name: "n".into(), needs: Vec::new() };
        Written { entry, made_by: made_by.into(), dropped_by: dropped_by.into() }
    }

    #[test]
    fn every_text_of_an_entry_is_read() {
        let role = BTreeSet::from([Outside::Roles]);
        assert_eq!(of_entry(&written("TABLE", "CREATE TABLE t (); CREATE ROLE r;", ""), "", Strings::Standard), role);
        assert_eq!(
            of_entry(&written("FUNCTION", "", "DROP FUNCTION f(); ALTER ROLE r SUPERUSER;"), "", Strings::Standard),
            role
        );
        let program = "COPY t FROM PROGRAM 'true';";
        assert_eq!(
            of_entry(&written("TABLE DATA", "", ""), program, Strings::Standard),
            BTreeSet::from([Outside::Programs])
        );
        let kind = written("TABLE\nCREATE ROLE r;", "", "");
        assert_eq!(of_entry(&kind, "", Strings::Standard), BTreeSet::from([Outside::Commands]));
        assert_eq!(
            of_entry(&written("TABLE", "CREATE TABLE t ();", "DROP TABLE t;"), "", Strings::Standard),
            BTreeSet::new()
        );
        assert_eq!(of_text("\\! true", Strings::Standard), BTreeSet::from([Outside::Programs]));
    }

    #[test]
    fn strings_are_read_as_the_archive_says() {
        let says = |made_by: &str, strings| of_entry(&written(STRINGS, made_by, ""), "", strings);
        let commands = BTreeSet::from([Outside::Commands]);
        let (on, off) = ("SET standard_conforming_strings = 'on';\n", "SET standard_conforming_strings = 'off';\n");
        assert_eq!(says(on, Strings::Standard), BTreeSet::new());
        assert_eq!(says(off, Strings::Escaping), BTreeSet::new());
        // Of two that differ nobody knows which counts.
        assert_eq!((says(on, Strings::Escaping), says(off, Strings::Standard)), (commands.clone(), commands.clone()));
        assert_eq!(says("SET standard_conforming_strings = 'off'; CREATE ROLE r;", Strings::Escaping), commands);
    }

    #[test]
    fn entries_that_only_create_would_run_are_not_read() {
        let entry = |kind: &str, name: &str| Entry { name: name.into(), ..written(kind, "", "").entry };
        for (kind, name) in [("DATABASE", "d"), ("DATABASE PROPERTIES", "d"), ("ACL", "DATABASE d")] {
            assert!(is_of_the_database(&entry(kind, name)), "{kind} {name}");
        }
        for (kind, name) in [("ACL", "TABLE d"), ("TABLE", "DATABASE d"), ("DATABASE\n", "d"), ("ACL", "DATABASES")] {
            assert!(!is_of_the_database(&entry(kind, name)), "{kind} {name}");
        }
    }

    #[test]
    fn what_is_refused_is_named_with_what_allows_it() {
        let acting = |outside, entry: &str| Acting { outside, entry: entry.to_owned() };
        let all = [acting(Outside::Roles, "`role r`"), acting(Outside::Languages, "`function f`")];
        let problem = problem(&all.iter().collect::<Vec<_>>()).unwrap();
        assert!(problem.what.contains("`role r` changes roles"), "{}", problem.what);
        let help = problem.help.to_string();
        assert!(help.contains("roles") && help.contains("languages"), "{help}");
        assert_eq!(super::problem(&[]), None);
        let many: Vec<Acting> = (0..9).map(|at| acting(Outside::Roles, &format!("`role {at}`"))).collect();
        let told = super::problem(&many.iter().collect::<Vec<_>>()).unwrap().what;
        assert!(told.contains("and 4 more"), "{told}");
    }

    #[test]
    fn whoever_restores_code_is_told() {
        let entry = |kind: &str| written(kind, "", "").entry;
        assert!(has_code(&[entry("TABLE"), entry("FUNCTION")]));
        assert!(!has_code(&[entry("TABLE"), entry("INDEX")]));
    }
}
