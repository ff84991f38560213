//! Q-tour: the README's sixty seconds, typed as they stand.

use crate::harness::{Failure, RowResult, World, page};
use crate::{ensure, ensure_eq};

const README: &str = include_str!("../../../../README.md");

/// The section that is typed, and where it ends.
const HEADING: &str = "\n## Sixty seconds\n";
const NEXT_HEADING: &str = "\n## ";

/// Fewer lines than the tour has.
const LINES_MIN: usize = 10;

/// What the table holds before the bad day and after it.
const ROWS: &str = "100000";

/// Types every line of the tour into one shell, on a server that has nothing yet: each ends well, and the rows are back.
pub(super) async fn typed(world: &World) -> RowResult {
    let lines = lines(README)?;
    ensure!(lines.len() >= LINES_MIN, "the tour has {} lines: they are not found in the README", lines.len());
    for line in &lines {
        // Not every shell takes a comment behind a command that is typed.
        ensure!(!line.contains('#') && !line.contains('…'), "`{line}` cannot be typed as it stands");
    }
    let printed = page::run(world, &format!("set -eu\n{}", lines.join("\n")), &[]).await?;
    ensure_eq!(printed.lines().filter(|line| *line == ROWS).count(), 2, "counts of {ROWS} rows in:\n{printed}");
    ensure_eq!(world.databases()?, ["shop", "shop_copy"], "databases after the tour");
    Ok(())
}

/// What is typed in the section.
fn lines(readme: &str) -> RowResult<Vec<&str>> {
    let (_, section) = readme.split_once(HEADING).ok_or_else(|| Failure::new("the README has no tour"))?;
    let section = section.split(NEXT_HEADING).next().unwrap_or_default();
    Ok(section.lines().filter_map(|line| line.strip_prefix("$ ")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_the_section_are_found_and_no_others() {
        let readme = "# a\n$ before\n\n## Sixty seconds\n\ntext\n$ one\nprinted\n$ two\n\n## Next\n$ three\n";
        assert_eq!(lines(readme).unwrap(), ["one", "two"]);
        assert!(lines("# a\n").is_err());
    }
}
