//! Where SNS posts messages: a router for an application to mount behind its own TLS.
//!
//! GlacierOnRails answers 200 to everything and believes it. Here a message that is not authentic gets 403 and has no
//! effect, one that cannot be decided or kept now gets 503, after which SNS sends it again, and one that was delivered twice
//! is the same as once. That messages may be lost is not its business: whoever waits for a retrieval polls too.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State as Mounted};
use axum::http::StatusCode;
use axum::routing::post;

use crate::error::{GlacierError, GlacierResult};
use crate::listener::{Heard, Listener, Said};
use crate::notice::Notice;
use crate::sns::{MESSAGE_BYTES_MAX, Rejected};
use crate::state::State;

/// Opens the catalogue for one message, with its lock.
type Open = Box<dyn Fn() -> GlacierResult<State> + Send + Sync>;

/// What is posted, and what becomes of it.
pub struct Endpoint {
    listener: Listener,
    open: Open,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Takes messages by `listener`, and keeps what they say in the catalogue that `open` opens and locks, for each message
    /// anew: other processes use it too.
    #[must_use]
    pub fn new(listener: Listener, open: impl Fn() -> GlacierResult<State> + Send + Sync + 'static) -> Self {
        Self { listener, open: Box::new(open) }
    }

    /// Takes one message.
    pub async fn post(&self, text: &str) -> Answer {
        match self.listener.understand(text).await {
            Ok(Said::Notices(notices)) => self.keep(&notices),
            Ok(Said::Subscribe(link)) => match self.listener.confirm(&link).await {
                Ok(()) => Answer::Taken(Heard::default()),
                Err(rejected) => Answer::of(rejected),
            },
            Err(rejected) => Answer::of(rejected),
        }
    }

    fn keep(&self, notices: &[Notice]) -> Answer {
        match (self.open)().and_then(|state| self.listener.hear(&state, notices)) {
            Ok(heard) => Answer::Taken(heard),
            Err(error @ GlacierError::Held { .. }) => Answer::Later(error.to_string()),
            Err(error) => {
                tracing::error!(%error, "a message cannot be kept");
                Answer::Later(error.to_string())
            }
        }
    }
}

/// What a message is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was kept, or had nothing to say.
    Taken(Heard),
    /// It has no effect, and never will have.
    Refused(Rejected),
    /// It has no effect now.
    Later(String),
}

impl Answer {
    fn of(rejected: Rejected) -> Self {
        tracing::warn!(%rejected, "a message has no effect");
        match rejected {
            Rejected::Undecided(why) => Self::Later(why),
            rejected => Self::Refused(rejected),
        }
    }

    /// The status of HTTP.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Taken(_) => StatusCode::OK,
            Self::Refused(Rejected::Malformed(_)) => StatusCode::BAD_REQUEST,
            Self::Refused(_) => StatusCode::FORBIDDEN,
            Self::Later(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// A router that takes messages by `POST` at its root. The answer says nothing of why: that is in the log.
pub fn router(endpoint: Arc<Endpoint>) -> Router {
    Router::new().route("/", post(take)).layer(DefaultBodyLimit::max(MESSAGE_BYTES_MAX)).with_state(endpoint)
}

async fn take(Mounted(endpoint): Mounted<Arc<Endpoint>>, body: String) -> StatusCode {
    endpoint.post(&body).await.status()
}
