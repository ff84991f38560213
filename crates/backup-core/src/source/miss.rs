//! Why a filter takes nothing: what it asks for that no backup has, and what there is instead. Pure.

use std::collections::BTreeSet;

/// Most names told of what there is: more than that are looked up in a listing.
const TOLD_MAX: usize = 10;

/// A filter takes nothing although there are backups: most likely a name was mistyped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Miss {
    /// What was asked for and is not there, such as "no dump of `shpo` in ./backups".
    pub what: String,
    /// What there is instead, such as "there are dumps of `shop`".
    pub there: String,
}

impl Miss {
    /// That there is no `what`, but `things` (such as "dumps of") `names`; `None` if there is nothing at all, which is no mistake of
    /// whoever asks.
    #[must_use]
    pub fn instead(
        what: impl Into<String>,
        things: &str,
        names: impl IntoIterator<Item = impl Into<String>>,
    ) -> Option<Self> {
        let names: BTreeSet<String> = names.into_iter().map(Into::into).collect();
        let mut told: Vec<String> = names.iter().take(TOLD_MAX).map(|name| format!("`{name}`")).collect();
        if names.len() > TOLD_MAX {
            told.push(format!("and {} more", names.len() - TOLD_MAX));
        }
        (!told.is_empty()).then(|| Self { what: what.into(), there: format!("there are {things} {}", told.join(", ")) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_is_told_once_each_and_not_without_end() {
        let miss = Miss::instead("no dump of `c`", "dumps of", ["b", "a", "b"]).unwrap();
        assert_eq!((miss.what.as_str(), miss.there.as_str()), ("no dump of `c`", "there are dumps of `a`, `b`"));
        assert_eq!(Miss::instead("no dump of `c`", "dumps of", [""; 0]), None, "an empty location");
        let many = Miss::instead("", "dumps of", (0..12).map(|at| format!("{at:02}"))).unwrap();
        assert!(many.there.ends_with("`09`, and 2 more"), "{}", many.there);
    }
}
