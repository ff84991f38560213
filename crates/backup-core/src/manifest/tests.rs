//! Edits are found, newer formats are told apart, later fields survive.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn key() -> Key {
    Key::new("pg/shop/2026-11-21.nightly.dump/manifest.json").unwrap()
}

fn part() -> Part {
    Part {
        key: Key::new("pg/shop/2026-11-21.nightly.dump/data/p00000.pack").unwrap(),
        role: "data".to_owned(),
        content_sha256: Some(Sha256Digest::of(b"content")),
        content_bytes: 7,
        stored_sha256: Sha256Digest::of(b"stored"),
        stored_bytes: 4_096,
        codec: Codec::Zstd,
        offset: None,
        length: None,
    }
}

fn manifest() -> Manifest {
    Manifest {
        format: FORMAT,
        id: Uuid::from_u128(7),
        kind: Kind::Pg,
        source: "shop".to_owned(),
        identity: None,
        config: "nightly".to_owned(),
        created_at: "2026-11-21T03:00:04.123456Z".parse().unwrap(),
        started_at: "2026-11-21T03:00:00Z".parse().unwrap(),
        tool: Tool { name: "lastgood".to_owned(), version: "0.1.0".to_owned(), writer: "db1/4711".to_owned() },
        parent: None,
        sequence: 3,
        outcome: Outcome::Good,
        complete: None,
        parts: vec![part()],
        counts: BTreeMap::from([("rows".to_owned(), 12), ("tables".to_owned(), 2)]),
        tags: Vec::new(),
        encryption: None,
        requires: Vec::new(),
        external: Vec::new(),
        detail: json!({"server": "15.4"}),
        unknown: Map::new(),
    }
}

fn read(bytes: &[u8]) -> Result<Manifest, FormatError> {
    Manifest::from_bytes(&key(), bytes)
}

fn text() -> String {
    String::from_utf8(manifest().to_bytes().unwrap().to_vec()).unwrap()
}

/// The text with one place changed; fails if there is no such place.
fn edited(from: &str, to: &str) -> Vec<u8> {
    let text = text();
    assert!(text.contains(from), "{text}");
    text.replacen(from, to, 1).into_bytes()
}

/// What a later minor version would write: `field` added and the digest made anew.
fn with_field(field: &str, value: Value) -> Vec<u8> {
    let mut manifest = manifest();
    manifest.unknown.insert(field.to_owned(), value);
    manifest.to_bytes().unwrap().to_vec()
}

#[test]
fn the_stored_form_is_this_one() {
    let digest = "sha-of-content";
    let expected = concat!(
        r#"{"config":"nightly","counts":{"rows":12,"tables":2},"created_at":"2026-11-21T03:00:04.123456Z","#,
        r#""detail":{"server":"15.4"},"format":1,"id":"00000000-0000-0000-0000-000000000007","kind":"pg","#,
        r#""manifest_sha256":"sha-of-content","outcome":"good","parts":[{"codec":"zstd","content_bytes":7,"#,
    );
    let text = text();
    let value: Value = serde_json::from_str(&text).unwrap();
    let shown = text.replace(value["manifest_sha256"].as_str().unwrap(), digest);
    assert!(shown.starts_with(expected), "{shown}");
    assert!(shown.ends_with(r#""tool":{"name":"lastgood","version":"0.1.0","writer":"db1/4711"}}"#), "{shown}");
}

#[test]
fn c7_an_edited_manifest_does_not_have_its_digest() {
    let digest_start = text().find("manifest_sha256\":\"").unwrap() + "manifest_sha256\":\"".len();
    let claimed = text()[digest_start..digest_start + 64].to_owned();
    let other = Sha256Digest::of(b"other").to_string();
    for (what, bytes) in [
        ("size", edited("\"stored_bytes\":4096", "\"stored_bytes\":4097")),
        ("part's digest", edited(&Sha256Digest::of(b"stored").to_string(), &other)),
        ("own digest", edited(&claimed, &other)),
        ("upper-case digest", edited(&claimed, &claimed.to_uppercase())),
        ("no digest", edited(&format!("\"manifest_sha256\":\"{claimed}\","), "")),
        ("digest of another type", edited(&format!("\"{claimed}\""), "7")),
        ("extra field", edited("{\"config\"", "{\"a\":1,\"config\"")),
        ("duplicate key, first wins", edited("{\"config\"", "{\"config\":\"x\",\"config\"")),
        ("duplicate key, last wins", edited("\"format\":1", "\"format\":1,\"format\":1")),
        ("duplicate nested key", edited("\"rows\":12", "\"rows\":12,\"rows\":12")),
        ("white space", edited("\"format\":1", "\"format\": 1")),
        ("final newline", [text().into_bytes(), b"\n".to_vec()].concat()),
        ("other spelling of a string", edited("nightly", "\\u006eightly")),
        ("other spelling of a number", edited("\"sequence\":3", "\"sequence\":3.0")),
    ] {
        let error = read(&bytes).expect_err(what);
        assert!(matches!(&error, FormatError::Digest { key: named } if *named == key().to_string()), "{what}: {error}");
    }
}

#[test]
fn c6_cut_or_extended_manifests_are_refused() {
    let text = text();
    for length in 0..text.len() {
        assert!(matches!(read(&text.as_bytes()[..length]), Err(FormatError::Invalid { .. })), "cut at {length}");
    }
    let extended = read(format!("{text}x").as_bytes()).unwrap_err();
    assert!(matches!(&extended, FormatError::Invalid { what, .. } if what.contains("column")), "{extended}");
}

#[test]
fn c7_a_later_field_of_the_same_format_is_kept() {
    let bytes = with_field("zz_later", json!({"a": [1, "two", null]}));
    let manifest = read(&bytes).unwrap();
    assert_eq!(manifest.unknown["zz_later"], json!({"a": [1, "two", null]}));
    assert_eq!(manifest.to_bytes().unwrap(), bytes, "written back as it was");

    let forged = String::from_utf8(bytes).unwrap().replace("two", "too");
    assert!(matches!(read(forged.as_bytes()), Err(FormatError::Digest { .. })), "later fields are digested too");
}

#[test]
fn c8_a_newer_format_is_named_as_such_even_if_nothing_else_parses() {
    for text in [r#"{"format":2}"#, r#"{ "format": 2, "parts": "elsewhere", "manifest_sha512": 1 }"#] {
        let error = read(text.as_bytes()).unwrap_err();
        assert!(matches!(error, FormatError::Newer { found: 2, supported: 1, .. }), "{text}: {error}");
    }
    for text in ["{}", r#"{"format":"1"}"#, r#"{"format":-1}"#, "[]", "null", "", "\0", r#"{"format":1.5}"#] {
        let error = read(text.as_bytes()).unwrap_err();
        assert!(matches!(error, FormatError::Invalid { .. }), "{text}: {error}");
    }
}

#[test]
fn a_right_digest_does_not_make_wrong_fields_right() {
    let digested = |document: Value| {
        let mut document = document;
        let digest = Sha256Digest::of(&serde_json::to_vec(&document).unwrap());
        document["manifest_sha256"] = json!(digest.to_string());
        serde_json::to_vec(&document).unwrap()
    };
    let mut whole: Value = serde_json::from_str(&text()).unwrap();
    whole.as_object_mut().unwrap().remove("manifest_sha256");
    read(&digested(whole.clone())).unwrap();
    for (field, value) in [
        ("parts", json!([{"key": "../../etc/passwd"}])),
        ("parts", json!("none")),
        ("kind", json!("tape")),
        ("outcome", json!("fine")),
        ("sequence", json!(-1)),
        ("id", json!("not a uuid")),
    ] {
        let mut wrong = whole.clone();
        wrong[field] = value;
        assert!(matches!(read(&digested(wrong)), Err(FormatError::Invalid { .. })), "{field}");
    }
    let mut hostile = whole;
    hostile["parts"][0]["key"] = json!("pg/../../etc/passwd");
    let error = read(&digested(hostile)).unwrap_err();
    assert!(error.to_string().contains("`..`"), "{error}");
}

/// So that all amounts of a manifest here have a sum: see [`super::amounts`].
const AMOUNT_MAX: u64 = 1 << 58;

prop_compose! {
    fn any_part()(
        name in "[a-zé \"%]{1,20}",
        role in ".{0,10}",
        sizes in (0..AMOUNT_MAX, 0..AMOUNT_MAX),
        slice in prop::option::of((0..AMOUNT_MAX, 0..AMOUNT_MAX)),
        content in prop::option::of(any::<[u8; 4]>()),
        codec in prop::sample::select(vec![Codec::None, Codec::Zstd, Codec::Gzip]),
    ) -> Part {
        Part {
            key: Key::new(format!("pg/{name}/x")).unwrap(),
            role,
            content_sha256: content.map(|content| Sha256Digest::of(&content)),
            content_bytes: sizes.0,
            stored_sha256: Sha256Digest::of(b"x"),
            stored_bytes: sizes.1,
            codec,
            offset: slice.map(|slice| slice.0),
            length: slice.map(|slice| slice.1),
        }
    }
}

prop_compose! {
    fn any_manifest()(
        source in ".{0,30}",
        second in -60_000_000_000..200_000_000_000_i64,
        nanosecond in 0..1_000_000_000_i32,
        parent in prop::option::of(any::<u128>()),
        sequence in any::<u64>(),
        good in any::<bool>(),
        parts in prop::collection::vec(any_part(), 0..6),
        counts in prop::collection::btree_map(".{0,8}", any::<u64>(), 0..5),
        tags in prop::collection::vec(".{0,8}", 0..4),
        later in prop::option::of(".{0,20}"),
    ) -> Manifest {
        Manifest {
            source,
            identity: None,
            created_at: Timestamp::new(second, nanosecond).unwrap_or(Timestamp::UNIX_EPOCH),
            parent: parent.map(Uuid::from_u128),
            sequence,
            outcome: if good { Outcome::Good } else { Outcome::Partial },
            complete: None,
            parts,
            counts,
            tags,
            unknown: later.map(|later| ("zz_later".to_owned(), json!(later))).into_iter().collect(),
            ..manifest()
        }
    }
}

proptest! {
    #[test]
    fn manifests_round_trip(manifest in any_manifest()) {
        let bytes = manifest.to_bytes().unwrap();
        let back = read(&bytes).unwrap();
        prop_assert_eq!(back.to_bytes().unwrap(), bytes);
        prop_assert_eq!(back, manifest);
    }

    #[test]
    fn c5_no_flipped_bit_goes_unnoticed(manifest in any_manifest(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = manifest.to_bytes().unwrap().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read(&bytes).is_err());
    }
}

#[test]
fn what_is_encrypted_is_refused_whatever_it_requires() {
    let encryption = Some(Encryption { scheme: "age".to_owned(), recipients: vec!["age1x".to_owned()] });
    let error = read(&Manifest { encryption, ..manifest() }.to_bytes().unwrap()).unwrap_err();
    assert!(matches!(&error, FormatError::Requires { features, .. } if *features == ["encryption"]), "{error}");
    assert!(error.is_newer(), "nothing around it is deleted");
}

fn owning() -> Manifest {
    let [service, region, account, id] = ["ebs", "eu-west-1", "123456789012", "snap-1"].map(str::to_owned);
    manifest().with_external(vec![External { service, region, account, id, bytes: None }])
}

#[test]
fn what_a_backup_owns_elsewhere_comes_back_and_requires_its_feature() {
    let bytes = owning().to_bytes().unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let external = r#""external":[{"account":"123456789012","id":"snap-1","region":"eu-west-1","service":"ebs"}]"#;
    assert!(text.contains(external) && text.contains(r#""requires":["external"]"#), "{text}");
    assert_eq!(read(&bytes).unwrap(), owning());
    assert_eq!(owning().external[0].to_string(), "ebs:eu-west-1:123456789012:snap-1");
    assert_eq!(owning().with_external(Vec::new()), manifest(), "nothing of it is left");
    assert!(!text.is_empty() && !self::text().contains("requires"), "other manifests do not have the fields");
}

#[test]
fn external_resources_that_older_programs_would_ignore_are_neither_written_nor_read() {
    let careless = Manifest { requires: Vec::new(), ..owning() };
    assert!(matches!(careless.to_bytes(), Err(FormatError::Invalid { .. })));
    let unsaid = with_field("external", json!([{"account": "1", "id": "s", "region": "r", "service": "ebs"}]));
    let error = read(&unsaid).unwrap_err();
    assert!(error.to_string().contains("does not require the feature `external`"), "{error}");
    let mut nameless = owning();
    nameless.external[0].region.clear();
    assert!(nameless.to_bytes().is_err());
}

#[test]
fn a_required_feature_that_is_unknown_is_a_newer_format() {
    for (requires, unknown) in [(json!(["external", "vaults"]), "`vaults`"), (json!(["a", "b"]), "`a`, `b`")] {
        let error = read(&with_field("requires", requires)).unwrap_err();
        assert!(error.is_newer() && error.to_string().contains(&format!("requires {unknown}, which")), "{error}");
    }
    // Whatever else a newer version changed: it is asked first.
    let error = read(br#"{"format":1,"requires":["vaults"]}"#).unwrap_err();
    assert!(matches!(error, FormatError::Requires { .. }), "{error}");
    for wrong in [json!("external"), json!([1])] {
        let error = read(&with_field("requires", wrong)).unwrap_err();
        assert!(matches!(error, FormatError::Invalid { .. }), "{error}");
    }
}
