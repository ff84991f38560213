//! What several commands read from their arguments.

use backup_core::store::SharedStore;
use dictstore_backup::{Note, RestoreOptions, RestoreTo, Semantics};
use lastgood_operator::settings::{Layer, Set};

use crate::args::dict::{OfStore, Point, Where};
use crate::context::Context;
use crate::env;
use crate::error::{CliError, CliResult};

/// The surroundings with the location named as an argument, if one is: it counts before that of LASTGOOD_REPO.
pub(super) fn at(place: &Where, context: &Context) -> CliResult<Context> {
    unless_two(place.location.as_deref(), context.global.repo.as_deref(), env::value(env::REPO).as_deref())?;
    let mut at = context.clone();
    let repo = place.location.as_ref().map(|text| Set::flag("LOCATION", text.clone()));
    at.settings = context.config.settings(None, Layer { repo, ..Layer::default() })?;
    Ok(at)
}

/// Whoever names another location with `-r` means something else by the argument: a backup, most likely.
fn unless_two(argument: Option<&str>, repo: Option<&str>, variable: Option<&str>) -> CliResult<()> {
    let (Some(argument), Some(repo)) = (argument, repo.filter(|repo| Some(*repo) != variable)) else { return Ok(()) };
    if argument == repo {
        return Ok(());
    }
    Err(CliError::usage(
        format!("`{argument}` and `-r {repo}` are two locations"),
        "nothing was done. Name the location once. The newest state is what is meant without an option; `--at TIME` and `--up-to FILE` mean \
         another one, and `lastgood dict ls` lists the backups",
    ))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_that_is_no_location_is_not_taken_for_one_beside_that_of_an_option() {
        let refused = |argument, repo, variable| unless_two(argument, repo, variable).is_err();
        assert!(refused(Some("latest"), Some("./backups"), None));
        assert!(refused(Some("latest"), Some("./backups"), Some("./other")));
        assert!(!refused(Some("./backups"), Some("./backups"), None));
        // A variable is what counts where nothing is named.
        assert!(!refused(Some("./here"), Some("./there"), Some("./there")));
        assert!(!refused(None, Some("./backups"), None) && !refused(Some("./backups"), None, None));
    }
}
