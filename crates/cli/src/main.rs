//! The command line of lastgood: reads arguments, runs one command, prints its result.

// A binary with some of the groups of commands does not use all that the groups share. The whole one does, and is checked;
// tests about all commands are its tests.
#![cfg_attr(not(feature = "default"), allow(dead_code, unused_imports))]

mod args;
mod clock;
mod commands;
mod config;
mod confirm;
mod context;
mod env;
mod error;
mod exit;
mod faults;
mod layouts;
mod location;
mod logging;
mod render;
mod run;
mod secrets;
mod signal;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Whatever is written from here on, stored objects and passfiles alike, is for this user only.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    ExitCode::from(run::run(std::env::args_os().collect()))
}
