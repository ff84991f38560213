//! Names and texts from elsewhere, as a terminal may be sent them: what would move its cursor, change its settings or turn the
//! direction of writing is shown instead of obeyed.
//!
//! A table may be called anything, and a plan is read before it is confirmed. Whatever the sink is: what is in a file or a pager
//! today is on a terminal tomorrow. JSON stays exact, because its readers want names and not their looks.

use std::borrow::Cow;

/// What every colour begins with.
const ESCAPE: char = '\u{1b}';

/// A text of several lines. Ends of lines and tabs are ours.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    escaped(text, |c| is_obeyed(c) && c != '\n' && c != '\t')
}

/// A text of one line, such as a name: an end of a line in it would look like the next fact.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    escaped(text, is_obeyed)
}

/// A text whose colours are ours, of several lines. Only what sets colours passes.
pub(crate) fn styled(text: &str) -> Cow<'_, str> {
    if !text.contains(ESCAPE) {
        return escape(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(ESCAPE) {
        shown.push_str(&escape(&rest[..at]));
        let colour = colour_bytes(&rest[at..]);
        match colour {
            0 => shown.extend(ESCAPE.escape_default()),
            bytes => shown.push_str(&rest[at..at + bytes]),
        }
        rest = &rest[at + colour.max(ESCAPE.len_utf8())..];
    }
    shown.push_str(&escape(rest));
    shown.into()
}

/// How long the sequence is that `text` begins with and that sets colours; nothing if it is another one.
fn colour_bytes(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else { return 0 };
    let digits = parameters.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
    if parameters[digits..].starts_with('m') { "\u{1b}[".len() + digits + 1 } else { 0 }
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_escaped(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Whether a terminal does something else than to show the character where it stands: controls of both sets (U+009B is a whole
/// CSI), line and paragraph separators, marks and overrides of the direction of writing, and tags, which nobody sees.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{206f}'
                | '\u{feff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown() {
        let hostile = "a\u{1b}]0;owned\u{7}b\rc\u{9b}31md\u{202e}e\u{2067}f\u{7f}g";
        let shown = escape(hostile);
        assert_eq!(shown, "a\\u{1b}]0;owned\\u{7}b\\rc\\u{9b}31md\\u{202e}e\\u{2067}f\\u{7f}g");
        assert!(!shown.chars().any(is_obeyed));
        assert_eq!(escape("first\n\tsecond"), "first\n\tsecond");
        assert_eq!(line("first\n\tsecond"), "first\\n\\tsecond");
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in ["shop", "größe", "店", "متجر", "a\\b", "we\"ird é'", "👩\u{200d}💻"] {
            assert!(matches!(line(name), Cow::Borrowed(same) if same == name), "{name}");
        }
    }

    #[test]
    fn only_colours_pass_where_colours_are_ours() {
        let ours = "\u{1b}[1m\u{1b}[31merror:\u{1b}[0m";
        assert_eq!(styled(ours), ours);
        assert_eq!(styled("\u{1b}[2J\u{1b}[31m\u{1b}]0;x\u{7}\u{1b}"), "\\u{1b}[2J\u{1b}[31m\\u{1b}]0;x\\u{7}\\u{1b}");
    }
}
