//! The name of a region.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest name accepted: AWS's are up to 16 letters, and nothing else becomes part of a host name.
const NAME_LEN_MAX: usize = 32;

/// A region of AWS, by its full name, such as `eu-west-1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(Arc<str>);

impl Region {
    /// A region that a constant names.
    #[cfg(feature = "ec2")]
    pub(crate) fn constant(name: &'static str) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name that no region can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no region is called `{given}`")]
pub struct InvalidRegion {
    /// What was given.
    pub given: String,
}

impl FromStr for Region {
    type Err = InvalidRegion;

    /// # Errors
    /// [`InvalidRegion`] for what no region is called: the name becomes a part of host names.
    fn from_str(name: &str) -> Result<Self, InvalidRegion> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=NAME_LEN_MAX).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with('-') {
            Ok(Self(name.into()))
        } else {
            Err(InvalidRegion { given: name.to_owned() })
        }
    }
}

impl TryFrom<String> for Region {
    type Error = InvalidRegion;

    fn try_from(name: String) -> Result<Self, InvalidRegion> {
        name.parse()
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.0.to_string()
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
