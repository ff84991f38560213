//! How a dump is named: by its key, or as the newest complete one of a database, now or at a moment.

use std::fmt;

use backup_core::source::{Identity, Wish};
use jiff::Timestamp;

/// Which dump is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Selector {
    /// The newest complete dump of a database, or one so many complete ones before it.
    Latest {
        /// The database.
        database: String,
        /// How many complete dumps to go back; 0 is the newest.
        back: usize,
    },
    /// The newest complete dump of a database that shows it at a moment or before: how it was then.
    At {
        /// The database.
        database: String,
        /// The moment; a dump that was taken later is not looked at.
        time: Timestamp,
    },
    /// The dump of this very key, whatever its state.
    Key(String),
    /// What somebody typed, which may be any of them: see [`find`](super::find()) for the order in which they are tried.
    Words(String),
}

impl Selector {
    /// The newest complete dump of `database`.
    #[must_use]
    pub fn latest(database: impl Into<String>) -> Self {
        Self::Latest { database: database.into(), back: 0 }
    }

    /// The newest complete dump of `database` that is from `time` or before.
    #[must_use]
    pub fn at(database: impl Into<String>, time: Timestamp) -> Self {
        Self::At { database: database.into(), time }
    }

    /// The dump of this key.
    #[must_use]
    pub fn key(key: impl Into<String>) -> Self {
        Self::Key(key.into())
    }
}

impl From<&str> for Selector {
    fn from(words: &str) -> Self {
        Self::Words(words.to_owned())
    }
}

impl From<String> for Selector {
    fn from(words: String) -> Self {
        Self::Words(words)
    }
}

/// As it can be typed.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest { database, back: 0 } => f.write_str(database),
            Self::Latest { database, back } => write!(f, "{database}~{back}"),
            Self::At { database, time } => write!(f, "{database}@{time}"),
            Self::Key(text) | Self::Words(text) => f.write_str(text),
        }
    }
}

/// A dump as somebody asks for it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Wanted {
    /// Which.
    pub selector: Selector,
    /// Only of this cluster: its id, its host, or [`UNKNOWN`](backup_core::source::UNKNOWN).
    pub cluster: Option<String>,
    /// The cluster somebody is connected to: its own dumps come first.
    pub here: Option<Identity>,
    /// Only of this configuration.
    pub config: Option<String>,
    /// Of any configuration if none was made with that one.
    pub config_may_be_missing: bool,
    /// The newest that can be read although newer ones cannot.
    pub allow_older: bool,
}

impl Wanted {
    /// The dump that `selector` means, of whatever cluster and configuration.
    #[must_use]
    pub fn new(selector: impl Into<Selector>) -> Self {
        Self {
            selector: selector.into(),
            cluster: None,
            here: None,
            config: None,
            config_may_be_missing: false,
            allow_older: false,
        }
    }

    /// Sets [`Wanted::cluster`].
    #[must_use]
    pub fn cluster(mut self, cluster: Option<String>) -> Self {
        self.cluster = cluster;
        self
    }

    /// Sets [`Wanted::here`].
    #[must_use]
    pub fn here(mut self, here: Identity) -> Self {
        self.here = Some(here);
        self
    }

    /// Sets [`Wanted::config`] and [`Wanted::config_may_be_missing`].
    #[must_use]
    pub fn config(mut self, config: Option<String>, may_be_missing: bool) -> Self {
        self.config = config;
        self.config_may_be_missing = may_be_missing;
        self
    }

    /// Sets [`Wanted::allow_older`].
    #[must_use]
    pub fn allow_older(mut self, allow: bool) -> Self {
        self.allow_older = allow;
        self
    }

    pub(super) fn wish(&self) -> Wish<'_> {
        match (&self.cluster, &self.here) {
            (Some(text), _) => Wish::Named(text),
            (None, Some(here)) => Wish::Here(here),
            (None, None) => Wish::Any,
        }
    }
}

impl<S: Into<Selector>> From<S> for Wanted {
    fn from(selector: S) -> Self {
        Self::new(selector)
    }
}

/// One of the dumps of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// So many complete ones before the newest.
    Back(usize),
    /// The newest complete one from then or before.
    At(Timestamp),
}

impl Which {
    pub(super) fn back(self) -> usize {
        match self {
            Self::Back(back) => back,
            Self::At(_) => 0,
        }
    }

    /// The moment after which no dump is looked at.
    pub(super) fn until(self) -> Option<Timestamp> {
        match self {
            Self::Back(_) => None,
            Self::At(latest) => Some(latest),
        }
    }

    /// Whether a dump of this moment is looked at.
    pub(super) fn sees(self, time: Timestamp) -> bool {
        self.until().is_none_or(|latest| time <= latest)
    }
}

/// What words mean that begin with a database: `shop~2` is two before the newest of `shop`, `shop@2026-11-21T03:00:00Z` the
/// newest from then or before, unless there is a database of that very name.
pub(super) fn of_database(words: &str) -> impl Iterator<Item = (&str, Which)> {
    let counted = words.rsplit_once('~').and_then(|(database, back)| Some((database, Which::Back(back.parse().ok()?))));
    let timed = words.rsplit_once('@').and_then(|(database, time)| Some((database, Which::At(time.parse().ok()?))));
    let all = [Some((words, Which::Back(0))), counted, timed];
    all.into_iter().flatten().filter(|(database, _)| !database.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_a_database_first_and_then_what_stands_behind_it() {
        let meant = |words: &str| of_database(words).map(|(name, which)| (name.to_owned(), which)).collect::<Vec<_>>();
        let time: Timestamp = "2026-11-21T03:00:00Z".parse().unwrap();
        assert_eq!(meant("shop"), [("shop".to_owned(), Which::Back(0))]);
        assert_eq!(meant("shop~2"), [("shop~2".to_owned(), Which::Back(0)), ("shop".to_owned(), Which::Back(2))]);
        let text = "shop@2026-11-21T04:00:00+01:00";
        assert_eq!(meant(text), [(text.to_owned(), Which::Back(0)), ("shop".to_owned(), Which::At(time))]);
        assert_eq!(meant("shop@noon").len(), 1);
        assert!(meant("").is_empty());
        for selector in [Selector::at("shop", time), Selector::Latest { database: "shop".into(), back: 2 }] {
            let typed = selector.to_string();
            assert!(
                of_database(&typed).any(|(database, which)| database == "shop" && which != Which::Back(0)),
                "{typed}"
            );
        }
    }

    #[test]
    fn a_moment_shows_what_was_there_then() {
        let [early, late] = ["2026-11-21T03:00:00Z", "2026-11-21T03:00:01Z"].map(|time| time.parse().unwrap());
        assert!(Which::At(early).sees(early) && !Which::At(early).sees(late) && Which::Back(1).sees(late));
    }
}
