//! Pages whose commands are run: the guide for newcomers, done to the letter, and the documents of `--json`.

use regex_lite::Regex;

use crate::harness::{RowResult, World, page};

const FIRST_NIGHT: &str = include_str!("../../../../docs/guides/postgres-start.md");

const DOCUMENTS: &str = include_str!("../../../../docs/json.md");

/// What differs from run to run and machine to machine, and what stands for it in a comparison.
const VARIES: [(&str, &str); 10] = [
    (r"\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-\d{6}", "TIME"),
    (r"\d{4}-\d\d-\d\d", "DATE"),
    (r"\d{4}-W\d\d", "WEEK"),
    (r"\d[\d.,]* (B|KiB|MiB|ms|s|min)\b", "MUCH"),
    (r"(just now|MUCH ago)", "AGE"),
    (r"postgresql:\d+", "CLUSTER"),
    (r"\b([A-Za-z][A-Za-z0-9.-]*|127\.0\.0\.1):\d{4,5}\b", "SERVER"),
    (r"/\S+/bin/pg_(dump|restore)", "PROGRAM"),
    (r"\b\d+\.\d+( \(Debian [^)]*\))?", "VERSION"),
    (r"\d jobs", "JOBS"),
];

/// The guide: what is printed is what it says, but for times, sizes and versions.
pub(super) async fn first_night(world: &World) -> RowResult {
    page::done(world, FIRST_NIGHT, &[], |text| Ok(comparable(text))).await
}

/// The page about `--json`: every document has the keys it shows, each with a value of that type, and no others.
pub(super) async fn documents(world: &World) -> RowResult {
    page::documents(world, DOCUMENTS, &[]).await
}

fn comparable(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, stands) in VARIES {
        if let Ok(pattern) = Regex::new(pattern) {
            text = pattern.replace_all(&text, stands).into_owned();
        }
    }
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.trim_end().lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_compared_and_times_are_not() {
        assert_eq!(comparable("3 tables,  52,357 rows in 1.2 s\n\n"), "3 tables, 52,357 rows in MUCH");
    }

    #[test]
    fn every_pattern_is_one() {
        for (pattern, _) in VARIES {
            Regex::new(pattern).unwrap();
        }
    }
}
