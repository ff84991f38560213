//! Where and for what hooks run, and how one of them ends.

use crate::adapters::connection::Server;
use crate::run::Run;

/// Where and for what hooks run.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) server: &'a Server,
    /// The database they act on.
    pub(crate) database: &'a str,
    /// The database it is about: the one that is dumped or will be replaced.
    pub(crate) target: &'a str,
    /// The dump that is restored.
    pub(crate) key: Option<&'a str>,
    pub(crate) run: &'a Run,
}

/// How a hook ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Done,
    Failed(String),
    TimedOut,
    Cancelled,
}
