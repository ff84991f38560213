//! W7: names that a backup has apart and a target would not.

use super::{picture, sqlite};
use crate::harness::{RowResult, World};
use crate::rows::app::{keys, read, records};
use crate::{ensure, ensure_eq};

/// Backs these files up, one record in each, and returns what `--type` calls them.
async fn backed_up(world: &World, files: &[&str]) -> RowResult {
    let contents: Vec<(String, String)> =
        files.iter().map(|file| (format!("{file}.json"), format!("{{\"id\": \"1\", \"of\": \"{file}\"}}\n"))).collect();
    let files: Vec<(&str, &str)> = contents.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    records(world, "records", &files)?;
    world.lastgood(["app", "backup", "--source", "ndjson:records"]).ok().await?;
    Ok(())
}

/// A restore of `key` to `target` is refused with these words, and a dry run too; nothing is touched.
async fn refused(world: &World, key: &str, target: &str, words: &[&str]) -> RowResult {
    let before = picture(world)?;
    for dry in [&["-n"][..], &[]] {
        let restore = world.lastgood(["app", "restore", key, "--to", target]).args(dry.iter().copied());
        let mut said = restore.fails(1).await?.says("nothing was restored")?.says("`--type")?;
        for word in words {
            said = said.says(word)?;
        }
    }
    ensure!(picture(world)? == before, "a refused restore changed the folder");
    Ok(())
}

/// W7-case.
pub(super) async fn case(world: &World) -> RowResult {
    backed_up(world, &["A--Users", "B--users", "C--\u{e9}", "D--\u{c9}"]).await?;
    refused(world, "latest", "sqlite:app.db", &["`A--Users` and `B--users` would share the table `Users`"]).await?;
    std::fs::File::create(world.folder().join("empty.db"))?;
    refused(world, "latest", "sqlite:empty.db", &["`A--Users` and `B--users`"]).await?;
    let only = ["--type", "B--users", "--type", "C--\u{e9}", "--type", "D--\u{c9}"];
    world.lastgood(["app", "restore", "--to", "sqlite:app.db"]).args(only).ok().await?;
    let tables = "SELECT value FROM users UNION ALL SELECT value FROM \u{e9} UNION ALL SELECT value FROM \u{c9}";
    let of = |name: &str| format!("{{\"id\": \"1\", \"of\": \"{name}\"}}");
    let wanted = ["B--users", "C--\u{e9}", "D--\u{c9}"].map(of).join("\n");
    ensure_eq!(sqlite(world, "app.db", tables)?, wanted, "what SQLite does tell apart");
    let into = world.create("names")?;
    world.lastgood(["app", "restore", "--to", &format!("postgres:{into}")]).ok().await?;
    let both = world.psql(&into, "SELECT value FROM \"Users\" UNION ALL SELECT value FROM users")?;
    ensure_eq!(both.trim().to_owned(), ["A--Users", "B--users"].map(of).join("\n"), "both tables in PostgreSQL");

    // Columns: PostgreSQL has them apart.
    let from = world.create("columns")?;
    let sql = "CREATE TABLE t (id text PRIMARY KEY, value json, \"ID\" text, \"Name\" text, name text); \
        INSERT INTO t VALUES ('1', '{\"id\": \"1\", \"ID\": \"x\", \"Name\": \"A\", \"name\": \"a\"}', 'x', 'A', 'a')";
    world.psql(&from, sql)?;
    let key = world.lastgood(["app", "backup", "--source", &format!("postgres:{from}"), "--name", "columns", "--json"]);
    let key = key.ok().await?.json()?["key"].as_str().unwrap_or_default().to_owned();
    refused(world, &key, "sqlite:columns.db", &["`t--t` cannot be restored here", "`id` and `ID`"]).await?;
    world.psql(&into, "DROP TABLE \"Users\", users, \"\u{e9}\", \"\u{c9}\"")?;
    world.lastgood(["app", "restore", &key, "--to", &format!("postgres:{into}")]).ok().await?;
    ensure_eq!(world.psql(&into, "SELECT \"ID\", \"Name\", name FROM t")?.trim(), "x|A|a", "the columns in PostgreSQL");
    Ok(())
}

/// W7-table.
pub(super) async fn one_table(world: &World) -> RowResult {
    backed_up(world, &["A--t", "B--t"]).await?;
    let words = ["`A--t` and `B--t` would share the table `t`"];
    refused(world, "latest", "sqlite:app.db", &words).await?;
    let into = world.create("one")?;
    refused(world, "latest", &format!("postgres:{into}"), &words).await?;
    world.psql(
        &into,
        "CREATE TABLE t (id text PRIMARY KEY, value json); INSERT INTO t VALUES ('0', '{\"id\": \"0\"}')",
    )?;
    refused(world, "latest", &format!("postgres:{into}"), &words).await?;
    ensure_eq!(world.psql(&into, "SELECT id FROM t")?.trim(), "0", "the table that was there");
    world.lastgood(["app", "restore", "--to", "sqlite:app.db", "--type", "A--t"]).ok().await?;
    ensure_eq!(
        sqlite(world, "app.db", "SELECT value FROM t")?.as_str(),
        "{\"id\": \"1\", \"of\": \"A--t\"}",
        "the records"
    );
    world.lastgood(["app", "restore", "--to", "ndjson:out"]).ok().await?;
    ensure!(
        read(world, "out/A--t.json")?.contains("A--t") && read(world, "out/B--t.json")?.contains("B--t"),
        "not both"
    );
    Ok(())
}

/// W7-long.
pub(super) async fn long(world: &World) -> RowResult {
    // 63 bytes in 32 characters, and then one more.
    let name = format!("{}x", "\u{e9}".repeat(31));
    let [first, second] = ["1", "2"].map(|end| format!("{end}--{name}{end}"));
    backed_up(world, &[&first, &second, &format!("3--{name}")]).await?;
    let into = world.create("long")?;
    let target = format!("postgres:{into}");
    // The name that is not too long is the one the others would be cut to.
    refused(world, "latest", &target, &[&format!("`{first}` and `{second}` would share the table `{name}`")]).await?;
    let restore = ["app", "restore", "--to", &target];
    let cut = world.lastgood(restore).args(["--type", &first]).fails(1).await?;
    cut.says(&format!("`{first}` cannot be restored here"))?.says(&format!("`{name}`"))?.says("ndjson:DIR")?;
    world.lastgood(restore).args(["--type", &format!("3--{name}")]).ok().await?;
    ensure_eq!(world.psql(&into, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")?.trim(), "1", "tables");
    world.lastgood(["app", "restore", "--to", "sqlite:app.db"]).ok().await?;
    let tables = sqlite(world, "app.db", "SELECT count(*) FROM sqlite_schema WHERE type = 'table'")?;
    ensure_eq!(tables.as_str(), "3", "tables of SQLite, which cuts nothing");
    Ok(())
}

/// W7-index.
pub(super) async fn ours(world: &World) -> RowResult {
    // Our names of the indexes of `a` and `a_b` are the same, and the third table has that name already.
    let tables = [("a", "b_c"), ("a_b", "c"), ("a_b_c_idx", "d")];
    let script = tables.map(|(table, column)| {
        format!(
            "db.execute('CREATE TABLE {table} (id text PRIMARY KEY, value text, {column} text)'); \
             db.execute('CREATE INDEX {table}_i ON {table} ({column})'); \
             db.execute('INSERT INTO {table} VALUES (1, json_object(\"id\", 1, \"{column}\", \"of {table}\"), \"of {table}\")')"
        )
    });
    super::python(
        world,
        &format!("import sqlite3; db = sqlite3.connect('names.db')\n{}\ndb.commit()", script.join("\n")),
    )?;
    world.lastgood(["app", "backup", "--source", "sqlite:names.db"]).ok().await?.says("3 records")?;
    world.lastgood(["app", "restore", "--to", "sqlite:back.db"]).ok().await?;
    let query = "SELECT b_c FROM a UNION ALL SELECT c FROM a_b UNION ALL SELECT d FROM a_b_c_idx";
    ensure_eq!(sqlite(world, "back.db", query)?.as_str(), "of a\nof a_b\nof a_b_c_idx", "the records");
    let indexes = "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL";
    ensure_eq!(sqlite(world, "back.db", indexes)?.as_str(), "3", "indexes");

    // The table in which records arrive in PostgreSQL, and one of an application with that name.
    records(
        world,
        "arrivals",
        &[("lastgood_arrivals.json", "{\"id\": \"1\"}\n"), ("other.json", "{\"id\": \"2\"}\n")],
    )?;
    world.lastgood(["app", "backup", "--source", "ndjson:arrivals", "--name", "arrivals"]).ok().await?;
    let into = world.create("arrivals")?;
    let target = format!("postgres:{into}");
    for _ in 0..2 {
        let restore = ["app", "restore", "--name", "arrivals", "--to", &target, "--on-conflict", "replace"];
        world.lastgood(restore).ok().await?;
        ensure_eq!(world.psql(&into, "SELECT id FROM lastgood_arrivals")?.trim(), "1", "the records of that name");
    }
    ensure_eq!(keys(world).await?.len(), 2, "backups");
    Ok(())
}
