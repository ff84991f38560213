//! One file per command: interprets the arguments, calls a library, and has `render` word the result.

#[cfg(feature = "app")]
mod app;
mod completions;
mod config;
#[cfg(feature = "dict")]
mod dict;
mod doctor;
#[cfg(feature = "ec2")]
mod ec2;
#[cfg(feature = "glacier")]
mod glacier;
mod init;
mod man;
#[cfg(feature = "pg")]
mod pg;
mod prune;
mod reference;
#[cfg(any(feature = "pg", feature = "app"))]
mod tags;
mod version;

use crate::args::Command;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

/// Runs `command`.
pub(crate) async fn run(command: Command, context: &Context) -> CliResult<Exit> {
    match command {
        #[cfg(feature = "pg")]
        Command::Pg(command) => Box::pin(pg::run(command, context)).await,
        #[cfg(feature = "dict")]
        Command::Dict(command) => Box::pin(dict::run(command, context)).await,
        #[cfg(feature = "app")]
        Command::App(command) => Box::pin(app::run(command, context)).await,
        #[cfg(feature = "ec2")]
        Command::Ec2(command) => Box::pin(ec2::run(command, context)).await,
        #[cfg(feature = "glacier")]
        Command::Glacier(command) => Box::pin(glacier::run(command, context)).await,
        Command::Init(arguments) => Box::pin(init::run(arguments, context)).await,
        Command::Config(command) => config::run(&command, context),
        Command::Doctor(arguments) => Box::pin(doctor::run(&arguments, context)).await,
        Command::Completions { shell } => completions::run(shell, context),
        Command::Man { out } => man::run(&out, context),
        Command::Version => version::run(context),
        Command::Reference { out } => reference::run(&out, context),
    }
}
