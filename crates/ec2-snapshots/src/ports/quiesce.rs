//! Holding an instance still while its snapshots are begun.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::{Ec2Error, Ec2Result};
use crate::model::Instance;

/// How consistent the snapshots of an instance are; each level includes the ones before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consistency {
    /// One moment of all volumes, as after a power cut.
    #[default]
    Crash,
    /// The file systems were frozen, with everything written that programs had handed over.
    Fs,
    /// Hooks had programs hand over everything before.
    App,
}

impl Consistency {
    /// As it is typed and tagged.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Fs => "fs",
            Self::App => "app",
        }
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Consistency {
    type Err = Ec2Error;

    /// # Errors
    /// [`Ec2Error::Usage`] for another word.
    fn from_str(name: &str) -> Result<Self, Ec2Error> {
        [Self::Crash, Self::Fs, Self::App]
            .into_iter()
            .find(|level| level.name() == name)
            .ok_or_else(|| Ec2Error::usage(format!("there is no consistency `{name}`"), "use `crash`, `fs` or `app`"))
    }
}

/// Holds instances still.
#[async_trait]
pub trait Quiesce: fmt::Debug + Send + Sync {
    /// Refuses what [`Quiesce::freeze`] would refuse, and holds nothing still: for a dry run.
    ///
    /// # Errors
    /// [`Ec2Error`].
    async fn check(&self, instance: &Instance, level: Consistency) -> Ec2Result<()>;

    /// Holds `instance` still at `level`, until [`Frozen::thaw`] or the deadline. What was held still is freed again if
    /// this fails, and by a watchdog on the instance if we die.
    ///
    /// # Errors
    /// [`Ec2Error`]; nothing is held still then.
    async fn freeze(&self, instance: &Instance, level: Consistency) -> Ec2Result<Box<dyn Frozen>>;
}

/// An instance that is held still.
#[async_trait]
pub trait Frozen: fmt::Debug + Send + Sync {
    /// How long it may still last before the watchdog ends it.
    fn left(&self) -> std::time::Duration;

    /// Frees it, and says which level held for the whole time: [`Consistency::Crash`] if the watchdog was faster.
    ///
    /// # Errors
    /// [`Ec2Error`] if it may still be held still; the error names the next command.
    async fn thaw(self: Box<Self>) -> Ec2Result<Consistency>;
}
