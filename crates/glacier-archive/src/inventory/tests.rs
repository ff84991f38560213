//! What AWS sent to mt-aws-glacier, in JSON and in CSV, and what no inventory is.

use super::listed::{LINE_BYTES_MAX, Row};
use super::*;
use crate::error::GlacierError;

const REAL: &str = include_str!("../../tests/fixtures/mt-aws-glacier/inventory.json");
const HEADER: &str = "ArchiveId,ArchiveDescription,CreationDate,Size,SHA256TreeHash";

fn all(text: &str) -> GlacierResult<(Inventory, Vec<ListedArchive>)> {
    let mut archives = Vec::new();
    let inventory = read(text.as_bytes(), |archive| {
        archives.push(archive);
        Ok(())
    })?;
    Ok((inventory, archives))
}

#[test]
fn a_real_inventory_in_json_is_read() {
    let (inventory, archives) = all(REAL).unwrap();
    assert_eq!(inventory.vault.as_deref(), Some("arn:aws:glacier:us-east-1:222222223333:vaults/test1"));
    assert_eq!(inventory.made, Some("2013-11-06T02:51:29Z".parse().unwrap()));
    assert_eq!(inventory.archives, 4);
    let told: Vec<_> =
        archives.iter().map(|one| (one.description.as_str(), one.created.to_string(), one.bytes)).collect();
    assert_eq!(
        told,
        [
            ("textst zz123", "2012-08-23T19:08:30Z".to_owned(), 3_000_000),
            ("mt2 textst", "2012-08-23T19:09:17Z".to_owned(), 25_000_000),
            ("", "2012-08-23T19:11:42Z".to_owned(), 25_000_000),
            ("textstZ", "2012-08-23T19:20:08Z".to_owned(), 25_000_000),
        ]
    );
    assert!(archives[0].id.starts_with("95qYTtf_E_VV9B-bfk6LrbCmM85J7youtfNWepEVEHF1"));
    let tree_hash = "ef119aacb102f0c8790e0747a49f10e9b5d785656c04da3f069e6d26c7cc5819";
    assert_eq!(archives[3].tree_hash.to_string(), tree_hash);
}

#[test]
fn the_same_inventory_in_csv_says_the_same() {
    let (_, archives) = all(REAL).unwrap();
    let mut csv = format!("{HEADER}\r\n");
    for one in &archives {
        let ListedArchive { id, description, created, bytes, tree_hash } = one;
        csv.push_str(&format!("{id},\"{description}\",{created},{bytes},{tree_hash}\r\n"));
    }
    let (inventory, same) = all(&csv).unwrap();
    assert_eq!((inventory.archives, same), (4, archives));
}

fn row_of(header: &str, line: &str) -> [String; 5] {
    let mut rows = Vec::new();
    let text = format!("{header}\n{line}\n{line}");
    csv::rows(text.as_bytes(), |_, row| {
        rows.push(row);
        Ok(())
    })
    .unwrap();
    assert_eq!(rows[0], rows[1]);
    let Row { id, description, created, size, tree_hash } = rows.remove(0);
    [id, description, created, size, tree_hash]
}

/// The lines of mt-aws-glacier 1.120's `t/unit/glacier/inventory_csv.t`.
#[test]
fn every_line_of_csv_that_mt_aws_glacier_publishes_is_read_as_there() {
    assert_eq!(row_of(HEADER, "a,b,c,d,e"), ["a", "b", "c", "d", "e"]);
    let other = "CreationDate,Size,ArchiveId,ArchiveDescription,SHA256TreeHash";
    assert_eq!(row_of(other, "x,y,z,1,2"), ["z", "1", "x", "y", "2"]);
    for at in 0..5 {
        for (before, after) in [(" ", ""), ("", " "), (" ", " ")] {
            let mut values = ["a", "b", "c", "d", "e"].map(str::to_owned);
            values[at] = format!("{before}{}{after}", values[at]);
            assert_eq!(row_of(HEADER, &values.join(",")), ["a", "b", "c", "d", "e"]);
        }
    }
    let paths = [
        ("glacier-ui.exe", "20130313T040002Z"),
        ("dir2/+BEQEMAQ5BDs-3", "20130322T120043Z"),
        ("dir1/file1", "20130322T120026Z"),
        ("dir1/+BEQEMAQ5BDs-2", "20130322T120033Z"),
    ];
    let paths = paths.map(|(path, date)| {
        let plain = format!(r#"{{"Path":"{path}","UTCDateModified":"{date}"}}"#);
        (format!("\"{}\"", plain.replace('"', "\\\"")), plain)
    });
    let others = [
        (r#""""#, ""),
        (r#"",""#, ","),
        (r#""\"""#, "\""),
        (r#""x\"x""#, "x\"x"),
        (r#""ZZZZZZZZzzzzzzz,\"\"\", ,\\"""#, r#"ZZZZZZZZzzzzzzz,""", ,\""#),
        (r#""\""#, r"\"),
        (r#""\\"""#, r#"\""#),
    ];
    let others = others.map(|(field, plain)| (field.to_owned(), plain.to_owned()));
    for (field, expected) in paths.into_iter().chain(others) {
        for (header, line) in [
            (HEADER, format!("a,{field},c,d,e")),
            ("ArchiveDescription,ArchiveId,CreationDate,Size,SHA256TreeHash", format!("{field},a,b,c,d")),
            ("ArchiveId,CreationDate,Size,SHA256TreeHash,ArchiveDescription", format!("a,b,c,d,{field}")),
            ("ArchiveId,CreationDate,ArchiveDescription,Size,SHA256TreeHash", format!("a,b,{field},c,d")),
        ] {
            assert_eq!(row_of(header, &line)[1], expected, "{line}");
        }
    }
}

#[test]
fn what_is_no_inventory_is_refused_with_its_place() {
    for (text, expected) in [
        (REAL.trim_end().trim_end_matches('}').to_owned(), "EOF"),
        (REAL.replace("\"Size\":3000000", "\"Size\":-3"), "line 4"),
        (REAL.replace("2012-08-23T19:08:30Z", "soon"), "`soon` is no time"),
        (REAL.replace("ef0d2592", "zz0d2592"), "line 4"),
        (REAL.replace("ArchiveList", "Archives"), "it has no list"),
        (format!("{REAL}x"), "trailing"),
        ("a,b\nc,d".to_owned(), "line 1"),
        (format!("{HEADER}\na,b,c,d"), "line 2"),
        (format!("{HEADER}\na,b,soon,1,e"), "line 2: `soon` is no time"),
        (format!("{HEADER}\n{}", "x".repeat(LINE_BYTES_MAX + 1)), "too long"),
        (REAL.replace("textst zz123", &"x".repeat(LINE_BYTES_MAX)), "an entry is too long"),
        (REAL.replace("222222223333", &"2".repeat(LINE_BYTES_MAX)), "an entry is too long"),
        (" \n".to_owned(), "empty"),
        (String::new(), "empty"),
    ] {
        let error = all(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} has no `{expected}`");
    }
    let stopped = read(REAL.as_bytes(), |_| Err(GlacierError::Interrupted)).unwrap_err();
    assert!(matches!(stopped, GlacierError::Interrupted), "the caller's own error");
}

/// The limit is that of one entry, and begins anew with each.
#[test]
fn an_entry_has_a_limit_and_their_number_has_none() {
    let (_, archives) = all(REAL).unwrap();
    let entry = REAL.split_inclusive('}').next().unwrap().split_once('[').unwrap().1;
    let many = LINE_BYTES_MAX / entry.len() * 3;
    let text = REAL.replacen('[', &format!("[{}", format!("{entry},").repeat(many)), 1);
    let (inventory, all) = all(&text).unwrap();
    assert_eq!((inventory.archives, all.len()), (many as u64 + 4, many + 4));
    assert_eq!(all.last(), archives.last());
}

#[test]
fn it_does_not_matter_how_the_bytes_arrive() {
    let whole = all(REAL).unwrap();
    for bytes in [1, 2, 3, 7, 100, 1_000] {
        let mut archives = Vec::new();
        let input = std::io::BufReader::with_capacity(bytes, REAL.as_bytes());
        let inventory = json::read(input, |archive| {
            archives.push(archive);
            Ok(())
        });
        assert_eq!((inventory.unwrap(), archives), whole, "{bytes} bytes at once");
    }
}

#[test]
fn json_that_is_none_is_refused() {
    for text in [
        r#"{"ArchiveList":[],}"#,
        r#"{,"ArchiveList":[]}"#,
        r#"{"ArchiveList":[,]}"#,
        r#"{"ArchiveList":[] "x":1}"#,
        r#"{"ArchiveList" []}"#,
        r#"{"ArchiveList":{}}"#,
        r#"{"ArchiveList":[],"x":12"#,
        r#"{"ArchiveList":[],"x":1 2}"#,
        r#"{"ArchiveList":[],"ArchiveList":[]}"#,
        "{",
        "[]",
    ] {
        assert!(all(text).is_err(), "{text}");
    }
    let (inventory, _) = all(r#" { "x" : [1, {"y": null}] , "n":12,"ArchiveList":[ ] , "VaultARN":null} "#).unwrap();
    assert_eq!(inventory, Inventory::default());
}

#[test]
fn ids_may_begin_with_a_minus() {
    let (_, archives) = all(&REAL.replace("95qYTtf_", "-5qYTtf_")).unwrap();
    assert!(archives[0].id.starts_with("-5qYTtf_"));
}
