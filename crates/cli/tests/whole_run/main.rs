//! Whole runs of the built binary: exit code, standard output, standard error.

mod binary;
mod config;
mod newer;
mod offline;
mod postgres;
mod requests;
mod retries;
mod signals;
