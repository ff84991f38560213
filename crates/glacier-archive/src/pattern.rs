//! Which files are meant: shell patterns over names.

/// Files by patterns; all without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only(pub Vec<String>);

impl Only {
    /// Whether the file is meant: one of the patterns fits its whole name, or the last segment of it.
    #[must_use]
    pub fn takes(&self, name: &str) -> bool {
        let last = name.rsplit('/').next().unwrap_or(name);
        self.0.is_empty() || self.0.iter().any(|pattern| fits(pattern, name) || fits(pattern, last))
    }
}

/// Whether `pattern` fits all of `text`: `*` stands for any characters, `?` for one.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut seen) = (0, 0);
    // Where to go on if the last `*` stood for too little.
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => match &mut star {
                None => return false,
                Some((begin, taken)) => {
                    *taken += 1;
                    (at, seen) = (*begin + 1, *taken);
                }
            },
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_in_a_shell() {
        for (pattern, text, expected) in [
            ("a*.pdf", "a1.pdf", true),
            ("a*.pdf", "b.pdf", false),
            ("*", "", true),
            ("?", "", false),
            ("a?c", "abc", true),
            ("*a*b", "xxayybzzb", true),
            ("*a*b", "xxayybzz", false),
            ("é?", "éü", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
        let only = Only(vec!["*.pdf".to_owned(), "2026/*".to_owned()]);
        assert!(only.takes("a/b.pdf") && only.takes("2026/x/y") && !only.takes("a/b.txt"));
        assert!(Only::default().takes("anything"));
    }
}
