//! `lastgood glacier orphans`.

use std::path::{Path, PathBuf};

use glacier_archive::orphans::{list, place_of, undo};

use crate::args::glacier::database::{Orphans, OrphansLs, OrphansPlace, OrphansUndo};
use crate::commands::glacier::shared::configured_files;
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

/// Where orphans of this folder are.
pub(super) fn place(asked: &OrphansPlace, files: &Path) -> PathBuf {
    asked.orphans.clone().unwrap_or_else(|| place_of(files))
}

/// Where they are by what was named, or is configured.
fn named(asked: &OrphansPlace, files: Option<&PathBuf>, context: &Context) -> CliResult<PathBuf> {
    match (&asked.orphans, files.cloned().or_else(|| configured_files(context))) {
        (Some(orphans), _) => Ok(orphans.clone()),
        (None, Some(files)) => Ok(place(asked, &files)),
        (None, None) => {
            let what = "neither the folder of the files was named, nor that of orphans";
            Err(CliError::usage(what, "name the folder of the files with `--files`"))
        }
    }
}

fn ls(arguments: &OrphansLs, context: &Context) -> CliResult<Exit> {
    let folder = named(&arguments.place, arguments.files.as_ref(), context)?;
    let found = list(&folder)?;
    if found.is_empty() {
        context.printer.note(&format!("no files were moved to {}", folder.display()));
    }
    let now = context.run.clock.now();
    context.printer.result(&found, |found| orphans_listing(found, now))?;
    Ok(Exit::Ok)
}

fn back(arguments: &OrphansUndo, context: &Context) -> CliResult<Exit> {
    let folder = named(&arguments.place, arguments.files.as_ref(), context)?;
    let done = undo(&folder, &arguments.restore, &context.run)?;
    for failed in &done.failed {
        context.printer.warn(&format!("`{}` was not moved back: {}", failed.name, failed.what));
    }
    context.printer.done(&done, done.failed.is_empty(), orphans_undone)?;
    if done.failed.is_empty() {
        return Ok(Exit::Ok);
    }
    Err(CliError::Partial {
        what: format!("{} could not be moved back", counted(done.failed.len() as u64, "file", "files")),
        help: format!("they stay in `{}`", folder.join(&arguments.restore).display()),
    })
}
