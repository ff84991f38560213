//! Which files are meant: shell patterns over names.

use serde::{Deserialize, Serialize};

/// What is meant of a backup: everything, unless something is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only {
    /// Files by patterns; all without one.
    pub patterns: Vec<String>,
    /// Which of its parts.
    pub parts: Parts,
}

/// The parts of a backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parts {
    /// The files and the database; only files if there are patterns.
    #[default]
    All,
    /// The files.
    Files,
    /// The database.
    Database,
}

impl Only {
    /// Files by patterns; everything without one.
    #[must_use]
    pub fn of(patterns: Vec<String>) -> Self {
        Self { patterns, parts: Parts::All }
    }

    /// Of what is meant, only this part.
    #[must_use]
    pub fn but(&self, parts: Parts) -> Self {
        Self { patterns: self.patterns.clone(), parts }
    }

    /// Whether the file is meant: one of the patterns fits its whole name, or the last segment of it.
    #[must_use]
    pub fn takes(&self, name: &str) -> bool {
        self.parts != Parts::Database
            && (self.patterns.is_empty() || self.patterns.iter().any(|pattern| fits_path(pattern, name)))
    }

    /// Whether the database is meant.
    #[must_use]
    pub fn takes_database(&self) -> bool {
        match self.parts {
            Parts::All => self.patterns.is_empty(),
            Parts::Database => true,
            Parts::Files => false,
        }
    }
}

/// What a backup leaves out on request: whatever one of these patterns fits, by its whole path or its last segment, and all that is
/// in a folder which one fits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Excluded(pub Vec<String>);

impl Excluded {
    /// Whether nothing is left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a pattern fits this path itself. `thumbs/`, as people write a folder for other programs, is `thumbs`.
    #[must_use]
    pub fn fits(&self, path: &str) -> bool {
        self.0.iter().any(|pattern| fits_path(pattern.trim_end_matches('/'), path))
    }

    /// Whether a file of this name is left out, for itself or for a folder that it is in.
    #[must_use]
    pub fn takes(&self, name: &str) -> bool {
        let folders = name.match_indices('/').map(|(end, _)| &name[..end]);
        folders.chain([name]).any(|path| self.fits(path))
    }
}

/// Whether the pattern fits the whole path, or the last segment of it.
fn fits_path(pattern: &str, path: &str) -> bool {
    fits(pattern, path) || fits(pattern, path.rsplit('/').next().unwrap_or(path))
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
        let only = Only::of(vec!["*.pdf".to_owned(), "2026/*".to_owned()]);
        assert!(only.takes("a/b.pdf") && only.takes("2026/x/y") && !only.takes("a/b.txt"));
        assert!(Only::default().takes("anything") && Only::default().takes_database());
        assert!(!only.takes_database() && only.but(Parts::Database).takes_database());
        assert!(!Only::default().but(Parts::Database).takes("anything"));
    }

    #[test]
    fn what_is_in_a_folder_that_is_left_out_is_left_out_too() {
        let excluded = Excluded(["thumbs", "*.tmp", "2026/draft*"].map(str::to_owned).into());
        for name in ["thumbs", "thumbs/1.png", "a/thumbs/b/1.png", "a/x.tmp", "x.tmp/1", "2026/drafts/1", "2026/draft"]
        {
            assert!(excluded.takes(name), "{name}");
        }
        for name in ["a/1.png", "thumbs2/1", "x.tmpl", "b/2026/drafts/1", ""] {
            assert!(!excluded.takes(name), "{name}");
        }
        assert!(!Excluded::default().takes("a"));
        let folder = Excluded(vec!["thumbs/".to_owned()]);
        assert!(folder.takes("a/thumbs/1.png") && !folder.takes("a/1.png"));
    }
}
