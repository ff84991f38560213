//! The tables of a SQLite target: checking their names, creating them, inserting records.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::sql::{self, quoted};
use super::sqlite::{self, field};
use crate::detail::Column;
use crate::error::{ObjectError, ObjectResult};
use crate::names;
use crate::target::{Loaded, Restoring};
use crate::type_key::TypeKey;

/// A name as SQLite compares it: without regard to the case of ASCII letters, and of no others.
fn called(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Refuses types of which two would be one table here, and tables of which two columns would be one.
pub(super) fn told_apart(types: &[Restoring]) -> ObjectResult<()> {
    if let Some((first, second, _)) = names::shared(types, |restoring| called(&restoring.key.table)) {
        let why = if first.table == second.table { "" } else { ": SQLite ignores the case of letters" };
        return Err(names::one_place(first, second, &format!("table `{}`", first.table), why));
    }
    for restoring in types {
        let columns = restoring.columns.iter().map(|column| column.name.as_str());
        if let Some((first, second)) = names::alike([sql::ID, sql::VALUE].into_iter().chain(columns), called) {
            let what = format!("SQLite treats its columns `{first}` and `{second}` as one");
            return Err(names::not_as_it_is(&restoring.key, &what));
        }
    }
    Ok(())
}

/// The statements of one table, and what they did.
pub(super) struct Table {
    pub(super) insert: String,
    pub(super) update: String,
    /// Makes the indexes of a table that was not there, once it has its records: sorted at once, they take a fraction of the time.
    pub(super) indexes: Vec<String>,
    pub(super) loaded: Loaded,
}

/// Refuses a table that is there and could not take records, or not tell which of them it has already.
pub(super) fn fit(connection: &Connection, types: &[Restoring]) -> rusqlite::Result<Result<(), ObjectError>> {
    for restoring in types {
        let name = &restoring.key.table;
        let columns = sqlite::columns(connection, name)?;
        if columns.is_empty() {
            continue;
        }
        let query = "SELECT type, strict FROM pragma_table_list(?1) WHERE schema = 'main'";
        let (kind, strict): (String, bool) =
            connection.query_row(query, [name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let unique = || sqlite::is_unique_by_id(connection, name, &columns);
        if let Some((what, help)) = unfit(name, &columns, &kind, strict, unique)? {
            return Ok(Err(ObjectError::Unfit { what, help: help.into() }));
        }
    }
    Ok(Ok(()))
}

/// What is wrong with a table, and what to do.
fn unfit(
    name: &str,
    columns: &[sqlite::Column],
    kind: &str,
    strict: bool,
    unique: impl FnOnce() -> rusqlite::Result<bool>,
) -> rusqlite::Result<Option<(String, String)>> {
    let other = "rename it, or restore to another target";
    if kind != "table" {
        return Ok(Some((
            format!("`{name}` is a {kind} and not a table, so that no records can be restored into it"),
            other.into(),
        )));
    }
    let of = |wanted: &str| columns.iter().find(|column| column.name.eq_ignore_ascii_case(wanted));
    let (Some(id), Some(value)) = (of(sql::ID), of(sql::VALUE)) else {
        return Ok(Some((format!("the table `{name}` has no `id` and `value`"), other.into())));
    };
    if value.generated {
        return Ok(Some((
            format!("the column `value` of `{name}` is generated, so that nothing can be restored into it"),
            other.into(),
        )));
    }
    let blob = |column: &&sqlite::Column| strict && !column.generated && column.declared == "BLOB";
    if let Some(column) = [value, id].into_iter().find(blob) {
        let what = format!("`{name}` is STRICT and its column `{}` takes only BLOB, but records are text", column.name);
        return Ok(Some((what, "make the column TEXT or ANY, or restore to another target".to_owned())));
    }
    if !unique()? {
        let what = format!(
            "`{name}` has neither a primary key nor a unique index on `id`, so that records it has already cannot be found in it"
        );
        let help = format!(
            "create one with `CREATE UNIQUE INDEX {} ON {} (id)`, or restore to another target",
            quoted(&format!("{name}_id")),
            quoted(name)
        );
        return Ok(Some((what, help)));
    }
    Ok(None)
}

/// Makes the tables that are not there, with the columns the source had; their indexes are still to be made.
pub(super) fn prepare(connection: &Connection, types: &[Restoring]) -> rusqlite::Result<BTreeMap<TypeKey, Table>> {
    let mut taken = taken(connection)?;
    taken.extend(types.iter().map(|restoring| called(&restoring.key.table)));
    let mut tables = BTreeMap::new();
    for restoring in types {
        let name = &restoring.key.table;
        let (mut columns, mut indexes) = (sqlite::columns(connection, name)?, Vec::new());
        if columns.is_empty() {
            indexes = make(connection, restoring, &mut taken)?;
            columns = sqlite::columns(connection, name)?;
        }
        tables.insert(restoring.key.clone(), Table { indexes, ..Table::new(name, &columns, &restoring.columns) });
    }
    Ok(tables)
}

/// Every name there is: tables and indexes share one set of names.
fn taken(connection: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let mut statement = connection.prepare("SELECT name FROM sqlite_schema")?;
    statement.query_map([], |row| Ok(called(&row.get::<_, String>(0)?)))?.collect()
}

/// Makes a table; returns what makes its indexes.
fn make(connection: &Connection, restoring: &Restoring, taken: &mut BTreeSet<String>) -> rusqlite::Result<Vec<String>> {
    let name = &restoring.key.table;
    let table = quoted(name);
    let others: String = restoring.columns.iter().map(|column| format!(", {} text", quoted(&column.name))).collect();
    connection.execute_batch(&format!("CREATE TABLE {table} (id text PRIMARY KEY, value text{others})"))?;
    let index = |Column { name: column, .. }: &Column| {
        let index = quoted(&free(&format!("{name}_{column}_idx"), taken));
        format!("CREATE INDEX {index} ON {table} ({})", quoted(column))
    };
    Ok(restoring.columns.iter().map(index).collect())
}

/// `wanted`, or with a number behind it if that is taken: `a_b` with a column `c`, and `a` with `b_c`, want one name for their
/// indexes, and nobody looks for an index by its name.
fn free(wanted: &str, taken: &mut BTreeSet<String>) -> String {
    let numbered = (2_usize..).map(|number| format!("{wanted}_{number}"));
    let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
    // One of so many is not among them.
    names.find(|name| taken.insert(called(name))).unwrap_or_default()
}

impl Table {
    /// `there` are the columns of the table, `backed_up` those of the table the records come from.
    fn new(name: &str, there: &[sqlite::Column], backed_up: &[Column]) -> Self {
        let table = quoted(name);
        let known = |name: &str| backed_up.iter().find(|column| called(&column.name) == called(name));
        let generated_id = there.iter().any(|column| column.generated && column.name.eq_ignore_ascii_case(sql::ID));
        let id = if generated_id { ("", "") } else { ("id, ", "?1, ") };
        let filled: Vec<(String, String)> = there
            .iter()
            .filter(|column| !column.generated)
            .map(|column| &column.name)
            .filter(|name| sqlite::is_index(name) && known(name).is_none_or(|column| column.derived))
            // The field has its name from the backup: in JSON case counts.
            .map(|name| (name, known(name).map_or(name, |column| &column.name)))
            .filter(|(_, field)| sqlite::can_name(field))
            .map(|(name, column)| (quoted(name), field(column, "?2")))
            .collect();
        let names: String = filled.iter().map(|(column, _)| format!(", {column}")).collect();
        let values: String = filled.iter().map(|(_, value)| format!(", {value}")).collect();
        let set: String = filled.iter().map(|(column, value)| format!(", {column} = {value}")).collect();
        Self {
            insert: format!(
                "INSERT INTO {table} ({}value{names}) VALUES ({}?2{values}) ON CONFLICT (id) DO NOTHING",
                id.0, id.1
            ),
            update: format!("UPDATE {table} SET value = ?2{set} WHERE id = ?1"),
            indexes: Vec::new(),
            loaded: Loaded::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn restoring(key: &str, columns: &[&str]) -> Restoring {
        let key = TypeKey::of_member(&format!("{key}.json")).unwrap();
        let columns = columns.iter().map(|name| Column { name: (*name).to_owned(), derived: true }).collect();
        Restoring { key, records: 1, columns }
    }

    fn refused(types: &[Restoring]) -> String {
        told_apart(types).unwrap_err().to_string()
    }

    #[test]
    fn w7_names_that_sqlite_takes_for_one_are_refused_and_both_named() {
        let of = |names: &[&str]| names.iter().map(|name| restoring(name, &[])).collect::<Vec<_>>();
        let said = refused(&of(&["A--Users", "B--users"]));
        assert!(said.contains("`A--Users` and `B--users` would share the table `Users`: SQLite ignores"), "{said}");
        let said = refused(&of(&["A--t", "B--t"]));
        assert!(said.contains("`A--t` and `B--t` would share the table `t`; nothing was restored"), "{said}");
        told_apart(&of(&["A--é", "B--É", "C--e", "D--e\u{301}"])).unwrap();
        let said = refused(&[restoring("T--t", &["Name", "name"])]);
        assert!(
            said.contains("`T--t` cannot be restored here as it is: SQLite treats its columns `Name` and `name`"),
            "{said}"
        );
        assert!(refused(&[restoring("T--t", &["ID"])]).contains("`id` and `ID`"));
        told_apart(&[restoring("T--t", &["name", "näme"]), restoring("U--u", &["Name"])]).unwrap();
    }

    #[test]
    fn tables_that_cannot_take_records_are_refused_in_words_and_others_are_not() {
        let connection = Connection::open_in_memory().unwrap();
        let of = |definition: &str| {
            connection.execute_batch(&format!("DROP TABLE IF EXISTS t; DROP VIEW IF EXISTS v; {definition}")).unwrap();
            let key = if definition.contains("VIEW") { "V--v" } else { "T--t" };
            fit(&connection, &[restoring(key, &[])]).unwrap().map_err(|error| error.to_string())
        };
        for fits in [
            "",
            "CREATE TABLE t (id text PRIMARY KEY, value text)",
            "CREATE TABLE t (ID integer PRIMARY KEY, Value blob)",
            "CREATE TABLE t (id, value); CREATE UNIQUE INDEX i ON t (id)",
            "CREATE TABLE t (id text PRIMARY KEY, value any) STRICT, WITHOUT ROWID",
            "CREATE TABLE t (value text, id text AS (json_extract(value, '$.id')) UNIQUE)",
        ] {
            assert_eq!(of(fits), Ok(()), "{fits}");
        }
        for (unfit, what) in [
            ("CREATE TABLE t (id text, value text)", "neither a primary key nor a unique index"),
            ("CREATE TABLE t (id text, value text, PRIMARY KEY (id, value))", "neither a primary key"),
            ("CREATE TABLE t (id, value); CREATE UNIQUE INDEX i ON t (id) WHERE id > 1", "neither a primary key"),
            ("CREATE TABLE t (id text PRIMARY KEY, value blob) STRICT", "its column `value` takes only BLOB"),
            ("CREATE TABLE t (id text PRIMARY KEY, other text)", "has no `id` and `value`"),
            ("CREATE VIEW v AS SELECT 1 AS id, 2 AS value", "`v` is a view"),
        ] {
            let said = of(unfit).unwrap_err();
            assert!(said.contains(what), "{unfit}: {said}");
        }
    }

    #[test]
    fn what_sqlite_computes_is_not_filled() {
        let connection = Connection::open_in_memory().unwrap();
        let table = "CREATE TABLE t (value text, id text AS (json_extract(value, '$.id')) UNIQUE, \
                     name text AS (json_extract(value, '$.name')) STORED)";
        connection.execute_batch(table).unwrap();
        let types = [restoring("T--t", &["name"])];
        let tables = prepare(&connection, &types).unwrap();
        let table = &tables[&types[0].key];
        for (expected, name) in [(1, "Zoë"), (0, "Ann")] {
            let record = format!(r#"{{"id": "1", "name": "{name}"}}"#);
            assert_eq!(connection.execute(&table.insert, ["1", &record]).unwrap(), expected);
        }
        connection.execute(&table.update, ["1", r#"{"id": "1", "name": "Ann"}"#]).unwrap();
        let name: String = connection.query_row("SELECT name FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(name, "Ann");
    }

    proptest! {
        /// SQLite itself is asked.
        #[test]
        fn w7_what_is_told_apart_is_what_sqlite_tells_apart(
            tables in proptest::collection::vec("[aAbB\"é É]{1,2}", 1..6),
            columns in proptest::collection::vec("[iIdD_xX'é]{1,2}", 0..4),
        ) {
            let key = |(number, table): (usize, &String)| TypeKey::new(format!("T{number}"), table.clone()).unwrap();
            let types: Vec<Restoring> = tables.iter().enumerate().map(key).map(|key| {
                let columns = columns.iter().map(|name| Column { name: name.clone(), derived: true }).collect();
                Restoring { key, records: 1, columns }
            }).collect();
            let connection = Connection::open_in_memory().unwrap();
            let mut taken = BTreeSet::new();
            let made = types.iter().try_for_each(|restoring| {
                make(&connection, restoring, &mut taken)?.iter().try_for_each(|index| connection.execute_batch(index))
            });
            prop_assert_eq!(told_apart(&types).is_ok(), made.is_ok(), "{:?}", made);
        }
    }

    #[test]
    fn w7_names_of_indexes_give_way() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE other (x); CREATE INDEX D_E_IDX ON other (x)").unwrap();
        let types = [
            restoring("1--a", &["b_c"]),
            restoring("2--a_b", &["c"]),
            restoring("3--d", &["e"]),
            restoring("4--a_b_c_idx_2", &[]),
        ];
        for index in prepare(&connection, &types).unwrap().values().flat_map(|table| &table.indexes) {
            connection.execute_batch(index).unwrap();
        }
        let mut statement = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1")
            .unwrap();
        let names: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(names, ["D_E_IDX", "a_b_c_idx", "a_b_c_idx_3", "d_e_idx_2"]);
    }

    #[test]
    fn w7_a_column_of_other_case_is_filled_from_the_field_the_backup_names() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (id text PRIMARY KEY, value text, NAME text, Kept text)").unwrap();
        let mut types = [restoring("T--t", &["name", "kept"])];
        types[0].columns[1].derived = false;
        let tables = prepare(&connection, &types).unwrap();
        let table = &tables[&types[0].key];
        let record = r#"{"id": "1", "name": "Zoë", "kept": "x"}"#;
        connection.execute(&table.insert, ["1", record]).unwrap();
        connection.execute("UPDATE t SET Kept = 'by the application', NAME = NULL", []).unwrap();
        connection.execute(&table.update, ["1", record]).unwrap();
        let row = connection
            .query_row("SELECT NAME, Kept FROM t", [], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
        assert_eq!(row.unwrap(), ("Zoë".to_owned(), "by the application".to_owned()));
    }
}
