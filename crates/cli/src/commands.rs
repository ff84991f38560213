//! One file per command: interprets the arguments, calls a library, and has `render` word the result.

mod app;
mod completions;
mod config;
mod dict;
mod doctor;
mod ec2;
mod glacier;
mod init;
mod man;
mod pg;
mod prune;
mod reference;
mod version;

use crate::args::Command;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

/// Runs `command`.
pub(crate) async fn run(command: Command, context: &Context) -> CliResult<Exit> {
    match command {
        Command::Pg(command) => Box::pin(pg::run(command, context)).await,
        Command::Dict(command) => Box::pin(dict::run(command, context)).await,
        Command::App(command) => Box::pin(app::run(command, context)).await,
        Command::Ec2(command) => Box::pin(ec2::run(command, context)).await,
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
