//! The files: DictDB's full JSON and delta JSON, and pickle.

pub(crate) mod delta;
pub(crate) mod full;
pub(crate) mod pickle;
pub(crate) mod rows;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Format of a full backup. Deltas are always JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// DictDB's JSON.
    #[default]
    Json,
    /// Python's pickle, protocol 4, of DictDB's classes.
    Pickle,
}

impl Format {
    /// Its name, and the extension of its files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Pickle => "pickle",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    /// Any case, as DictDB takes it.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "json" => Ok(Self::Json),
            "pickle" => Ok(Self::Pickle),
            _ => Err(format!("unknown format `{text}`: use `json` or `pickle`")),
        }
    }
}

#[cfg(test)]
mod tests;
