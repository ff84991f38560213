//! How much of a dump is read.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::error::{PgError, PgResult};

/// How much of a dump to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadAmount {
    /// Nothing: every object is there with its exact size.
    Structure,
    /// Every byte: digests of objects and frames; decompressed, rows counted and hashed.
    All,
    /// Every byte of one of `t` equal shares of the objects, so that `t` runs with n = 1, 2, … t read everything.
    Subset {
        /// Which share, from 1.
        n: u32,
        /// How many shares.
        t: u32,
    },
}

impl ReadAmount {
    pub(super) fn covers(self, part: usize) -> bool {
        match self {
            Self::Structure => false,
            Self::All => true,
            Self::Subset { n, t } => part % t.max(1) as usize + 1 == n as usize,
        }
    }
}

impl FromStr for ReadAmount {
    type Err = PgError;

    /// `none`, `all` or `n/t`.
    fn from_str(text: &str) -> PgResult<Self> {
        let share = || {
            let (n, t) = text.split_once('/')?;
            let (n, t) = (n.parse().ok()?, t.parse().ok()?);
            (1..=t).contains(&n).then_some(Self::Subset { n, t })
        };
        match text {
            "none" => Ok(Self::Structure),
            "all" => Ok(Self::All),
            _ => share().ok_or_else(|| PgError::Usage {
                what: format!("`{text}` is not an amount to read"),
                help: "use none, all, or a share such as 1/7".into(),
            }),
        }
    }
}

impl fmt::Display for ReadAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Structure => f.write_str("none"),
            Self::All => f.write_str("all"),
            Self::Subset { n, t } => write!(f, "{n}/{t}"),
        }
    }
}
