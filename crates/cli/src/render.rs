//! Texts for people and documents for programs; nothing else in this crate writes to a terminal.

pub(crate) mod app;
pub(crate) mod archives;
pub(crate) mod dict;
pub(crate) mod doctor;
pub(crate) mod ec2;
pub(crate) mod error;
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
pub(crate) mod units;
