//! Every SQL text, by subject: what is asked and told in typed values, and no decision about either.

pub(crate) mod advisory_lock;
pub(crate) mod catalog;
pub(crate) mod cluster;
pub(crate) mod copy_out;
pub mod database_settings;
pub(crate) mod databases;
pub(crate) mod foreign;
pub(crate) mod sessions;
pub(crate) mod standing;
pub(crate) mod subscriptions;
pub(crate) mod switch;
pub(crate) mod target;
