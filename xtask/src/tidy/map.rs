//! The map in ARCHITECTURE.md: it names only files that exist, and every room of every crate.

use std::collections::{BTreeMap, BTreeSet};

/// The page with the map.
pub(crate) const PAGE: &str = "ARCHITECTURE.md";

/// How the section of a crate begins.
const HEADING: &str = "### `crates/";

/// Files of a crate's `src` that are no rooms: its door, and tests.
const NO_ROOMS: [&str; 3] = ["lib", "main", "tests"];

/// The part of the page about one crate.
#[derive(Debug, Default)]
struct Section {
    /// What it names, with the line: paths within the crate's `src`.
    names: Vec<(usize, String)>,
}

/// Every path of the page's map that does not exist, and every room that it does not name. `files` are all files, relative
/// to the root.
pub(crate) fn faults(page: &str, files: &[String]) -> Vec<String> {
    let sections = sections(page);
    let mut faults = Vec::new();
    for (name, section) in &sections {
        let home = format!("crates/{name}/src/");
        for (line, path) in &section.names {
            // Prose also names files of other crates, from the crate or from the root.
            let places = [format!("{home}{path}"), format!("crates/{path}"), path.clone()];
            let is_there = |place: &String| {
                files.iter().any(|file| file == place || (place.ends_with('/') && file.starts_with(place)))
            };
            if !places.iter().any(is_there) {
                faults.push(format!("{PAGE}:{line}: there is no `{path}` in `{home}`"));
            }
        }
    }
    for (name, room) in rooms(files) {
        let is_named = sections.get(&name).is_some_and(|section| {
            section.names.iter().any(|(_, path)| path.split(['/', '.']).next() == Some(room.as_str()))
        });
        if !is_named {
            faults.push(format!("{PAGE}: the map does not name the room `{room}` of `crates/{name}`"));
        }
    }
    faults
}

/// Crate and name of each file and folder directly in a crate's `src`.
fn rooms(files: &[String]) -> BTreeSet<(String, String)> {
    let room = |file: &String| {
        let (name, rest) = file.strip_prefix("crates/")?.split_once("/src/")?;
        let first = rest.split('/').next()?;
        let room = first.strip_suffix(".rs").or_else(|| rest.contains('/').then_some(first))?;
        let counts = !NO_ROOMS.contains(&room) && !room.starts_with("test_");
        counts.then(|| (name.to_owned(), room.to_owned()))
    };
    files.iter().filter_map(room).collect()
}

fn sections(page: &str) -> BTreeMap<String, Section> {
    let mut sections: BTreeMap<String, Section> = BTreeMap::new();
    let mut current: Option<String> = None;
    for (number, line) in page.lines().enumerate() {
        if let Some(rest) = line.strip_prefix(HEADING) {
            current = rest.split('`').next().map(ToOwned::to_owned);
        } else if line.starts_with("## ") || line.starts_with("### ") {
            current = None;
        }
        let Some(name) = &current else { continue };
        let section = sections.entry(name.clone()).or_default();
        // Every other piece between backticks.
        let quoted = line.split('`').skip(1).step_by(2).filter(|_| !line.starts_with("### "));
        let paths = quoted.flat_map(expand).filter(|path| path.ends_with(".rs") || path.ends_with('/'));
        section.names.extend(paths.filter(|path| !path.contains([' ', '<', '*'])).map(|path| (number + 1, path)));
    }
    sections
}

/// `a/{b,c}.rs` as `a/b.rs` and `a/c.rs`.
fn expand(text: &str) -> Vec<String> {
    let Some((before, rest)) = text.split_once('{') else { return vec![text.to_owned()] };
    let Some((choices, after)) = rest.split_once('}') else { return vec![text.to_owned()] };
    choices.split(',').flat_map(|choice| expand(&format!("{before}{choice}{after}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [&str; 7] = [
        "crates/a/src/lib.rs",
        "crates/a/src/store.rs",
        "crates/a/src/store/fs.rs",
        "crates/a/src/store/s3.rs",
        "crates/a/src/bin/tool.rs",
        "crates/a/src/test_dump.rs",
        "crates/a/Cargo.toml",
    ];

    fn said(page: &str) -> Vec<String> {
        faults(page, &FILES.map(str::to_owned))
    }

    #[test]
    fn a_map_of_what_is_there_passes() {
        let page =
            "### `crates/a`: one\n\n| `store.rs` | x |\n| `store/{fs,s3}.rs`, `bin/` | y |\n\nSee `a/src/store.rs`.\n";
        assert_eq!(said(page), [""; 0]);
    }

    #[test]
    fn what_is_not_there_and_what_is_not_named_is_told() {
        let page = "### `crates/a`: one\n\n| `store/{fs,gs}.rs` | x |\n\n## Layout\n\n`bin/`, `plan.rs`\n";
        assert_eq!(
            said(page),
            [
                "ARCHITECTURE.md:3: there is no `store/gs.rs` in `crates/a/src/`",
                "ARCHITECTURE.md: the map does not name the room `bin` of `crates/a`",
            ]
        );
    }

    #[test]
    fn a_crate_without_a_section_has_no_room_named() {
        assert_eq!(said("# Architecture\n").len(), 2);
    }
}
