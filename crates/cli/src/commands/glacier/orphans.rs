//! `lastgood glacier orphans`.

use std::path::{Path, PathBuf};

use glacier_archive::orphans::{list, place_of, undo};

use crate::args::glacier::database::{Orphans, OrphansLs, OrphansPlace, OrphansUndo};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::glacier::database::{orphans_listing, orphans_undone};
use crate::render::units::counted;

pub(super) fn run(command: &Orphans, context: &Context) -> CliResult<Exit> {
    match command {
        Orphans::Ls(arguments) => ls(arguments, context),
        Orphans::Undo(arguments) => back(arguments, context),
    }
}

/// Where orphans are.
pub(super) fn place(asked: &OrphansPlace, files: Option<&Path>) -> PathBuf {
    asked.orphans.clone().unwrap_or_else(|| place_of(files.unwrap_or_else(|| Path::new("."))))
}

fn ls(arguments: &OrphansLs, context: &Context) -> CliResult<Exit> {
    let folder = place(&arguments.place, arguments.files.as_deref());
    let found = list(&folder)?;
    if found.is_empty() {
        context.printer.note(&format!("no files were moved to {}", folder.display()));
    }
    let now = context.run.clock.now();
    context.printer.result(&found, |found| orphans_listing(found, now))?;
    Ok(Exit::Ok)
}

fn back(arguments: &OrphansUndo, context: &Context) -> CliResult<Exit> {
    let folder = place(&arguments.place, arguments.files.as_deref());
    let done = undo(&folder, &arguments.restore, &context.run)?;
    for failed in &done.failed {
        context.printer.warn(&format!("`{}` was not moved back: {}", failed.name, failed.what));
    }
    context.printer.result(&done, orphans_undone)?;
    if done.failed.is_empty() {
        return Ok(Exit::Ok);
    }
    Err(CliError::Partial {
        what: format!("{} could not be moved back", counted(done.failed.len() as u64, "file", "files")),
        help: format!("they stay in `{}`", folder.join(&arguments.restore).display()),
    })
}
