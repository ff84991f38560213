//! `lastgood completions`.

use clap_complete::Shell;

use crate::args;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

pub(super) fn run(shell: Shell, context: &Context) -> CliResult<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "lastgood", &mut script);
    context.printer.bytes(&script)?;
    Ok(Exit::Ok)
}
