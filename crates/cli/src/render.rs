//! Texts for people and documents for programs; nothing else in this crate writes to a terminal.

#[cfg(feature = "app")]
pub(crate) mod app;
#[cfg(feature = "glacier")]
pub(crate) mod archives;
#[cfg(feature = "dict")]
pub(crate) mod dict;
pub(crate) mod doctor;
#[cfg(feature = "ec2")]
pub(crate) mod ec2;
pub(crate) mod error;
pub(crate) mod escape;
#[cfg(feature = "glacier")]
pub(crate) mod glacier;
pub(crate) mod listing;
pub(crate) mod pg;
pub(crate) mod printer;
pub(crate) mod progress;
pub(crate) mod prune;
pub(crate) mod published;
pub(crate) mod remedy;
pub(crate) mod settings;
pub(crate) mod table;
#[cfg(any(feature = "pg", feature = "app"))]
pub(crate) mod tags;
pub(crate) mod units;
