//! Reads a queue of notifications empty, and leaves what is not ours.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use backup_core::run::Run;
use serde::Serialize;

use crate::error::GlacierResult;
use crate::listener::{Heard, Listener, Said};
use crate::sns::Rejected;
use crate::state::State;
use crate::watch::{Pause, Sleep};

/// The longest that one request waits for a message (AWS, "ReceiveMessage").
pub const WAIT_MAX: Duration = Duration::from_secs(20);

/// What later requests of the same run wait: without any wait SQS asks only some of its servers.
const WAIT_AGAIN: Duration = Duration::from_secs(1);

/// Requests of one run: a million messages. The next run goes on.
const REQUESTS_MAX: u32 = 100_000;

/// Messages left in the queue that are told one by one.
const LEFT_TOLD_MAX: usize = 10;

/// A message as the queue has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its id, the same each time it is received.
    pub id: String,
    /// By what it is deleted, another each time.
    pub receipt: String,
    /// What it says.
    pub body: String,
}

/// A queue that hands a message out again unless it is deleted.
#[async_trait]
pub trait MessageQueue: fmt::Debug + Send + Sync {
    /// Some messages; none if there were none for `wait`.
    ///
    /// # Errors
    /// What the queue says.
    async fn receive(&self, wait: Duration) -> GlacierResult<Vec<Received>>;

    /// Deletes messages that were received.
    ///
    /// # Errors
    /// What the queue says.
    async fn delete(&self, messages: &[Received]) -> GlacierResult<()>;
}

/// What was in a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Drained {
    /// Messages that were read and deleted.
    pub deleted: u64,
    /// Messages that are still there, since they are about archives of other catalogues, or are not believed.
    pub left: u64,
    /// What became of what they say.
    pub heard: Heard,
    /// Why some were left.
    pub reasons: Vec<String>,
}

/// Reads until nothing new comes, waiting up to `wait` for the first message. A message is deleted after what it says is
/// kept; whatever is not understood, or not for this catalogue, stays where it is. Needs the lock.
///
/// # Errors
/// What the queue says; as of the catalogue; [`GlacierError::Interrupted`](crate::GlacierError::Interrupted).
pub async fn drain(
    queue: &dyn MessageQueue,
    listener: &Listener,
    state: &State,
    wait: Duration,
    run: &Run,
) -> GlacierResult<Drained> {
    let (mut drained, mut seen, mut wait) = (Drained::default(), BTreeSet::new(), wait.min(WAIT_MAX));
    for _ in 0..REQUESTS_MAX {
        let messages = run.or_cancelled(queue.receive(wait)).await?;
        wait = WAIT_AGAIN;
        let mut done = Vec::new();
        let mut is_new = false;
        for message in messages {
            let first = seen.insert(message.id.clone());
            is_new |= first;
            match take(listener, state, &message, run).await? {
                Taken::Done(heard) => {
                    drained.heard.add(heard);
                    done.push(message);
                }
                Taken::Left(why) if first => {
                    drained.left += 1;
                    if drained.reasons.len() < LEFT_TOLD_MAX {
                        drained.reasons.push(format!("message `{}`: {why}", message.id.escape_debug()));
                    }
                }
                Taken::Left(_) => {}
            }
        }
        if !done.is_empty() {
            queue.delete(&done).await?;
            drained.deleted += done.len() as u64;
        }
        if !is_new {
            break;
        }
    }
    Ok(drained)
}

/// A queue with who understands it: hears of finished retrievals between two polls.
#[derive(Debug)]
pub struct Ears {
    queue: Arc<dyn MessageQueue>,
    listener: Listener,
}

impl Ears {
    /// Listens to `queue` by `listener`.
    #[must_use]
    pub fn new(queue: Arc<dyn MessageQueue>, listener: Listener) -> Self {
        Self { queue, listener }
    }

    /// As [`drain`].
    ///
    /// # Errors
    /// As [`drain`].
    pub async fn drain(&self, state: &State, wait: Duration, run: &Run) -> GlacierResult<Drained> {
        drain(&*self.queue, &self.listener, state, wait, run).await
    }
}

#[async_trait]
impl Pause for Ears {
    async fn pause(&self, state: &State, longest: Duration, run: &Run) -> GlacierResult<()> {
        let began = Instant::now();
        while let Some(left) = longest.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) {
            let asked = Instant::now();
            let wait = left.min(WAIT_MAX);
            if self.drain(state, wait, run).await?.heard.kept > 0 {
                return Ok(());
            }
            // Servers other than Amazon's may not wait.
            Sleep.pause(state, wait.saturating_sub(asked.elapsed()), run).await?;
        }
        Ok(())
    }
}

enum Taken {
    Done(Heard),
    Left(String),
}

async fn take(listener: &Listener, state: &State, message: &Received, run: &Run) -> GlacierResult<Taken> {
    let said =
        match run.or_cancelled(async { Ok::<_, crate::GlacierError>(listener.understand(&message.body).await) }).await?
        {
            Ok(said) => said,
            Err(rejected) => return Ok(left(rejected)),
        };
    match said {
        Said::Notices(notices) => {
            let heard = listener.hear(state, &notices)?;
            // All or nothing: what another catalogue has to hear must still be there for it.
            Ok(if heard.foreign > 0 {
                Taken::Left("it is about other archives".to_owned())
            } else {
                Taken::Done(heard)
            })
        }
        Said::Subscribe(link) => match listener.confirm(&link).await {
            Ok(()) => Ok(Taken::Done(Heard::default())),
            Err(rejected) => Ok(left(rejected)),
        },
    }
}

fn left(rejected: Rejected) -> Taken {
    tracing::warn!(%rejected, "a message has no effect");
    Taken::Left(rejected.to_string())
}
