//! `lastgood dict`: which command it is, and what they share.

mod compact;
mod convert;
mod diff;
mod ls;
mod prune;
mod restore;
mod show;
mod verify;
mod watch;

use backup_core::store::SharedStore;
use dictstore_backup::{Note, RestoreOptions, RestoreTo, Semantics};
use jiff::Timestamp;

use crate::args::dict::{Dict, OfStore, Point, Where};
use crate::config::{Layer, Set};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;

/// Runs `command`. The futures hold whole pipelines, so that each is boxed.
pub(super) async fn run(command: Dict, context: &Context) -> CliResult<Exit> {
    match command {
        Dict::Ls(arguments) => Box::pin(ls::run(&arguments, context)).await,
        Dict::Show(arguments) => Box::pin(show::run(&arguments, context)).await,
        Dict::Verify(arguments) => Box::pin(verify::run(&arguments, context)).await,
        Dict::Restore(arguments) => Box::pin(restore::run(&arguments, context)).await,
        Dict::Compact(arguments) => Box::pin(compact::run(&arguments, context)).await,
        Dict::Diff(arguments) => Box::pin(diff::run(&arguments, context)).await,
        Dict::Convert(arguments) => convert::run(&arguments, context),
        Dict::Prune(arguments) => Box::pin(prune::run(&arguments, context)).await,
        Dict::Watch(arguments) => Box::pin(watch::run(&arguments, context)).await,
    }
}

/// The surroundings with the location named as an argument, if one is: it counts before that of `-r`.
fn at(place: &Where, context: &Context) -> CliResult<Context> {
    let mut at = context.clone();
    let repo = place.location.as_ref().map(|text| Set::flag("LOCATION", text.clone()));
    at.settings = context.config.settings(None, Layer { repo, ..Layer::default() })?;
    Ok(at)
}

/// The location, for reading.
async fn open(place: &Where, context: &Context) -> CliResult<SharedStore> {
    at(place, context)?.open().await
}

fn options(point: &Point, of: &OfStore) -> CliResult<RestoreOptions> {
    let to = match (&point.at, &point.up_to, point.sequence) {
        (Some(at), _, _) => RestoreTo::Time(time(at)?),
        (_, Some(file), _) => RestoreTo::File(file.clone()),
        (_, _, Some(sequence)) => RestoreTo::Sequence(sequence),
        _ => RestoreTo::Latest,
    };
    Ok(RestoreOptions { to, semantics: semantics(point.dictdb_semantics), source: of.source.clone() })
}

fn semantics(dictdb: bool) -> Semantics {
    if dictdb { Semantics::DictDb } else { Semantics::Exact }
}

fn time(text: &str) -> CliResult<Timestamp> {
    text.parse().map_err(|_| {
        CliError::usage(
            format!("invalid value `{text}` for `--at`"),
            "use a time with its time zone, such as `2026-11-21T03:00:00Z`",
        )
    })
}

fn warn(notes: &[Note], context: &Context) {
    for note in notes {
        context.printer.warn(&format!("`{}`: {}", note.file, note.what));
    }
}
