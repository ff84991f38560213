//! The word that was probably meant.

/// How like another a word must be to be taken for a slip of the pen, from 0 to 1.
const LIKENESS_MIN: f64 = 0.7;

/// The word most like `wrong`, if any is like it.
pub(super) fn nearest<'w>(wrong: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    // Whoever writes `exclude_table` or `lockTimeout` means the same key.
    let plain = |text: &str| text.to_lowercase().replace(['_', '-'], "");
    let like = |word: &str| strsim::normalized_damerau_levenshtein(&plain(wrong), &plain(word));
    let best = words.into_iter().max_by(|a, b| like(a).total_cmp(&like(b)))?;
    (like(best) >= LIKENESS_MIN).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_are_told_from_other_words() {
        let words = ["exclude-table", "exclude-table-data", "jobs", "lock-timeout"];
        assert_eq!(nearest("exclude_table", words), Some("exclude-table"));
        assert_eq!(nearest("exclude-tabel", words), Some("exclude-table"));
        assert_eq!(nearest("lockTimeout", words), Some("lock-timeout"));
        assert_eq!(nearest("job", words), Some("jobs"));
        assert_eq!(nearest("compression", words), None);
        assert_eq!(nearest("jobs", []), None);
    }
}
