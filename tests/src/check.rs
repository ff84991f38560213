//! Whether what was made of a database is whole: a fast run that lost something must not count, and the demo shows it.

use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::server::Server;

/// One line a table with its rows counted and hashed, then the numbers of other objects, large objects and sequences.
const FINGERPRINT: &str = r#"
SELECT format('SELECT %L, count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM %s t', c.oid::regclass, c.oid::regclass)
FROM pg_class c WHERE c.relkind IN ('r', 'm') AND c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
ORDER BY c.oid::regclass::text COLLATE pg_catalog."C" \gexec
SELECT 'indexes', count(*), count(*) FILTER (WHERE NOT indisvalid) FROM pg_index;
SELECT 'constraints', contype, count(*) FROM pg_constraint GROUP BY 2 ORDER BY 2;
SELECT 'large object', oid, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY oid;
SELECT format('SELECT %L, last_value, is_called FROM %s', c.oid::regclass, c.oid::regclass)
FROM pg_class c WHERE c.relkind = 'S' ORDER BY c.oid::regclass::text COLLATE pg_catalog."C" \gexec
"#;

/// Text that is equal for equal databases.
///
/// # Errors
/// If the server refuses.
pub fn fingerprint(server: &Server, database: &str) -> Outcome<String> {
    server.sql(database, FINGERPRINT)
}

/// Fails unless `copy` has what `original` has.
///
/// # Errors
/// With the first line that differs.
pub fn same(original: &str, copy: &str, whose: &str) -> Outcome {
    if original == copy {
        return Ok(());
    }
    let differing = original.lines().zip(copy.lines()).find(|(a, b)| a != b);
    Err(match differing {
        Some((original, copy)) => format!("{whose} restored `{copy}` where the original has `{original}`"),
        None => format!("{whose} restored {} lines of {}", copy.lines().count(), original.lines().count()),
    }
    .into())
}

/// Fails unless `pg_restore` reads the archive at `path` and finds the rows of as many tables as the database has.
///
/// # Errors
/// With what it finds instead.
pub fn archive(server: &Server, path: &Path, tables: usize) -> Outcome {
    let output = Command::new(server.program("pg_restore")).arg("-l").arg(path).output()?;
    let found = String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.contains(" TABLE DATA ")).count();
    if output.status.success() && found == tables {
        return Ok(());
    }
    Err(format!("`{}` lists rows of {found} tables, not {tables} ({})", path.display(), output.status).into())
}

/// Fails unless `zstd` finds the file whole.
///
/// # Errors
/// With the exit code of `zstd`.
pub fn compressed(path: &Path) -> Outcome {
    let status = Command::new("zstd").args(["-q", "-t"]).arg(path).status()?;
    if status.success() { Ok(()) } else { Err(format!("`zstd -t {}` ended with {status}", path.display()).into()) }
}

/// How many tables hold rows of their own: what a dump of `database` must contain.
///
/// # Errors
/// If the server refuses.
pub fn tables(server: &Server, database: &str) -> Outcome<usize> {
    let count = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)'";
    Ok(server.sql(database, count)?.trim().parse()?)
}

/// The last `"key"` of a listing, which is newest last.
#[must_use]
pub fn newest_key(listing: &str) -> Option<String> {
    fn collect(value: &serde_json::Value, keys: &mut Vec<String>) {
        match value {
            serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, keys)),
            serde_json::Value::Object(fields) => {
                keys.extend(fields.get("key").and_then(|key| key.as_str()).map(str::to_owned));
                fields.values().for_each(|value| collect(value, keys));
            }
            _ => {}
        }
    }
    let mut keys = Vec::new();
    for document in serde_json::Deserializer::from_str(listing).into_iter().flatten() {
        collect(&document, &mut keys);
    }
    keys.pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_key_is_the_last_one() {
        assert_eq!(newest_key(r#"[{"key": "a/1", "x": 1}, {"key": "a/2"}]"#).as_deref(), Some("a/2"));
        assert_eq!(newest_key(r#"{"dumps": [{"key": "a/1"}]}"#).as_deref(), Some("a/1"));
        assert_eq!(newest_key("{\"key\": \"a/1\"}\n{\"key\": \"a/3\"}\n").as_deref(), Some("a/3"));
        assert_eq!(newest_key("[]"), None);
    }
}
