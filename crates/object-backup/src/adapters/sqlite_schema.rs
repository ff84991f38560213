//! The tables of a SQLite database, and which of them hold records.

use rusqlite::Connection;

use super::sql;
use super::sqlite;

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) form: Form,
}

/// What a table is to a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// It has `id` and `value`.
    Records,
    /// It is the application's, and has another form.
    Other,
    /// A module computes it, such as a full-text index. Its columns are not asked for: that fails where the module is unknown.
    Virtual {
        /// The module.
        module: String,
        /// How many tables the module keeps for it.
        shadows: usize,
    },
}

impl Table {
    /// What to say of a table that is left out.
    pub(super) fn why_left_out(&self) -> Option<String> {
        let name = &self.name;
        match &self.form {
            Form::Records => None,
            Form::Other => Some(format!("the table `{name}` has no `id` and `value`: it is left out")),
            Form::Virtual { module, shadows: 0 } => {
                Some(format!("the virtual table `{name}` of the module `{module}` is left out"))
            }
            Form::Virtual { module, shadows } => Some(format!(
                "the virtual table `{name}` of the module `{module}` is left out, with the {shadows} tables it consists of"
            )),
        }
    }
}

/// Every table of the application's, by name. Those that a known module keeps for a virtual table are counted with that.
pub(super) fn tables(connection: &Connection) -> rusqlite::Result<Vec<Table>> {
    let query = "SELECT l.name, l.type, coalesce(s.sql, '') FROM pragma_table_list l \
        LEFT JOIN sqlite_schema s ON s.type = 'table' AND s.name = l.name \
        WHERE l.schema = 'main' AND l.type IN ('table', 'virtual', 'shadow') \
        AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY l.name";
    let mut statement = connection.prepare(query)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let rows: Vec<(String, String, String)> = rows.collect::<rusqlite::Result<_>>()?;
    let shadows = |of: &str| {
        let begin = format!("{of}_");
        rows.iter().filter(|(name, kind, _)| kind == "shadow" && name.starts_with(&begin)).count()
    };
    let mut tables = Vec::new();
    for (name, kind, definition) in &rows {
        let form = match &**kind {
            "shadow" => continue,
            "virtual" => Form::Virtual { module: module(definition), shadows: shadows(name) },
            _ => {
                let columns = sqlite::columns(connection, name)?;
                let has = |wanted: &str| columns.iter().any(|column| column.name.eq_ignore_ascii_case(wanted));
                if has(sql::ID) && has(sql::VALUE) { Form::Records } else { Form::Other }
            }
        };
        tables.push(Table { name: name.clone(), form });
    }
    Ok(tables)
}

/// The module in `CREATE VIRTUAL TABLE name USING module(…)`, for people.
fn module(definition: &str) -> String {
    let lower = definition.to_ascii_lowercase();
    let after = lower.rfind(" using ").map_or("", |at| &definition[at + " using ".len()..]);
    after.split(|c: char| c == '(' || c.is_whitespace()).find(|word| !word.is_empty()).unwrap_or("?").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_of_modules_are_no_types_and_unknown_ones_block_nothing() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE users (value text, id text GENERATED ALWAYS AS (json_extract(value, '$.id')));
                 CREATE TABLE log (line text);
                 CREATE VIRTUAL TABLE docs USING fts5(id, value);
                 CREATE VIEW seen AS SELECT id, value FROM users;
                 PRAGMA writable_schema = on;
                 INSERT INTO sqlite_schema VALUES ('table', 'near', 'near', 0, 'CREATE VIRTUAL TABLE near Using vec0(a)');
                 PRAGMA writable_schema = reset;",
            )
            .unwrap();
        let found = tables(&connection).unwrap();
        let names: Vec<&str> = found.iter().map(|table| &*table.name).collect();
        assert_eq!(names, ["docs", "log", "near", "users"]);
        let said: Vec<String> = found.iter().filter_map(Table::why_left_out).collect();
        assert_eq!(
            said[0],
            "the virtual table `docs` of the module `fts5` is left out, with the 5 tables it consists of"
        );
        assert_eq!(said[2], "the virtual table `near` of the module `vec0` is left out");
        assert_eq!(found[3].form, Form::Records, "a generated `id` is one");
    }
}
