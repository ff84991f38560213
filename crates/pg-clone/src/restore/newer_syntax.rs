//! What a `pg_dump` writes that the server it is restored on cannot read, changed where that means the same. Pure.
//!
//! `pg_dump` writes for servers of its own version. Three things of that have made dumps that not even the server they were
//! taken from can read:
//! - since 15 `LOGGED` for the identity sequence of an unlogged table, where server and sequence are of 14 or older; servers
//!   before 15 have no other sequences;
//! - `run_as_owner = true` (since 16) and `streaming = off` (since 18) for subscriptions, which older servers do without asking;
//! - the column option `pg_attver` of the minor releases of November 2026, which those servers make themselves; `pg_dump` of a
//!   release before writes it, and servers before refuse it.

use crate::restore::archive_toc::{self, Written};

/// First major version with unlogged sequences, and `LOGGED` for others.
const LOGGED_MAJOR: u32 = 15;

/// Options of subscriptions with the value that servers before some major version imply.
const IMPLIED: [(&str, u32); 2] = [(", run_as_owner = true", 16), (", streaming = off", 14)];

/// Before the options of a subscription; what stands further left is a connection string and may hold anything.
const OPTIONS_OF_SUBSCRIPTION: &str = " WITH (connect = false, ";

/// The option that servers of November 2026 make themselves.
const VERSION_OPTION: &str = "pg_attver=";

/// The archive as a server of this major version can read it; none if it can as it is.
///
/// # Errors
/// What is wrong with an archive that cannot be read at all.
pub(crate) fn for_server(archive: &[u8], major: u32) -> Result<Option<Vec<u8>>, String> {
    archive_toc::with_statements(archive, |written| statements_for(written, major))
}

/// The archive without what only the server it comes from can know; none if there is nothing of that in it.
///
/// # Errors
/// As [`for_server`].
pub(crate) fn for_anybody(archive: &[u8]) -> Result<Option<Vec<u8>>, String> {
    archive_toc::with_statements(archive, |written| without_versions(&written.made_by))
}

/// What a server of this major version cannot read in an archive, as entries' labels; lastgood's restore changes it.
///
/// # Errors
/// As [`for_server`].
pub(crate) fn unreadable_by(archive: &[u8], major: u32) -> Result<Vec<String>, String> {
    let written = archive_toc::parse_written(archive)?;
    let changed = written.iter().filter(|written| statements_for(written, major).is_some());
    Ok(changed.map(|written| written.entry.label()).collect())
}

fn statements_for(written: &Written, major: u32) -> Option<String> {
    let made_by = written.made_by.as_str();
    match written.entry.kind.as_str() {
        "SEQUENCE" if major < LOGGED_MAJOR => without_logged(made_by),
        "SUBSCRIPTION" => without_implied(made_by, major),
        _ => without_versions(made_by),
    }
}

/// `LOGGED` stands on the line behind the sequence's name.
fn without_logged(made_by: &str) -> Option<String> {
    let (before, options) = made_by.split_once(" AS IDENTITY (\n    SEQUENCE NAME ")?;
    let (name, rest) = options.split_once("\n    LOGGED\n    START WITH ")?;
    Some(format!("{before} AS IDENTITY (\n    SEQUENCE NAME {name}\n    START WITH {rest}"))
}

fn without_implied(made_by: &str, major: u32) -> Option<String> {
    let (before, options) = made_by.split_at(made_by.rfind(OPTIONS_OF_SUBSCRIPTION)?);
    let mut kept = options.to_owned();
    for (option, _) in IMPLIED.iter().filter(|(_, since)| major < *since) {
        kept = kept.replace(option, "");
    }
    (kept != options).then(|| format!("{before}{kept}"))
}

/// Options of a column stand on a line of their own.
fn without_versions(made_by: &str) -> Option<String> {
    if !made_by.contains(VERSION_OPTION) {
        return None;
    }
    let lines: Vec<String> = made_by.split('\n').filter_map(without_version).collect();
    let kept = lines.join("\n");
    (kept != made_by).then_some(kept)
}

/// The line without the option; none if it was the only one.
fn without_version(line: &str) -> Option<String> {
    let options = line.strip_suffix(");").and_then(|line| line.rsplit_once(" SET ("));
    let Some((column, options)) = options.filter(|(column, _)| is_column(column)) else { return Some(line.to_owned()) };
    let kept: Vec<&str> = options.split(", ").filter(|option| !option.starts_with(VERSION_OPTION)).collect();
    (!kept.is_empty()).then(|| format!("{column} SET ({});", kept.join(", ")))
}

fn is_column(text: &str) -> bool {
    let altered = text.strip_prefix("ALTER TABLE ONLY ").or_else(|| text.strip_prefix("ALTER FOREIGN TABLE ONLY "));
    altered.is_some_and(|altered| altered.contains(" ALTER COLUMN "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::archive_toc::Entry;

    fn written(kind: &str, made_by: &str) -> Written {
        let entry =
            Entry { id: 7, kind: kind.into(), schema: Some("public".into()), name: "u".into(), needs: Vec::new() };
        Written { entry, made_by: made_by.into(), dropped_by: String::new() }
    }

    /// As `pg_dump` 15.18 wrote it of a server 14.23.
    const IDENTITY: &str = "ALTER TABLE public.u ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (\n    \
        SEQUENCE NAME public.u_id_seq\n    LOGGED\n    START WITH 1\n    INCREMENT BY 1\n    NO MINVALUE\n    \
        NO MAXVALUE\n    CACHE 1\n);\n";

    #[test]
    fn a_server_before_15_reads_no_logged() {
        let sequence = written("SEQUENCE", IDENTITY);
        assert_eq!(statements_for(&sequence, 14), Some(IDENTITY.replace("    LOGGED\n", "")));
        assert_eq!(statements_for(&sequence, 15), None);
        assert_eq!(statements_for(&written("TABLE", IDENTITY), 14), None);
        let plain = written("SEQUENCE", "CREATE SEQUENCE public.\"LOGGED\"\n    START WITH 1\n    CACHE 1;\n");
        assert_eq!(statements_for(&plain, 14), None);
    }

    #[test]
    fn a_server_reads_no_option_of_subscriptions_that_it_does_not_have() {
        // As `pg_dump` 18.6 wrote it of a server 14.23, with an odd connection string.
        let made_by = "CREATE SUBSCRIPTION sb CONNECTION 'dbname=x WITH (connect = false, , streaming = off' PUBLICATION x \
            WITH (connect = false, slot_name = 'sb', streaming = off, run_as_owner = true);\n";
        let subscription = written("SUBSCRIPTION", made_by);
        let without = |option: &str| Some(made_by.replacen(option, "", 1));
        assert_eq!(statements_for(&subscription, 16), None);
        assert_eq!(statements_for(&subscription, 15), without(", run_as_owner = true"));
        let for_13 = statements_for(&subscription, 13).unwrap();
        assert!(for_13.ends_with(" WITH (connect = false, slot_name = 'sb');\n"), "{for_13}");
        assert!(for_13.contains("'dbname=x WITH (connect = false, , streaming = off'"), "{for_13}");
        assert_eq!(statements_for(&written("SUBSCRIPTION", "CREATE SUBSCRIPTION s"), 13), None);
    }

    #[test]
    fn the_option_of_servers_of_november_2026_goes_and_others_stay() {
        // As `pg_dump` 15.18 wrote it of a server 15.20.
        let made_by = "CREATE TABLE public.t (\n    a integer,\n    c numeric(12,3)\n);\n\
            ALTER TABLE ONLY public.t ALTER COLUMN a SET (pg_attver=26489168, n_distinct=5);\n\
            ALTER TABLE ONLY public.t ALTER COLUMN c SET (pg_attver=26497872);\n";
        let kept = "CREATE TABLE public.t (\n    a integer,\n    c numeric(12,3)\n);\n\
            ALTER TABLE ONLY public.t ALTER COLUMN a SET (n_distinct=5);\n";
        assert_eq!(statements_for(&written("TABLE", made_by), 18).as_deref(), Some(kept));
        assert_eq!(statements_for(&written("TABLE", kept), 12), None);
        let function = "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT ''pg_attver=1''';\n";
        assert_eq!(statements_for(&written("FUNCTION", function), 12), None);
    }

    #[test]
    fn what_is_changed_is_named_and_the_rest_of_the_archive_stays() {
        let plain = Entry { id: 8, kind: "TABLE".into(), schema: None, name: "t".into(), needs: vec![7] };
        let original = archive_toc::tests::archive(&[written("SEQUENCE", "").entry, plain]);
        let made = archive_toc::with_statements(&original, |one| (one.entry.id == 7).then(|| IDENTITY.to_owned()));
        let archive = made.unwrap().unwrap();
        assert_eq!(unreadable_by(&archive, 14).unwrap(), ["sequence public.u"]);
        assert_eq!(unreadable_by(&archive, 15).unwrap(), [""; 0]);
        let changed = archive_toc::parse_written(&for_server(&archive, 14).unwrap().unwrap()).unwrap();
        assert_eq!(changed[0].made_by, IDENTITY.replace("    LOGGED\n", ""));
        assert_eq!(changed[1..], archive_toc::parse_written(&original).unwrap()[1..]);
        assert_eq!(for_anybody(&archive).unwrap(), None);
        assert!(for_server(b"PGDMP", 14).is_err());
    }
}
