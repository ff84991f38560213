//! `docs/situations.md` names rows; all of them exist.

use std::collections::BTreeSet;

const PAGE: &str = include_str!("../../../../docs/situations.md");

#[test]
fn every_row_that_the_page_names_exists_and_every_row_of_here_is_on_it() {
    let rows: BTreeSet<String> = crate::rows::all().unwrap().into_iter().map(|row| row.id).collect();
    let cells = PAGE.lines().filter(|line| line.starts_with("| ") && *line != "| what | shown by |");
    let cells = cells.filter_map(|line| line.trim_end_matches(" |").rsplit(" | ").next());
    let named: BTreeSet<String> = cells.flat_map(|cell| cell.split(", ")).map(str::to_owned).collect();
    assert!(named.len() > 20, "{named:?}");
    assert_eq!(named.difference(&rows).collect::<Vec<_>>(), Vec::<&String>::new(), "rows that do not exist");
    let here: BTreeSet<String> = super::rows().into_iter().map(|row| row.id).collect();
    assert_eq!(here.difference(&named).collect::<Vec<_>>(), Vec::<&String>::new(), "rows that the page does not name");
}
