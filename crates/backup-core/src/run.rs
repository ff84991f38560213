//! What surrounds every operation: the time, somebody to tell, and a way to be stopped.

use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};
/// What stops a run.
pub use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, SystemClock};
use crate::progress::{SharedProgress, Silent};

/// The surroundings of one operation.
#[derive(Clone, Debug)]
pub struct Run {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Is told what happens.
    pub progress: SharedProgress,
    /// Set when the operation should stop and clear up.
    pub cancel: CancellationToken,
}

impl Run {
    /// A run that reports to `progress`, by the machine's clock.
    #[must_use]
    pub fn new(progress: SharedProgress) -> Self {
        Self { clock: Arc::new(SystemClock), progress, cancel: CancellationToken::new() }
    }

    /// A run that tells nobody, by the machine's clock.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(Arc::new(Silent))
    }

    /// The same run, stopped with this one and on its own: for a part of the work whose failure stops its other half.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { cancel: self.cancel.child_token(), ..self.clone() }
    }

    /// A step begins.
    pub fn step(&self, name: &'static str, detail: &str) {
        self.progress.step(name, detail);
    }

    /// A warning.
    pub fn warn(&self, message: impl Into<String>) {
        self.progress.warn(message.into());
    }

    /// Ends a cancelled run here, such as just before what it made comes into being.
    ///
    /// # Errors
    /// [`Cancelled`] if the run was cancelled; the caller's own error for it by `?`.
    pub fn stop_if_cancelled(&self) -> Result<(), Cancelled> {
        if self.cancel.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }

    /// Runs `work` until it ends or the run is cancelled; then it is dropped. For work that leaves nothing behind.
    ///
    /// # Errors
    /// What `work` returns; the caller's own error of a cancelled run.
    pub async fn or_cancelled<T, E: From<Cancelled>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        // The first of both is asked first: what fails because the run was cancelled is not told as a failure of its own.
        match select(pin!(self.cancel.cancelled()), pin!(work)).await {
            Either::Left(_) => Err(Cancelled.into()),
            Either::Right((result, _)) => result,
        }
    }
}

impl Default for Run {
    fn default() -> Self {
        Self::silent()
    }
}

/// The caller asked to stop. Every crate has an error of its own for it, which also says what is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Cancelled;

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::CoreError;

    #[tokio::test]
    async fn a_cancelled_run_ends_work_that_would_never_end() {
        let run = Run::silent();
        run.stop_if_cancelled().unwrap();
        let stop = run.cancel.clone();
        tokio::spawn(async move { stop.cancel() });
        let ended = run.or_cancelled(pending::<Result<(), CoreError>>()).await;
        assert!(matches!(ended, Err(CoreError::Cancelled)), "{ended:?}");
        assert_eq!(run.stop_if_cancelled(), Err(Cancelled));
    }

    #[tokio::test]
    async fn a_run_that_was_cancelled_before_begins_nothing() {
        let run = Run::silent();
        run.cancel.cancel();
        let ended: Result<(), CoreError> = run.or_cancelled(async { panic!("it was begun") }).await;
        assert!(matches!(ended, Err(CoreError::Cancelled)));
    }

    #[test]
    fn a_child_stops_with_its_parent_and_not_the_other_way_round() {
        let run = Run::silent();
        let child = run.child();
        child.cancel.cancel();
        run.stop_if_cancelled().unwrap();
        let other = run.child();
        run.cancel.cancel();
        assert_eq!(other.stop_if_cancelled(), Err(Cancelled));
    }
}
