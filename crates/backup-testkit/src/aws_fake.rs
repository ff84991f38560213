//! The room that fakes of AWS's services share: HTTP, a virtual clock, scripted faults, a log of calls, the control plane.
//!
//! A fake implements [`Service`] and is started by [`FakeServer::start`]. It listens on this machine only and serves every
//! region and account at one address: both are read from the request's signature ([`Caller`]), as AWS's own endpoints
//! do ("Create a signed AWS API request", AWS General Reference). Signatures themselves are not verified: there is no
//! secret to keep. Time is the fake's own ([`VirtualClock`]), so that what takes hours at AWS takes none here.
//! From other processes it is controlled by JSON over HTTP: see [`control`].

mod caller;
mod clock;
pub mod control;
mod front;
mod log;
mod room;
mod server;
mod service;

pub use self::caller::{Caller, DEFAULT_ACCOUNT, environment};
pub use self::clock::VirtualClock;
pub use self::log::Call;
pub use self::server::{FakeOptions, FakeServer};
pub use self::service::{ApiError, Received, Reply, Route, Service, json_error, reply};
