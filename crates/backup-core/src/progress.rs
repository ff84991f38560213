//! Progress events of a run, for the caller to display.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::failure::Remedy;

/// Something a run has to say while it works.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A step begins. Names are stable, dotted and lower-case: `dump.snapshot`, `swap.rename`.
    Step {
        /// The step.
        name: &'static str,
        /// What it acts on, for people.
        detail: String,
    },
    /// How much there will be, as soon as it is known.
    Total {
        /// Bytes of source data, estimated.
        bytes: u64,
        /// Things (tables, objects) to work through.
        items: u64,
    },
    /// Work done since the last such event.
    Advance {
        /// Bytes of source data.
        bytes: u64,
        /// Things finished.
        items: u64,
    },
    /// A request of the location failed for now and is tried again. Told now and then for each kind of request, and not for
    /// every request of a location that is slow for all of them.
    Retry {
        /// The kind of request, in the store's own words: an IAM action such as `s3:PutObject`, or a file operation.
        request: String,
        /// The key or prefix of one such request.
        key: String,
        /// Why it failed.
        why: String,
        /// Which attempt follows; the first was 1.
        attempt: usize,
        /// After how many it is given up.
        attempts_max: usize,
    },
    /// A line that a program of the user's printed, without secrets.
    Output {
        /// What the program is to the run, in a word.
        from: String,
        /// The line, without its end.
        line: String,
    },
    /// Something the user should know and that stops nothing.
    Warning {
        /// One sentence.
        message: String,
        /// What to do about it.
        #[serde(skip_serializing_if = "Option::is_none")]
        remedy: Option<Remedy>,
    },
}

/// Receives [`Event`]s. Must not block for long: it is called from the working tasks.
pub trait Progress: fmt::Debug + Send + Sync {
    /// Takes one event.
    fn event(&self, event: Event);

    /// A step begins; an implementation may stop the process here (fault tests do).
    fn step(&self, name: &'static str, detail: &str) {
        tracing::info!(target: "lastgood::step", %detail, "{name}");
        self.event(Event::Step { name, detail: detail.to_owned() });
    }

    /// A warning.
    fn warn(&self, message: String) {
        self.event(Event::Warning { message, remedy: None });
    }

    /// A warning, and what to do about it.
    fn advise(&self, message: String, remedy: Remedy) {
        self.event(Event::Warning { message, remedy: Some(remedy) });
    }
}

/// A shared receiver.
pub type SharedProgress = Arc<dyn Progress>;

/// Receives and forgets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _event: Event) {}
}
