//! `docs/schema-coverage.md` names files, objects and rows; all of them exist.

use std::collections::BTreeSet;
use std::path::Path;

const PAGE: &str = include_str!("../../../../docs/schema-coverage.md");

/// What a cell names: files with words that stand in them, and rows.
fn named(cell: &str) -> (Vec<(String, Vec<String>)>, Vec<String>) {
    let (mut files, mut rows) = (Vec::new(), Vec::new());
    // Only outside of backticks does a semicolon end something.
    let mut parts = vec![String::new()];
    for (at, piece) in cell.split('`').enumerate() {
        if at % 2 == 1 {
            parts.last_mut().into_iter().for_each(|part| part.push_str(&format!("`{piece}`")));
            continue;
        }
        for (at, text) in piece.split(';').enumerate() {
            if at > 0 {
                parts.push(String::new());
            }
            parts.last_mut().into_iter().for_each(|part| part.push_str(text));
        }
    }
    for part in parts {
        let mut words = part.split('`').skip(1).step_by(2).map(str::to_owned);
        match words.next() {
            Some(file) => files.push((file, words.collect())),
            None => rows.extend(part.split(',').map(|row| row.trim().to_owned())),
        }
    }
    (files, rows)
}

#[test]
fn everything_that_the_page_names_exists() {
    let rows: BTreeSet<String> = crate::rows::all().unwrap().into_iter().map(|row| row.id).collect();
    let mut seen = BTreeSet::new();
    for line in PAGE.lines().filter(|line| line.starts_with("| ") && *line != "| what | shown by |") {
        let cell = line.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let (files, wanted) = named(cell);
        assert!(!files.is_empty() || !wanted.is_empty(), "nothing shows: {line}");
        for row in wanted {
            assert!(rows.contains(&row), "there is no row `{row}`: {line}");
        }
        for (file, objects) in files {
            let text = std::fs::read_to_string(Path::new(super::FILES).join(&file)).unwrap_or_default();
            assert!(!text.is_empty(), "there is no file `{file}`: {line}");
            assert!(!objects.is_empty(), "no object of `{file}` is named: {line}");
            for object in objects {
                assert!(text.contains(&object), "`{file}` has no `{object}`: {line}");
            }
            seen.insert(file);
        }
    }
    let all =
        std::fs::read_dir(super::FILES).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let unnamed: Vec<String> = all.filter(|file| !seen.contains(file)).collect();
    assert_eq!(unnamed, Vec::<String>::new(), "files that the page does not name");
}
