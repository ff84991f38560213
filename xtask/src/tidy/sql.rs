//! SQL text stands in `adapters/` alone, and nothing else calls the database's client.

use super::lexer::{code_only, strings};
use super::production::{is_production, shipped};

/// The crates that speak SQL.
const CRATES: [&str; 3] = ["crates/pg-clone/src/", "crates/object-backup/src/", "crates/glacier-archive/src/"];

/// Files that recognize statements which PostgreSQL's programs print: they name them and send none.
const READERS: [&str; 14] = [
    "crates/pg-clone/src/restore/dependents.rs",
    "crates/pg-clone/src/restore/failed_entry.rs",
    "crates/pg-clone/src/restore/index_conflict.rs",
    "crates/pg-clone/src/restore/messages/allow_list.rs",
    "crates/pg-clone/src/restore/messages/parse.rs",
    "crates/pg-clone/src/restore/newer_syntax.rs",
    "crates/pg-clone/src/restore/outside.rs",
    "crates/pg-clone/src/restore/outside/entry.rs",
    "crates/pg-clone/src/restore/outside/judge.rs",
    "crates/pg-clone/src/restore/outside/tokens.rs",
    "crates/pg-clone/src/restore/owners.rs",
    "crates/pg-clone/src/restore/selection.rs",
    "crates/pg-clone/src/restore/tools.rs",
    // Privileges by their names.
    "crates/pg-clone/src/stored/database_settings.rs",
];

/// Words a statement begins with.
const VERBS: [&str; 24] = [
    "ALTER",
    "ANALYZE",
    "BEGIN",
    "COMMENT",
    "COMMIT",
    "COPY",
    "CREATE",
    "DELETE",
    "DO",
    "DROP",
    "GRANT",
    "INSERT",
    "LOCK",
    "PRAGMA",
    "REFRESH",
    "REINDEX",
    "RESET",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SELECT",
    "SET",
    "TRUNCATE",
    "UPDATE",
];

/// Methods of the clients, of PostgreSQL and of SQLite.
const METHODS: [&str; 17] = [
    "batch_execute",
    "build_transaction",
    "copy_in",
    "copy_out",
    "execute",
    "execute_batch",
    "prepare",
    "prepare_typed",
    "query",
    "query_map",
    "query_one",
    "query_opt",
    "query_raw",
    "query_row",
    "query_typed",
    "simple_query",
    "transaction",
];

/// Every statement and every call in the file at `path` that belongs into `adapters/`.
pub(crate) fn faults(path: &str, text: &str) -> Vec<String> {
    if !is_production(&CRATES, path) || path.contains("/adapters/") {
        return Vec::new();
    }
    let code = code_only(text);
    let counts = shipped(text);
    let mut faults = Vec::new();
    if !READERS.contains(&path) {
        let statements = strings(text).into_iter().filter(|literal| is_statement(&literal.text));
        faults.extend(
            statements
                .map(|literal| literal.line)
                .filter(&counts)
                .map(|line| format!("{path}:{line}: SQL text stands in `adapters/` alone")),
        );
    }
    let calls = code.lines().enumerate().filter(|(_, line)| METHODS.iter().any(|name| calls(line, name)));
    faults.extend(
        calls
            .map(|(at, _)| at + 1)
            .filter(&counts)
            .map(|line| format!("{path}:{line}: only `adapters/` calls a database's client")),
    );
    faults
}

/// Whether it begins as a statement does: with a verb of its own, or nothing else.
fn is_statement(text: &str) -> bool {
    // A backslash at the end of the first line leaves out the blanks before the first word.
    let text = text.trim_start_matches(|sign: char| sign.is_whitespace() || sign == '\\');
    VERBS.iter().filter_map(|verb| text.strip_prefix(verb)).any(|rest| rest.is_empty() || rest.starts_with([' ', ';']))
}

/// Whether a line calls the method: `.name(`, also with types between.
fn calls(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let rest = &line[at + name.len()..];
        line[..at].ends_with('.') && (rest.starts_with('(') || rest.starts_with("::<"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "crates/pg-clone/src/restore/load.rs";

    #[test]
    fn statements_and_calls_outside_adapters_are_found() {
        for line in [
            "let a = \"SELECT 1\";",
            "let a = format!(\"COPY {x} FROM STDIN\");",
            "let a = \"\\\n    DROP TABLE t\";",
            "let a = r#\"ALTER TABLE \"a\" x\"#;",
            "let a = \"COMMIT\";",
            "let a = \"BEGIN; SET x\";",
            "session.query_one(text, &[])",
            "session\n    .batch_execute(text)",
            "session.copy_in::<_, Bytes>(text)",
        ] {
            let text = format!("//! One.\nfn a() {{\n{line}\n}}\n");
            assert_eq!(faults(HOME, &text).len(), 1, "{line}: {:?}", faults(HOME, &text));
            assert_eq!(faults("crates/object-backup/src/backup.rs", &text).len(), 1, "{line}");
            for path in [
                "crates/pg-clone/src/adapters/sql/tables.rs",
                "crates/pg-clone/src/stored/prune/tests.rs",
                "crates/pg-clone/src/test_dump.rs",
                "crates/pg-clone/tests/swap/shop.rs",
                "crates/cli/src/main.rs",
                "crates/pg-clone/README.md",
            ] {
                assert_eq!(faults(path, &text), [""; 0], "{path}: {line}");
            }
        }
    }

    #[test]
    fn what_only_looks_like_sql_is_let_through() {
        for line in [
            "/// \"SELECT 1\"",
            "let a = \"COMMITTED\";",
            "let a = \"SELECTION of\";",
            "let a = \"select one\";",
            "let a = \"run CREATE DATABASE x\";",
            "plan::prepare(server)",
            "copy_in(load)",
            "self.queries()",
        ] {
            let text = format!("//! One.\nfn a() {{\n{line}\n}}\n");
            assert_eq!(faults(HOME, &text), [""; 0], "{line}");
        }
    }

    #[test]
    fn tests_at_the_end_of_a_file_may_hold_sql_and_what_follows_them_may_not() {
        let tests = "#[cfg(test)]\nmod tests {\n    fn a() { b(\"SELECT 1\"); c.query(d); }\n}\n";
        assert_eq!(faults(HOME, tests), [""; 0]);
        let after = format!("#[cfg(test)]\nmod tests;\n\n{tests}fn x() {{ y(\"SELECT 1\") }}\n");
        assert_eq!(faults(HOME, &after), [format!("{HOME}:8: SQL text stands in `adapters/` alone")]);
    }

    #[test]
    fn whoever_reads_statements_sends_none() {
        let path = READERS[0];
        assert_eq!(faults(path, "fn a(b: &str) -> bool { b.starts_with(\"ALTER \") }\n"), [""; 0]);
        assert_eq!(faults(path, "fn a() { b.execute(c) }\n").len(), 1);
    }
}
