//! Which code of a crate is shipped, rather than compiled for tests alone.

use std::ops::RangeInclusive;

use super::lexer::code_only;

/// Whether the file at `path` is code of one of `crates` that is neither a test nor only for tests.
pub(super) fn is_production(crates: &[&str], path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    crates.iter().any(|home| path.starts_with(home))
        && name.ends_with(".rs")
        && !path.contains("/tests/")
        && name != "tests.rs"
        && !name.starts_with("test_")
}

/// Lines of the items that are compiled for tests alone, in code without literals.
pub(super) fn test_lines(code: &str) -> Vec<RangeInclusive<usize>> {
    let line_of = |at: usize| code[..at].matches('\n').count() + 1;
    code.match_indices("#[cfg(test)]").map(|(at, _)| line_of(at)..=line_of(item_end(code, at))).collect()
}

/// Whether a line of `text` is shipped.
pub(super) fn shipped(text: &str) -> impl Fn(&usize) -> bool {
    let tests = test_lines(&code_only(text));
    move |line| !tests.iter().any(|range| range.contains(line))
}

/// Where the item that begins at `from` ends: at its closing brace, or at `;` if it has no body.
fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, sign) in code[from..].char_indices() {
        match sign {
            ';' if depth == 0 => return from + at,
            '{' => depth += 1,
            '}' if depth <= 1 => return from + at,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}
