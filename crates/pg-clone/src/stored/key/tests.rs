//! Tests of dump keys: round trips, the four forms, hostile names.

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn object(text: &str) -> Option<DumpKey> {
    DumpKey::of_object(&Key::new(text).unwrap())
}

#[test]
fn a_location_of_dumps_is_known_by_its_keys() {
    let known = |text: &str| {
        let key = Key::new(text).unwrap();
        LAYOUTS.iter().find(|layout| (layout.holds)(&key)).map(|layout| layout.ours)
    };
    let ours = DumpKey::new("we%ird", at("2026-11-21T03:00:04.123456Z"), "night ly");
    for file in ["manifest.json", "schema.pgdump", "data/p00000.pack", "deleted.json"] {
        assert_eq!(known(ours.folder().unwrap().join(file).unwrap().as_str()), Some(true), "{file}");
    }
    assert_eq!(known("pg/shop/latest.json"), Some(true));
    assert_eq!(known("shop/2026_11_21_03_00_04_123456.default.dump"), Some(false));
    assert_eq!(known("pg/prod/shop/default/2026-11-21-03-00-04-123456.dump"), Some(false));
    for other in ["pg/main.go", "pg/shop/notes.txt", "pg/latest.json", "shop/backup.dump", "photos/1.jpg"] {
        assert_eq!(known(other), None, "{other}");
    }
}

#[test]
fn our_keys_look_as_the_readme_says() {
    let key = DumpKey::new("shop", at("2026-11-21T03:00:04.123456789Z"), "nightly");
    assert_eq!(key.to_string(), "shop/2026-11-21-03-00-04-123456.nightly.dump");
    assert_eq!(key.folder().unwrap().as_str(), "pg/shop/2026-11-21-03-00-04-123456.nightly.dump");
    assert_eq!(key.manifest().unwrap().as_str(), "pg/shop/2026-11-21-03-00-04-123456.nightly.dump/manifest.json");
    assert_eq!(key.timestamp, at("2026-11-21T03:00:04.123456Z"));
}

#[test]
fn the_three_forms_of_django_pgclone_are_read_at_the_root_and_below_pg() {
    for (text, form, config) in [
        ("shop/2019_03_01_22_15_09_000042.default.dump", KeyForm::Underscores, "default"),
        ("shop/2019_03_01_22_15_09_000042._custom.dump", KeyForm::Underscores, "_custom"),
        ("shop/2019-03-01-22-15-09-000042.default.dump", KeyForm::Dashes, "default"),
        ("web-1/shop/none/2019-03-01-22-15-09-000042.dump", KeyForm::Instance("web-1".into()), "none"),
    ] {
        for stored in [text.to_owned(), format!("pg/{text}")] {
            let key = object(&stored).expect(&stored);
            assert_eq!((&*key.database, &*key.config, &key.form), ("shop", config, &form), "{stored}");
            assert_eq!(key.timestamp, at("2019-03-01T22:15:09.000042Z"));
            assert_eq!((key.object().unwrap().as_str(), key.to_string().as_str()), (stored.as_str(), text));
            assert!(key.is_legacy());
        }
    }
    let database_pg = object("pg/2019_03_01_22_15_09_000042.default.dump").unwrap();
    assert_eq!(
        (&*database_pg.database, database_pg.to_string().as_str()),
        ("pg", database_pg.object().unwrap().as_str())
    );
    let instance_pg = object("pg/shop/none/2019-03-01-22-15-09-000042.dump").unwrap();
    assert_eq!(instance_pg.form, KeyForm::Instance("pg".into()));
    assert_eq!(instance_pg.to_string(), instance_pg.object().unwrap().as_str());
}

#[test]
fn what_is_no_dump_is_no_key() {
    for text in [
        "shop",
        "shop/x.dump",
        "shop/2026-11-21-03-00-04-123456.dump",
        "shop/2026-11-21-03-00-04-123456..dump",
        "shop/2026-11-21-03-00-04-12345.nightly.dump",
        "shop/2026-13-21-03-00-04-123456.nightly.dump",
        "shop/2026-02-30-03-00-04-123456.nightly.dump",
        "shop/2026-11-21-03-00-60-123456.nightly.dump",
        "shop/2026-11-21_03-00-04-123456.nightly.dump",
        "shop/2026-11-21-03-00-04-123456.nightly",
        "shop/2026-11-21-03-00-04-12345é.nightly.dump",
        "shop/+026-11-21-03-00-04-123456.nightly.dump",
        "a/b/c/d/e/2026-11-21-03-00-04-123456.dump",
        "%41/2026-11-21-03-00-04-123456.nightly.dump",
    ] {
        assert_eq!(DumpKey::parse(text), None, "{text}");
    }
    assert_eq!(object("shop/2026-11-21-03-00-04-123456.nightly.dump/manifest.json"), None);
    let manifest = |text: &str| DumpKey::of_manifest(&Key::new(text).unwrap());
    assert!(manifest("pg/shop/2026-11-21-03-00-04-123456.nightly.dump/manifest.json").is_some());
    assert_eq!(manifest("shop/2026-11-21-03-00-04-123456.nightly.dump/manifest.json"), None);
    assert_eq!(manifest("pg/shop/2026-11-21-03-00-04-123456.nightly.dump/data/manifest.json"), None);
}

#[test]
fn p7_hostile_names_become_harmless_segments() {
    for (name, segment) in [
        ("we\"ird é; drop", "we\"ird é; drop"),
        ("100%", "100%25"),
        ("a/b\\c", "a%2Fb%5Cc"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("...", "..."),
        ("tab\tnewline\n", "tab%09newline%0A"),
        ("c1\u{85}", "c1%C2%85"),
    ] {
        assert_eq!(encode(name), segment);
        assert_eq!(decode(segment).as_deref(), Some(name));
    }
    assert!(DumpKey::new("shop", at("2026-11-21T03:00:04Z"), "").folder().is_err());
    for wrong in ["%41", "%2f", "%", "%2", "%GG", "%+1", "a/b", "%FF", "."] {
        assert_eq!(decode(wrong), None, "{wrong}");
    }
    assert!(DumpKey::new(&"\u{1}".repeat(63), at("2026-11-21T03:00:04Z"), "default").folder().is_ok());
    assert!(DumpKey::new("shop", at("2026-11-21T03:00:04Z"), &"x".repeat(250)).folder().is_err());
    assert!(DumpKey::new("", at("2026-11-21T03:00:04Z"), "x").folder().is_err());
    assert!(DumpKey::new("shop", at("-000001-11-21T03:00:04Z"), "x").folder().is_err(), "a year of four digits");
}

#[test]
fn keys_sort_by_time_first() {
    let key = |database, time| DumpKey::new(database, at(time), "default");
    let (old, new) = (key("zoo", "2020-01-01T00:00:00Z"), key("app", "2020-01-01T00:00:00.000001Z"));
    assert!(old < new);
    assert!(key("app", "2020-01-01T00:00:00Z") < old);
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z./%\\\\ ]{1,12}", "\\.{1,3}", "(%[0-9A-F]{2}|%|x){1,6}"]
        .prop_filter("names are not empty, and short", |name| !name.is_empty() && name.len() <= 63)
}

proptest! {
    #[test]
    fn our_keys_are_read_back(database in name(), config in name(), micros in 0_i64..250_000_000_000_000_000) {
        let timestamp = Timestamp::from_microsecond(micros).unwrap();
        let key = DumpKey::new(&database, timestamp, &config);
        prop_assert_eq!((&*key.database, &*key.config, key.timestamp), (&*database, &*config, timestamp));
        prop_assert_eq!(DumpKey::parse(&key.to_string()), Some(key.clone()));
        prop_assert_eq!(DumpKey::parse(key.folder().unwrap().as_str()), Some(key.clone()));
        let folder = key.folder().unwrap();
        prop_assert_eq!(DumpKey::parse_folder_name(&database, folder.name()), Some(key.clone()));
        prop_assert_eq!(format!("{}/{}", DumpKey::database_folder(&database).unwrap(), folder.name()), folder.as_str());
        prop_assert_eq!(DumpKey::of_manifest(&key.manifest().unwrap()), Some(key));
    }

    #[test]
    fn text_order_is_time_order(left in 0_i64..250_000_000_000_000_000, right in 0_i64..250_000_000_000_000_000) {
        let key = |micros| DumpKey::new("shop", Timestamp::from_microsecond(micros).unwrap(), "default");
        prop_assert_eq!(key(left).cmp(&key(right)), key(left).to_string().cmp(&key(right).to_string()));
    }

    #[test]
    fn any_text_is_read_or_refused_without_panic(text in any::<String>(), tail in "[0-9_.é-]{20,40}") {
        for text in [text.clone(), format!("{text}/{tail}.dump")] {
            if let Some(key) = DumpKey::parse(&text) {
                let (shown, stored) = (key.to_string(), key.folder().unwrap().to_string());
                prop_assert!(text == shown || text == stored);
            }
            if let Ok(key) = Key::new(text) {
                let _ = DumpKey::of_object(&key);
            }
        }
    }
}
