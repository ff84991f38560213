//! Frees what a dead run left frozen, by the records on the host.

use std::time::Duration;

use super::error::FreezeError;
use super::said::{Said, failure};
use super::script;
use crate::host::{HostError, Shell};

/// For all of it: each file system may have to be mounted for a moment, which is given up after 20 s.
const LIMIT: Duration = Duration::from_secs(300);

/// What became of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was frozen, and is not any more.
    Thawed,
    /// It was frozen and no longer mounted. It was mounted elsewhere for a moment, thawed and unmounted.
    ThawedUnmounted,
    /// It was not frozen any more.
    Clean,
    /// It cannot be thawed.
    Stuck,
    /// A run that lives is freezing it; it was left alone.
    Live,
}

/// A file system of a record, or a run that lives.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Found {
    /// What became of it.
    pub verdict: Verdict,
    /// Device number, source and mount point; with [`Verdict::Live`] the run and who runs it; with [`Verdict::Stuck`] why.
    pub what: String,
}

impl Found {
    fn parse(line: &str) -> Option<Self> {
        let (word, what) = line.strip_prefix("lastgood ")?.split_once(' ')?;
        let verdict = match word {
            "thawed" => Verdict::Thawed,
            "thawed-unmounted" => Verdict::ThawedUnmounted,
            "clean" => Verdict::Clean,
            "stuck" => Verdict::Stuck,
            "live" => Verdict::Live,
            _ => return None,
        };
        Some(Self { verdict, what: what.to_owned() })
    }
}

/// Thaws what dead runs left frozen on the host. What a run that lives has frozen, and what others froze, is left alone.
///
/// # Errors
/// [`FreezeError::Host`].
pub async fn thaw(shell: &dyn Shell) -> Result<Vec<Found>, FreezeError> {
    thawed_by(shell, None).await
}

/// As [`thaw`], or for the one run `id`, alive or not.
pub(super) async fn thawed_by(shell: &dyn Shell, id: Option<&str>) -> Result<Vec<Found>, FreezeError> {
    let answer = shell.run(&script::thaw(id), LIMIT).await?;
    let mut ended = false;
    for said in answer.lines().filter_map(Said::parse) {
        match said {
            Said::Failed { why, what } => return Err(failure(shell.host(), &why, &what, String::new)),
            Said::Done => ended = true,
            _ => {}
        }
    }
    if ended {
        return Ok(answer.lines().filter_map(Found::parse).collect());
    }
    let last = answer.lines().last().unwrap_or_default();
    Err(HostError::Unreachable { host: shell.host().to_owned(), said: format!("its answer ends with `{last}`") }.into())
}
