//! The one place that every client of AWS is made from: credentials, region, endpoint, time limits, what errors mean.
//!
//! A client of any service is made of [`Settings::sdk`], which has the SDK's own retries off: [`crate::retry`] is the only
//! layer that tries again. EC2's create calls have no client token, so that one repeated unseen would make a duplicate.
//! Whoever calls a service turns its errors into a [`RequestError`] and asks it whether trying again can help.

#[cfg(feature = "aws")]
mod ca_bundle;
mod credentials;
#[cfg(feature = "aws")]
mod endpoint;
#[cfg(feature = "aws")]
mod learning;
#[cfg(feature = "aws")]
mod request_error;
#[cfg(feature = "aws")]
mod settings;
#[cfg(feature = "aws")]
mod unfound;

pub use self::credentials::Credentials;
#[cfg(feature = "aws")]
pub(crate) use self::endpoint::shown;
#[cfg(feature = "aws")]
pub use self::request_error::{Answer, Meaning, RequestError};
#[cfg(feature = "aws")]
pub use self::settings::{CONNECT_TIMEOUT, Endpoint, REPLY_TIMEOUT, Settings, timeouts};
