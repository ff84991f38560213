//! Tests that a page names: each is one that exists, so that the page's word can fail.

/// Pages with tables whose last column names tests, each with where its tests are.
const PAGES: [(&str, [&str; 2]); 5] = [
    ("docs/guides/glacier.md", ["crates/glacier-archive/", "tests/src/rows/"]),
    ("docs/guides/dictstore.md", ["crates/dictstore-backup/", "tests/src/rows/"]),
    ("docs/guides/ec2.md", ["crates/ec2-snapshots/", "tests/src/rows/"]),
    ("docs/guides/objects.md", ["crates/object-backup/", "tests/src/rows/"]),
    ("docs/guides/postgres.md", ["crates/pg-clone/", "tests/src/"]),
];

/// The title of such a column.
const TITLE: &str = "test";

/// The pages seen so far, and the sources their tests are in.
#[derive(Debug, Default)]
pub(crate) struct Named {
    pages: Vec<(&'static str, String)>,
    sources: Vec<(String, String)>,
}

impl Named {
    /// Takes note of a file.
    pub(crate) fn see(&mut self, path: &str, text: &str) {
        for (page, homes) in PAGES {
            if path == page {
                self.pages.push((page, text.to_owned()));
            } else if path.ends_with(".rs") && homes.iter().any(|home| path.starts_with(home)) {
                self.sources.push((path.to_owned(), text.to_owned()));
            }
        }
    }

    /// Rows without a test, and tests that do not exist.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (page, text) in &self.pages {
            for (number, names) in rows(text) {
                if names.is_empty() {
                    faults.push(format!("{page}:{number}: names no test"));
                }
                let missing = names.into_iter().filter(|name| !self.exists(name));
                faults.extend(missing.map(|name| format!("{page}:{number}: there is no test `{name}`")));
            }
        }
        faults
    }

    /// A function, a row of the acceptance run, or a benchmark.
    fn exists(&self, name: &str) -> bool {
        if let Some(bench) = name.strip_prefix("bench ") {
            let homes = [format!("tests/src/bench/{bench}.rs"), format!("tests/src/bench/{bench}/")];
            return self.sources.iter().any(|(path, _)| homes.iter().any(|home| path.starts_with(home)));
        }
        let is_row = name.starts_with(|c: char| c.is_ascii_uppercase());
        let pattern = if is_row { format!("\"{name}\",") } else { format!("fn {name}(") };
        self.sources.iter().any(|(_, text)| text.contains(&pattern))
    }
}

/// Line number and names of each row of the tables whose last column has the title.
fn rows(text: &str) -> Vec<(usize, Vec<&str>)> {
    let mut found = Vec::new();
    let mut within = false;
    for (number, line) in text.lines().enumerate() {
        let Some(cells) = line.strip_prefix('|').and_then(|line| line.trim_end().strip_suffix('|')) else {
            within = false;
            continue;
        };
        let last = cells.rsplit('|').next().unwrap_or(cells).trim();
        if !within {
            within = last == TITLE;
        } else if !last.starts_with("---") {
            // Every other piece between backticks.
            found.push((number + 1, last.split('`').skip(1).step_by(2).collect()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(page: &str) -> Vec<String> {
        let mut named = Named::default();
        named.see("docs/guides/dictstore.md", page);
        named.see("crates/dictstore-backup/tests/a.rs", "//! One.\n#[test]\nfn it_holds() {}\n");
        named.see("tests/src/rows/dict.rs", "Row::new(\"D1\", \"…\")");
        named.see("crates/other/tests/a.rs", "fn elsewhere() {}");
        named.faults()
    }

    #[test]
    fn names_are_looked_up_where_the_tests_of_the_page_are() {
        assert!(faults("| a | test |\n|---|---|\n| x | `it_holds`, row `D1` |\n").is_empty());
        for row in ["| x | |", "| x | `it_hold` |", "| x | `elsewhere` |", "| x | `it_holds`, `D2` |", "| x | t6 |"] {
            assert_eq!(faults(&format!("| a | test |\n|---|---|\n{row}\n")).len(), 1, "{row}");
        }
    }

    #[test]
    fn a_benchmark_may_show_it() {
        let mut named = Named::default();
        named.see("tests/src/bench/pg/jobs.rs", "");
        named.see(
            "docs/guides/postgres.md",
            "| a | test |\n|---|---|\n| x | `bench pg`: size |\n| y | `bench dict` |\n",
        );
        assert_eq!(named.faults(), ["docs/guides/postgres.md:4: there is no test `bench dict`"]);
    }

    #[test]
    fn other_tables_are_left_alone() {
        assert!(faults("| a | b |\n|---|---|\n| x | `nothing` |\n\ntext `nothing`\n").is_empty());
    }
}
