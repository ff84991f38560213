//! What gludb itself wrote, on both generations of Python, is read back as it says it is.

use crate::world::World;
use object_backup::list::{self, State};
use object_backup::{RestoreOptions, Run, SqliteTarget};
use serde_json::Value;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

fn expected() -> serde_json::Map<String, Value> {
    let text = std::fs::read_to_string(format!("{FIXTURES}/expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap()
}

#[tokio::test]
async fn every_fixture_restores_to_what_gludb_says_is_in_it() {
    let world = World::new().await;
    for (name, tarball) in expected() {
        let key = text(&tarball, "s3_key");
        world.plant(key, std::fs::read(format!("{FIXTURES}/{}", text(&tarball, "file"))).unwrap()).await;
        let entry = list::find(&*world.store, key).await.unwrap().entry;
        assert_eq!(entry.state, State::Foreign);
        let verified = object_backup::verify::verify(&world.store, &entry, &Run::silent()).await.unwrap();
        assert_eq!(verified.broken, None, "{name}");

        let files = world.files(key, &name).await;
        let members = tarball["members_in_order"].as_array().unwrap();
        assert_eq!(files.len(), members.len());
        for member in members {
            let content = std::str::from_utf8(&files[text(member, "name")]).unwrap();
            assert_eq!(content.len() as u64, member["size"].as_u64().unwrap());
            let digest = backup_core::digest::Sha256Digest::of(content.as_bytes()).to_string();
            assert_eq!(digest, text(member, "sha256"), "{name}");
            let records: Vec<Value> = content.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(&records, member["parsed"].as_array().unwrap(), "{name}");
        }

        let database = world.path(&format!("{name}.db"));
        world.restore(key, SqliteTarget::new(&database), &RestoreOptions::default()).await.unwrap();
        let connection = rusqlite::Connection::open(&database).unwrap();
        for member in members {
            let query = format!("SELECT id, value FROM \"{}\" ORDER BY rowid", text(member, "table"));
            let mut statement = connection.prepare(&query).unwrap();
            let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
            let rows: Vec<(String, Value)> =
                rows.map(|row| row.unwrap()).map(|(id, value)| (id, serde_json::from_str(&value).unwrap())).collect();
            assert_eq!(rows.len() as u64, member["records"].as_u64().unwrap());
            for ((id, record), parsed) in rows.iter().zip(member["parsed"].as_array().unwrap()) {
                assert_eq!((record, parsed["id"].as_str()), (parsed, Some(id.as_str())), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn versioned_records_come_with_all_their_versions() {
    let world = World::new().await;
    for (name, tarball) in expected() {
        let key = text(&tarball, "s3_key");
        world.plant(key, std::fs::read(format!("{FIXTURES}/{}", text(&tarball, "file"))).unwrap()).await;
        let files = world.files(key, &name).await;
        let (_, versioned) = files.iter().find(|(file, _)| file.starts_with("VersionedData--")).unwrap();
        let record: Value = serde_json::from_slice(versioned).unwrap();
        let newest = &tarball["versions_of_VersionedData_v1_newest_first"][0]["record"];
        // gludb's function made a version for each difference and for what is current.
        assert_eq!(record["_version_hist"], newest["_version_hist"]);
        assert_eq!(record["_version_hist"].as_array().unwrap().len(), 2);
    }
}
