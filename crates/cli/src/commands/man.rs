//! `lastgood man`.

use std::fs;
use std::path::Path;

use crate::args;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;

pub(super) fn run(out: &Path, context: &Context) -> CliResult<Exit> {
    // The manual is for everybody, unlike what the umask of this program expects: its files are what `install` copies.
    let unwritable = |source: std::io::Error| CliError::Output {
        action: format!("write the manual pages to `{}`", out.display()),
        source,
    };
    fs::create_dir_all(out).map_err(unwritable)?;
    clap_mangen::generate_to(args::command(), out).map_err(unwritable)?;
    context.printer.note(&format!("Wrote the manual pages to `{}`", out.display()));
    Ok(Exit::Ok)
}
