//! What several commands read from their arguments.

use backup_core::store::SharedStore;
use dictstore_backup::{Note, RestoreOptions, RestoreTo, Semantics};
use lastgood_operator::settings::{Layer, Set};

use crate::args::dict::{OfStore, Point, Where};
use crate::context::Context;
use crate::error::CliResult;

/// The surroundings with the location named as an argument, if one is: it counts before that of `-r`.
pub(super) fn at(place: &Where, context: &Context) -> CliResult<Context> {
    let mut at = context.clone();
    let repo = place.location.as_ref().map(|text| Set::flag("LOCATION", text.clone()));
    at.settings = context.config.settings(None, Layer { repo, ..Layer::default() })?;
    Ok(at)
}

/// The location, for reading.
pub(super) async fn open(place: &Where, context: &Context) -> CliResult<SharedStore> {
    // The surroundings are large, and every command's future would be too.
    let at = Box::new(at(place, context)?);
    Box::pin(at.open()).await
}

pub(super) fn options(point: &Point, of: &OfStore) -> RestoreOptions {
    let to = match (&point.at, &point.up_to, point.sequence) {
        (Some(at), _, _) => RestoreTo::Time(*at),
        (_, Some(file), _) => RestoreTo::File(file.clone()),
        (_, _, Some(sequence)) => RestoreTo::Sequence(sequence),
        _ => RestoreTo::Latest,
    };
    RestoreOptions::new(to).semantics(semantics(point.dictdb_semantics)).source(of.source.clone())
}

pub(super) fn semantics(dictdb: bool) -> Semantics {
    if dictdb { Semantics::DictDb } else { Semantics::Exact }
}

pub(super) fn warn(notes: &[Note], context: &Context) {
    for note in notes {
        context.printer.warn(&format!("`{}`: {}", note.file, note.what));
    }
}
