//! libpq's `options`: settings for the server's side of each session.

use crate::adapters::connection::parameter::invalid;
use crate::error::PgResult;

/// The options, if they are settings: `-c NAME=VALUE` and `--NAME=VALUE`, a space in a value with `\` before it. The other
/// switches that a server takes are for its developers.
pub(super) fn check(text: &str) -> PgResult<String> {
    let words = words(text);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("--").or_else(|| word.strip_prefix("-c").filter(|rest| !rest.is_empty()))
        {
            Some(setting) => Some(setting),
            None if word == "-c" => words.next().map(String::as_str),
            None => None,
        };
        let is_setting = |setting: &str| setting.split_once('=').is_some_and(|(name, _)| !name.is_empty());
        if !setting.is_some_and(is_setting) {
            return Err(invalid(
                "options",
                "(PGOPTIONS) contains something other than `-c NAME=VALUE` and `--NAME=VALUE`",
            ));
        }
    }
    Ok(text.to_owned())
}

/// As the server splits them.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.get_or_insert_default().extend(characters.next()),
            space if space.is_ascii_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_let_through_and_nothing_else() {
        for text in ["-c role=app", "-crole=app --work_mem=1MB", r"  -c search_path=a,\ b  ", "-c a="] {
            assert_eq!(check(text).unwrap(), text);
        }
        for text in ["-c", "-c role", "role=app", "-P", "-c role=app -S 5", "--", "-c =x", "-c role=a b"] {
            let error = check(text).unwrap_err().to_string();
            assert!(error.contains("PGOPTIONS"), "{text}");
        }
        assert_eq!(words(r"a\ b  c\\d"), ["a b", r"c\d"]);
    }
}
