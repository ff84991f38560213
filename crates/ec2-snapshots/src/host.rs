//! Running programs on hosts: this one, through `ssh`, or through Systems Manager.
//!
//! Nothing has to be installed on a host: programs are written for POSIX's `sh` and are sent along.

pub mod adapters;
mod error;
mod script;
mod shell;

pub use error::HostError;
pub use script::{RECORDS, Script, assignment, parameters, quoted};
pub use shell::{Conversation, Host, Shell};
