//! What we write, loaded by Python: by DictDB itself where `LASTGOOD_DICTDB_PYTHON` names an interpreter that has it (the
//! package is `dctdb`), else by Python's own `json` and `pickle` with stand-in classes.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use dictstore_backup::{
    BackupKind, Backups, DictStore, FieldType, Format, Key, Record, Run, Schema, Semantics, TableOptions, Text, Value,
    diff, file,
};

/// Loads `argv[1]` and the deltas after it; writes the state as DictDB's JSON into `argv[2]`.
const LOAD: &str = r#"
import json, pickle, sys, types
full, out, deltas = sys.argv[1], sys.argv[2], sys.argv[3:]
kind = full.rsplit(".", 1)[1]
try:
    import logging
    from dictdb import DictDB
    from dictdb.obs.logging import logger
    from dictdb.storage.persist import apply_delta
    db = DictDB.load(full, kind)
    for delta in deltas:
        apply_delta(db, delta)
    print("original")
except ImportError:
    class DictDB: pass
    class Table: pass
    for name in ("dictdb", "dictdb.storage", "dictdb.core"):
        sys.modules[name] = types.ModuleType(name)
    for name, cls in (("dictdb.storage.database", DictDB), ("dictdb.core.table", Table)):
        module = sys.modules[name] = types.ModuleType(name)
        setattr(module, cls.__name__, cls)
    if kind == "pickle":
        db = pickle.load(open(full, "rb"))
    else:
        db, tags = DictDB(), {t.__name__: t for t in (int, str, float, bool, list, dict)}
        db.tables = {}
        for name, data in json.load(open(full))["tables"].items():
            table = db.tables[name] = Table()
            table.primary_key = data["primary_key"]
            table.schema = data["schema"] and {f: tags[t] for f, t in data["schema"].items()}
            table.records = {r[table.primary_key]: r for r in data["records"]}
    for delta in deltas:
        for name, changes in json.load(open(delta))["tables"].items():
            table = db.tables[name]
            for record in changes["upserts"]:
                table.records[record[table.primary_key]] = record
            for key in changes["deletes"]:
                table.records.pop(key, None)
    print("stand-in")
with open(out, "w") as f:
    json.dump({"tables": {name: {
        "primary_key": t.primary_key,
        "schema": t.schema and {field: kind.__name__ for field, kind in t.schema.items()},
        "records": list(t.records.values()),
    } for name, t in db.tables.items()}}, f)
"#;

fn python(folder: &Path, full: &str, deltas: &[String]) -> DictStore {
    let python = std::env::var("LASTGOOD_DICTDB_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = Command::new(&python);
    command.args(["-c", LOAD, full, "state.json"]).args(deltas).current_dir(folder);
    let run = command.output().unwrap_or_else(|error| panic!("`{python}` is needed: {error}"));
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    if std::env::var_os("LASTGOOD_DICTDB_PYTHON").is_some() {
        assert!(String::from_utf8_lossy(&run.stdout).contains("original"), "`{python}` has no dictdb");
    }
    file::read(&folder.join("state.json"), Format::Json, Semantics::Exact, &Run::silent()).unwrap().store
}

fn store() -> DictStore {
    let store = DictStore::new();
    let schema = FieldType::ALL.into_iter().fold(Schema::new(), |schema, kind| schema.field(kind.name(), kind));
    store.create_table("typed", TableOptions::new().schema(schema)).unwrap();
    let typed = Record::new()
        .with("int", 7)
        .with("str", "日本語 \u{1F600} \"\\/\n\u{7f}\u{2028}")
        .with("float", 1e-7)
        .with("bool", true)
        .with("list", vec![Value::Null, Value::Float(0.1), vec![].into()])
        .with("dict", Record::new().with("k", Record::new().with("", -0.0)));
    store.insert("typed", typed).unwrap();
    store.create_table("näme \"q\"", TableOptions::new().primary_key("key")).unwrap();
    let big = dictstore_backup::value::BigInt::parse("-1180591620717411303424").unwrap();
    let values = [
        Value::Int(i64::MIN),
        Value::Int(-1),
        Value::Int(255),
        Value::Int(65_536),
        Value::Big(big),
        Value::Float(5e-324),
        Value::Float(1e22),
        "x".repeat(300).into(),
        Value::Text(Text::from_bytes(b"\xED\xA0\x80").unwrap()),
    ];
    for (number, value) in values.into_iter().enumerate() {
        let record = Record::new().with("key", format!("k{number}")).with("v", value);
        store.insert("näme \"q\"", record).unwrap();
    }
    store.create_table("many", TableOptions::new()).unwrap();
    store.insert_many("many", (0..2_500).map(|n| Record::new().with("v", n)).collect()).unwrap();
    store.create_table("empty", TableOptions::new()).unwrap();
    store
}

/// Equal but for counters, which DictDB's files do not carry.
fn expect_same(store: &DictStore, loaded: &DictStore) {
    let mut found = diff::diff(store, loaded);
    for table in &mut found.changed {
        table.counter = false;
    }
    found.changed.retain(|table| table.definition || table.added.count + table.removed.count + table.changed.count > 0);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn python_loads_full_backups_of_both_formats() {
    for format in [Format::Json, Format::Pickle] {
        let (folder, store) = (tempfile::tempdir().unwrap(), store());
        let backups = Backups::builder(store.clone(), folder.path()).init().format(format).start().unwrap();
        let written = backups.backup_now().unwrap().unwrap();
        expect_same(&store, &python(folder.path(), &written.file, &[]));
    }
}

#[test]
fn python_applies_our_deltas() {
    let (folder, store) = (tempfile::tempdir().unwrap(), store());
    let hour = Duration::from_secs(3_600);
    let backups =
        Backups::builder(store.clone(), folder.path()).init().interval(hour).incremental(true).start().unwrap();
    let full = backups.backup_now().unwrap().unwrap().file;
    let mut deltas = Vec::new();
    for round in 1..=3 {
        store.delete("many", &Key::from(round)).unwrap();
        store.update("many", &Key::from(100 + round), Record::new().with("v", "é")).unwrap();
        store.insert("many", Record::new().with("v", round)).unwrap();
        let written = backups.backup_now().unwrap().unwrap();
        assert_eq!(written.kind, BackupKind::Delta);
        deltas.push(written.file);
    }
    expect_same(&store, &python(folder.path(), &full, &deltas));
}
