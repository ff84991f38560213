//! Situations of other people's databases, and the rows that show each.

/// A situation: what it is called in the page, the row that shows it, and the first version that has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) what: &'static str,
    pub(super) row: &'static str,
    pub(super) from: u32,
}

const fn kind(what: &'static str, row: &'static str, from: u32) -> Kind {
    Kind { what, row, from }
}

/// The first version that anybody can still run here.
const EVERY: u32 = 12;

/// All of them. Those that change the server itself come last, and what they changed is taken back.
pub(super) const KINDS: [Kind; 30] = [
    kind("functions that name others without a schema", "P-path", EVERY),
    kind("the same in a single file", "P-path-file", EVERY),
    kind("the same in rows alone", "P-path-rows", EVERY),
    kind("tables that cannot even be planned without it", "P-path-plan", EVERY),
    kind("materialized views in any order", "P-matviews", EVERY),
    kind("settings of the database decide what is computed", "P-early", EVERY),
    kind("rows of extensions, and what refers to them", "D-config", EVERY),
    kind("rows of extensions come before those that need them", "D-config-first", EVERY),
    kind("numbering of extensions' rows goes on", "D-config-numbers", EVERY),
    kind("keys to rows left out of the dump", "P-key-left-out", EVERY),
    kind("event triggers during a restore", "D-event-triggers", EVERY),
    kind("event triggers while rows alone are put in", "P-data-events", EVERY),
    kind("event triggers that the role cannot stop, several jobs", "D-deadlock", 13),
    kind("jobs in each other's way", "P-workers", EVERY),
    kind("a locale that is missing", "P-locale", EVERY),
    kind("tables whose columns are all computed", "P-data-computed", EVERY),
    kind("keys and checks that are `NOT VALID`, in rows alone", "P-data-not-valid", EVERY),
    kind("`PGOPTIONS`", "P-options", EVERY),
    kind("a copy that was half dropped", "P-invalid", EVERY),
    kind("what nobody can restore", "P-incomplete", EVERY),
    kind("views over a server that cannot be reached", "P-unreachable", EVERY),
    kind("every connection of the role is taken", "P-role-full", EVERY),
    kind("roles that policies name", "P-role-policy", EVERY),
    kind("rights of a view's owner; `public` closed", "P-rights", EVERY),
    // From here on with a server of their own elsewhere.
    kind("large objects of another role", "P-objects", EVERY),
    kind("another provider of locales in `template0`", "P-locale-template", 17),
    kind("a role without power beside autovacuum", "P-autovacuum", EVERY),
    kind("the server cannot drop the replaced database", "P-drop-waits", 15),
    kind("and its client is dead", "P-drop-dead", 15),
    kind("neither `postgres` nor `template1`", "P-no-admin", EVERY),
];

/// What only some versions have, shown by rows that start these themselves.
pub(super) const ELSEWHERE: [(&str, &str, &str); 11] = [
    ("extensions bound to a database's name", "P-bound", "15 (`pg_cron` of Debian)"),
    ("extensions with rows, triggers and types of their own", "P-extensions", "15 (those of Debian)"),
    ("less common extensions", "P-packages", "15 (those of Debian)"),
    ("warnings that `pg_restore` hands on", "V-warnings", "13 and 14, by their clients"),
    ("what newer clients write", "V-newer-client", "12, 14 and 15, by clients 15, 16 and 18"),
    ("what servers of November 2026 note in columns", "V-attver", "15.20 and 15.18, by clients 15.18"),
    ("keys that are `NOT ENFORCED`", "V-not-enforced", "18"),
    ("login triggers", "V-login", "17 and 18"),
    ("`CREATE` on `public` is lost", "V-public", "12 to 18, 14 to 16"),
    ("settings of libpq, refused by name", "W10b", "any: the client refuses them"),
    ("sequences of unlogged tables on a standby", "V-…-own", "15 and newer, each"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_row_and_every_row_one_kind() {
        let rows: BTreeSet<String> = crate::rows::all().unwrap().into_iter().map(|row| row.id).collect();
        let named = KINDS.iter().map(|kind| kind.row).chain(ELSEWHERE.iter().map(|(_, row, _)| *row));
        let mut seen = BTreeSet::new();
        for row in named {
            assert!(rows.contains(row) || row.starts_with("V-…"), "there is no row `{row}`");
            assert!(seen.insert(row), "`{row}` is named twice");
        }
        let shared = KINDS.iter().position(|kind| kind.row == "P-objects").unwrap();
        let mut all = crate::rows::pg::rows();
        all.retain(|row| row.own_server);
        let owns = |row: &str| all.iter().any(|one| one.id == row);
        assert!(KINDS[..shared].iter().all(|kind| !owns(kind.row)), "one that changes the server comes too early");
    }
}
