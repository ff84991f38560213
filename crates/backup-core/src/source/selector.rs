//! Which backup of a source is asked for.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

/// What people write for [`Selector::Latest`].
pub const LATEST: &str = "latest";

/// Which backup of a source is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Selector {
    /// The newest complete one.
    #[default]
    Latest,
    /// The one of this key, as a listing shows it, whatever it lacks.
    Key(String),
    /// The newest complete one of this time or before.
    At(Timestamp),
}

impl Selector {
    /// The latest time at which the backup may have been made.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::At(time) => Some(*time),
            Self::Latest | Self::Key(_) => None,
        }
    }
}

impl From<&str> for Selector {
    fn from(text: &str) -> Self {
        if text == LATEST { Self::Latest } else { Self::Key(text.to_owned()) }
    }
}

impl FromStr for Selector {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}

impl From<Timestamp> for Selector {
    fn from(time: Timestamp) -> Self {
        Self::At(time)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str(LATEST),
            Self::Key(key) => f.write_str(key),
            Self::At(time) => write!(f, "{LATEST} at {time}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_latest_is_no_key_and_everything_else_is() {
        assert_eq!(Selector::from("latest"), Selector::Latest);
        assert_eq!(Selector::from("nightly/latest"), Selector::Key("nightly/latest".to_owned()));
        assert_eq!(Selector::Latest.to_string().parse(), Ok(Selector::Latest));
    }
}
