//! The name of a region.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::Ec2Error;

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

impl FromStr for Region {
    type Err = Ec2Error;

    /// # Errors
    /// [`Ec2Error::Region`] for what no region is called: the name becomes a part of host names.
    fn from_str(name: &str) -> Result<Self, Ec2Error> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=NAME_LEN_MAX).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with('-') {
            Ok(Self(name.into()))
        } else {
            Err(Ec2Error::Region { given: name.to_owned(), candidates: Vec::new() })
        }
    }
}

impl TryFrom<String> for Region {
    type Error = Ec2Error;

    fn try_from(name: String) -> Result<Self, Ec2Error> {
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
