//! Storage classes and the tiers of a retrieval.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where archives are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Class {
    /// S3 Glacier Flexible Retrieval: minutes to hours.
    #[default]
    Glacier,
    /// S3 Glacier Deep Archive: half a day to two days.
    DeepArchive,
    /// S3 Glacier Instant Retrieval: at once.
    GlacierIr,
    /// A vault of the Glacier service, which is no class of S3: minutes to hours.
    Vault,
}

/// How fast, and how dearly, an archive is made readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// The slowest, often without a charge.
    Bulk,
    /// Between the two.
    Standard,
    /// The fastest; some classes do not have it, and without provisioned capacity it may be refused.
    Expedited,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Glacier, Self::DeepArchive, Self::GlacierIr, Self::Vault];

    /// Its name at S3.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Glacier => "GLACIER",
            Self::DeepArchive => "DEEP_ARCHIVE",
            Self::GlacierIr => "GLACIER_IR",
            Self::Vault => "VAULT",
        }
    }

    /// The tiers it can be retrieved by; none where nothing needs to be retrieved (AWS, "Archive retrieval options").
    #[must_use]
    pub fn tiers(self) -> &'static [Tier] {
        match self {
            Self::Glacier | Self::Vault => &[Tier::Bulk, Tier::Standard, Tier::Expedited],
            Self::DeepArchive => &[Tier::Bulk, Tier::Standard],
            Self::GlacierIr => &[],
        }
    }
}

impl Tier {
    /// Every tier, the slowest first.
    pub const ALL: [Self; 3] = [Self::Bulk, Self::Standard, Self::Expedited];

    /// Its name at AWS.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bulk => "Bulk",
            Self::Standard => "Standard",
            Self::Expedited => "Expedited",
        }
    }
}

/// A name that is none of a class or tier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is none of {expected}")]
pub struct UnknownName {
    /// What was given.
    pub found: String,
    /// What there is.
    pub expected: &'static str,
}

impl FromStr for Class {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let same = |class: &Self| class.as_str().eq_ignore_ascii_case(&text.replace('-', "_"));
        let expected = "GLACIER, DEEP_ARCHIVE, GLACIER_IR and VAULT";
        Self::ALL.into_iter().find(same).ok_or_else(|| UnknownName { found: text.to_owned(), expected })
    }
}

impl FromStr for Tier {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let same = |tier: &Self| tier.as_str().eq_ignore_ascii_case(text);
        let expected = "bulk, standard and expedited";
        Self::ALL.into_iter().find(same).ok_or_else(|| UnknownName { found: text.to_owned(), expected })
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_shown() {
        for class in Class::ALL {
            assert_eq!(class.to_string().parse(), Ok(class));
            assert_eq!(class.to_string().to_lowercase().replace('_', "-").parse(), Ok(class));
            assert_eq!(serde_json::to_string(&class).unwrap(), format!("\"{class}\""));
        }
        for tier in Tier::ALL {
            assert_eq!(tier.to_string().to_uppercase().parse(), Ok(tier));
        }
        assert!("STANDARD".parse::<Class>().is_err());
        assert!("fast".parse::<Tier>().is_err());
    }
}
