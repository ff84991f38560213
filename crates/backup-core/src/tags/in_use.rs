//! Which tags are in use: pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

/// A tag, and which backups have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InUse {
    /// The tag.
    pub tag: String,
    /// How many backups have it.
    pub backups: u64,
    /// The key of the newest of them.
    pub newest: String,
    /// When that was made.
    pub time: Timestamp,
}

impl InUse {
    /// The tag `tag` of so many backups, the newest of which is `newest`, of `time`.
    #[must_use]
    pub fn new(tag: impl Into<String>, backups: u64, newest: impl Into<String>, time: Timestamp) -> Self {
        Self { tag: tag.into(), backups, newest: newest.into(), time }
    }
}

/// The tags of backups of which key, time and tags are given, by name.
#[must_use]
pub fn in_use<'a>(backups: impl IntoIterator<Item = (String, Timestamp, &'a [String])>) -> Vec<InUse> {
    let mut found: BTreeMap<&str, InUse> = BTreeMap::new();
    for (key, time, tags) in backups {
        for tag in tags {
            let of = found.entry(tag).or_insert_with(|| InUse::new(tag, 0, key.as_str(), time));
            of.backups += 1;
            if time >= of.time {
                of.time = time;
                of.newest.clone_from(&key);
            }
        }
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_counted_and_the_newest_of_each_is_named() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let both = ["keep".to_owned(), "env=prod".to_owned()];
        let backups = [
            ("b".to_owned(), at(2), &both[..]),
            ("a".to_owned(), at(1), &both[..1]),
            ("c".to_owned(), at(3), &both[..0]),
        ];
        assert_eq!(in_use(backups), [InUse::new("env=prod", 1, "b", at(2)), InUse::new("keep", 2, "b", at(2))]);
        assert_eq!(in_use([]), []);
    }
}
