//! Waiting for what EC2 and instances take their time for.

use std::time::Duration;

use backup_core::run::Run;
use tokio::time::{Instant, sleep};

use crate::error::{Ec2Error, Ec2Result};

/// The pauses between looks, which grow: most things take seconds, some minutes.
const LOOK_FIRST: Duration = Duration::from_millis(500);
const LOOK_MAX: Duration = Duration::from_secs(10);

/// Looks until there is something, for `limit` at most.
///
/// # Errors
/// [`Ec2Error::Machine`] with `what` if it takes longer; those of `look`; [`Ec2Error::Interrupted`].
pub(super) async fn until<T, F>(
    limit: Duration,
    what: impl Fn() -> String,
    run: &Run,
    mut look: impl FnMut() -> F,
) -> Ec2Result<T>
where
    F: Future<Output = Ec2Result<Option<T>>>,
{
    let (begin, mut every) = (Instant::now(), LOOK_FIRST);
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if begin.elapsed() >= limit {
            return Err(Ec2Error::Machine { what: format!("{} within {} s", what(), limit.as_secs()) });
        }
        pause(every, run).await?;
        every = (every * 2).min(LOOK_MAX);
    }
}

/// Waits so long, or until the run is cancelled.
pub(super) async fn pause(length: Duration, run: &Run) -> Ec2Result<()> {
    let slept = async {
        sleep(length).await;
        Ok::<(), Ec2Error>(())
    };
    run.or_cancelled(slept).await
}
