//! The differential oracle: what PostgreSQL's own `pg_dump` says of two databases, normalised, must be equal.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use backup_testkit::postgres::Cluster;

use super::failure::{Failure, RowResult};

/// Differing lines shown of each part.
const LINES_SHOWN: usize = 8;

/// Names of parts: the rows of a table begin so, and everything else that is data.
const ROWS_OF: &str = "rows of ";
const SEQUENCES: &str = "sequences and large objects";

/// What lies outside the database's own catalogues and so in no `pg_dump` without `--create`.
const SETTINGS: &str = r#"
SELECT 'encoding', pg_encoding_to_char(encoding), datcollate, datctype, to_jsonb(d) ->> 'datlocprovider',
  coalesce(to_jsonb(d) ->> 'daticulocale', to_jsonb(d) ->> 'datlocale'), to_jsonb(d) ->> 'daticurules'
  FROM pg_database d WHERE datname = current_database();
SELECT 'owner', pg_get_userbyid(datdba), 'connections', datconnlimit, 'allowed', datallowconn, 'template', datistemplate
  FROM pg_database WHERE datname = current_database();
SELECT 'privilege', CASE grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(grantee) END, privilege_type, is_grantable
  FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba)))
  WHERE datname = current_database() ORDER BY 2, 3, 4;
SELECT 'comment', shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database();
SELECT 'security label', provider, label FROM pg_shseclabel WHERE objoid =
  (SELECT oid FROM pg_database WHERE datname = current_database());
SELECT 'setting', coalesce(pg_get_userbyid(nullif(setrole, 0)), 'all'), unnest(setconfig) AS setting
  FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE d.datname = current_database() ORDER BY 2, 3;
"#;

/// What `pg_dump` does not show, or not in a form that two databases can be compared by.
const EXTRA: &str = r#"
SELECT 'extension', extname, extversion, extnamespace::regnamespace FROM pg_extension ORDER BY extname;
SELECT 'invalid index', indexrelid::regclass FROM pg_index JOIN pg_class c ON c.oid = indexrelid AND relkind = 'I'
  WHERE NOT indisvalid ORDER BY indexrelid::regclass::text COLLATE "C";
SELECT 'constraint', conrelid::regclass, conname FROM pg_constraint WHERE NOT convalidated
  ORDER BY conrelid::regclass::text COLLATE "C", conname;
SELECT 'populated', oid::regclass, relispopulated FROM pg_class WHERE relkind = 'm' ORDER BY oid::regclass::text COLLATE "C";
SELECT format('SELECT %L, count(*), md5(string_agg(t::text, E''\n'' ORDER BY t::text COLLATE "C")) FROM %s t',
  oid::regclass, oid::regclass)
  FROM pg_class WHERE relkind = 'm' AND relispopulated ORDER BY oid::regclass::text COLLATE "C" \gexec
SELECT 'large object', l.oid, pg_get_userbyid(lomowner), md5(lo_get(l.oid)), obj_description(l.oid, 'pg_largeobject')
  FROM pg_largeobject_metadata l ORDER BY l.oid;
"#;

/// A database as text, part by part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// Parts: the schema, the rows of each table, settings.
    pub parts: BTreeMap<String, Vec<String>>,
}

impl Picture {
    /// Takes a picture of everything in `database`, and of its own settings.
    ///
    /// # Errors
    /// If `pg_dump` or a query fails.
    pub fn of(cluster: &Cluster, database: &str) -> RowResult<Self> {
        Self::with_clients(cluster, database, cluster.bin_dir())
    }

    /// [`of`](Self::of) by the `pg_dump` in `bin_dir`: servers of two versions are compared by one.
    ///
    /// # Errors
    /// If `pg_dump` or a query fails.
    pub fn with_clients(cluster: &Cluster, database: &str, bin_dir: &Path) -> RowResult<Self> {
        let mut picture = Self::default();
        let name = quote_words(database);
        let pg_dump = |args: &[&str]| pg_dump(cluster, database, bin_dir, args);
        let schema = pg_dump(&["--schema-only", "--quote-all-identifiers"])?;
        picture.parts.insert("schema".to_owned(), schema_lines(&schema, &name));
        picture.take_data(&pg_dump(&["--data-only"])?);
        for (part, sql) in [("settings", SETTINGS), ("extra", EXTRA)] {
            let lines = cluster.psql(database, sql)?.lines().map(str::to_owned).collect();
            picture.parts.insert(part.to_owned(), lines);
        }
        Ok(picture)
    }

    /// Without the database's own settings, for copies whose settings are meant to differ.
    #[must_use]
    pub fn without_settings(mut self) -> Self {
        self.parts.remove("settings");
        self
    }

    /// Only rows, sequences and large objects: what is the same on servers of every version.
    #[must_use]
    pub fn contents(&self) -> Self {
        let of_rows = |part: &str| part.starts_with(ROWS_OF) || part == SEQUENCES;
        let parts = self.parts.iter().filter(|(part, _)| of_rows(part));
        Self { parts: parts.map(|(part, lines)| (part.clone(), lines.clone())).collect() }
    }

    /// Fails unless both are equal; says the first differences.
    ///
    /// # Errors
    /// If they differ.
    pub fn expect(&self, copy: &Self, whose: &str) -> RowResult {
        let mut report = String::new();
        let names: std::collections::BTreeSet<&String> = self.parts.keys().chain(copy.parts.keys()).collect();
        for name in names {
            let nothing = Vec::new();
            let (left, right) = (self.parts.get(name).unwrap_or(&nothing), copy.parts.get(name).unwrap_or(&nothing));
            if left != right {
                report.push_str(&format!("\n{name}:"));
                for line in differences(left, right) {
                    report.push_str(&format!("\n  {line}"));
                }
            }
        }
        if report.is_empty() { Ok(()) } else { Err(Failure::new(format!("{whose} differs from the source:{report}"))) }
    }

    /// Cuts a data-only dump into tables; their rows are sorted, since only their set must be equal.
    fn take_data(&mut self, dump: &str) {
        let mut other = Vec::new();
        let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut lines = dump.lines();
        while let Some(line) = lines.next() {
            let Some(copy) = line.strip_prefix("COPY ").and_then(|rest| rest.strip_suffix(" FROM stdin;")) else {
                if is_content(line) {
                    other.push(line.to_owned());
                }
                continue;
            };
            let (table, columns) = split_columns(copy);
            let order = order_of(&columns);
            let mut rows: Vec<String> =
                lines.by_ref().take_while(|row| *row != "\\.").map(|row| reorder(row, &order)).collect();
            let mut columns = columns;
            columns.sort();
            rows.push(format!("columns {}", columns.join(" ")));
            // More than once for a table that pg_dump loads through its root: once for each partition.
            tables.entry(format!("{ROWS_OF}{table}")).or_default().append(&mut rows);
        }
        tables.values_mut().for_each(|rows| rows.sort());
        self.parts.extend(tables);
        other.sort();
        self.parts.insert(SEQUENCES.to_owned(), other);
    }
}

/// `table (a, b)` taken apart. Names may hold anything, so that the list is found by its quotes.
fn split_columns(copy: &str) -> (&str, Vec<String>) {
    let mut quoted = false;
    let mut open = copy.len();
    let mut columns = Vec::new();
    let mut name = String::new();
    for (at, c) in copy.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted && open == copy.len() => {
                open = at;
                continue;
            }
            ',' | ')' if !quoted && open < copy.len() => {
                columns.push(std::mem::take(&mut name).trim().to_owned());
                continue;
            }
            _ => {}
        }
        if open < copy.len() {
            name.push(c);
        }
    }
    columns.retain(|column| !column.is_empty());
    (copy[..open].trim(), columns)
}

/// Positions of the columns in the order of their names: columns merged by inheritance change places in a dump.
fn order_of(columns: &[String]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by_key(|at| &columns[*at]);
    order
}

fn reorder(row: &str, order: &[usize]) -> String {
    if order.is_empty() {
        return row.to_owned();
    }
    let fields: Vec<&str> = row.split('\t').collect();
    order.iter().map(|at| fields.get(*at).copied().unwrap_or("(no field)")).collect::<Vec<_>>().join("\t")
}

/// Blocks between `pg_dump`'s headers, sorted: objects of equal name and kind come in the order of their oids.
fn schema_lines(dump: &str, database: &str) -> Vec<String> {
    let mut blocks: Vec<Vec<String>> = vec![Vec::new()];
    for line in dump.lines() {
        if line.starts_with("-- Name: ") {
            blocks.push(vec![line.replace(database, "DATABASE")]);
        } else if is_content(line) && !line.starts_with("SET default_t") {
            let Some(line) = without_note(line) else { continue };
            let line = line.replace(database, "DATABASE");
            blocks.last_mut().into_iter().for_each(|block| block.push(line.clone()));
        }
    }
    blocks.iter_mut().for_each(|block| order_merged_columns(block));
    blocks.sort();
    blocks.concat()
}

/// What servers of November 2026 note in columns by themselves, each with a number of its own. Earlier programs take it for an option
/// of the user's, and show it.
const NOTE: &str = "pg_attver=";

/// A line of a schema without that note; none if it said nothing else.
#[must_use]
pub fn without_note(line: &str) -> Option<String> {
    let Some((before, after)) = line.split_once(NOTE) else { return Some(line.to_owned()) };
    let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
    match (before.strip_suffix(", "), after.strip_prefix(", ")) {
        (Some(before), _) => Some(format!("{before}{after}")),
        (None, Some(after)) => Some(format!("{before}{after}")),
        (None, None) => None,
    }
}

/// Columns merged by inheritance come back in another order even from `pg_dump` and `pg_restore`: nothing to compare.
fn order_merged_columns(block: &mut [String]) {
    let open = block.iter().position(|line| line.starts_with("CREATE ") && line.ends_with('('));
    let close = block.iter().position(|line| line.starts_with("INHERITS ("));
    if let (Some(open), Some(close)) = (open, close)
        && open + 2 < close
    {
        // Without their commas, since the last one has none; the line before `INHERITS` is the closing parenthesis.
        let columns = &mut block[open + 1..close - 1];
        columns.iter_mut().for_each(|line| line.truncate(line.trim_end_matches(',').len()));
        columns.sort();
    }
}

/// Whether a line says something of the database: not empty, no comment, not the random key of `\restrict`.
fn is_content(line: &str) -> bool {
    !(line.is_empty() || line.starts_with("--") || line.starts_with("\\restrict") || line.starts_with("\\unrestrict"))
}

/// The database's name as quoted in a dump.
fn quote_words(database: &str) -> String {
    format!("\"{}\"", database.replace('"', "\"\""))
}

fn pg_dump(cluster: &Cluster, database: &str, bin_dir: &Path, args: &[&str]) -> RowResult<String> {
    let mut command = Command::new(bin_dir.join("pg_dump"));
    // The name goes in as a variable: as an argument, one with `=` in it would be read as a connection string.
    command.args(args).env_clear().envs(cluster.env()).env("PGDATABASE", database).env("TZ", "UTC");
    let output = command.output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Failure::new(format!("pg_dump of `{database}` ended with {}: {said}", output.status)));
    }
    // Bytes that are no UTF-8 (SQL_ASCII, LATIN1) become one character each, so that nothing is lost.
    Ok(String::from_utf8(output.stdout)
        .unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect()))
}

/// Lines only in one of both, in order: `-` only in the source, `+` only in the copy.
fn differences(left: &[String], right: &[String]) -> Vec<String> {
    let counts = |lines: &[String]| {
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        lines.iter().for_each(|line| *counts.entry(line.clone()).or_default() += 1);
        counts
    };
    let (in_left, in_right) = (counts(left), counts(right));
    let missing = left.iter().filter(|line| in_right.get(*line) < in_left.get(*line)).map(|line| format!("- {line}"));
    let added = right.iter().filter(|line| in_left.get(*line) < in_right.get(*line)).map(|line| format!("+ {line}"));
    let mut shown: Vec<String> = missing.take(LINES_SHOWN).chain(added.take(LINES_SHOWN)).collect();
    if shown.is_empty() {
        shown.push("the same lines in another order".to_owned());
    }
    for line in &mut shown {
        if line.chars().count() > 300 {
            *line = line.chars().take(300).chain(['…']).collect();
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_of_servers_are_no_difference() {
        let column = |options: &str| format!("ALTER TABLE ONLY public.t ALTER COLUMN a SET ({options});");
        let without = |options: &str| without_note(&column(options));
        assert_eq!(without("pg_attver=26489168"), None);
        assert_eq!(without("pg_attver=26489168, n_distinct=5"), Some(column("n_distinct=5")));
        assert_eq!(without("n_distinct=5, pg_attver=1"), Some(column("n_distinct=5")));
        assert_eq!(without("n_distinct=5"), Some(column("n_distinct=5")));
    }

    #[test]
    fn rows_are_compared_as_sets_and_columns_by_name() {
        let mut one = Picture::default();
        one.take_data("COPY public.t (b, a) FROM stdin;\n1\t2\n3\t4\n\\.\nSELECT setval('s', 1);\n");
        let mut two = Picture::default();
        two.take_data("-- x\nCOPY public.t (a, b) FROM stdin;\n4\t3\n2\t1\n\\.\nSELECT setval('s', 1);\n");
        assert!(one.expect(&two, "copy").is_ok());
        two.take_data("COPY public.t (a, b) FROM stdin;\n4\t3\n\\.\n");
        assert!(one.expect(&two, "copy").is_err());
    }

    #[test]
    fn column_lists_survive_hostile_names() {
        assert_eq!(
            split_columns(r#"public."a (b" ("x, y", "z""(", w)"#),
            (r#"public."a (b""#, vec![r#""x, y""#.to_owned(), r#""z""(""#.to_owned(), "w".to_owned()])
        );
        assert_eq!(split_columns("public.empty"), ("public.empty", Vec::new()));
    }

    #[test]
    fn a_lost_index_is_a_difference_and_an_order_is_not() {
        let a = "-- Name: i; Type: INDEX\n\nCREATE INDEX i;\n\n-- Name: j; Type: INDEX\n\nCREATE INDEX j;\n";
        let b = "-- Name: j; Type: INDEX\n\nCREATE INDEX j;\n\n-- Name: i; Type: INDEX\n\nCREATE INDEX i;\n";
        assert_eq!(schema_lines(a, "\"d\""), schema_lines(b, "\"d\""));
        assert_ne!(schema_lines(a, "\"d\""), schema_lines("-- Name: i; Type: INDEX\nCREATE INDEX i;\n", "\"d\""));
    }
}
