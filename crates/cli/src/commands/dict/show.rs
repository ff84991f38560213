//! `lastgood dict show`.

use dictstore_backup::key::BackupName;
use dictstore_backup::show::show;

use crate::args::dict::{Show, Where};
use crate::commands::dict::asked::open;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::dict::shown;

pub(super) async fn run(arguments: &Show, context: &Context) -> CliResult<Exit> {
    let (place, file) = in_order(arguments);
    let store = open(&place, context).await?;
    let found = context.or_cancelled(async { Ok(show(&*store, file).await?) }).await?;
    context.printer.result(&found, shown)?;
    Ok(Exit::Ok)
}

/// The location and the file: a name of a backup is one wherever it stands, as for `dict verify`.
fn in_order(arguments: &Show) -> (Where, &str) {
    let is_backup = |text: &str| BackupName::parse(text).is_some();
    match arguments.place.location.as_deref().filter(|second| is_backup(second) && !is_backup(&arguments.file)) {
        Some(second) => (Where { location: Some(arguments.file.clone()) }, second),
        None => (arguments.place.clone(), &arguments.file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_known_by_its_name_wherever_it_stands() {
        let backup = "dictdb_backup_1795230000_136215.json";
        for (file, location, place) in
            [(backup, Some("data"), Some("data")), ("data", Some(backup), Some("data")), (backup, None, None)]
        {
            let place_of = |text: Option<&str>| Where { location: text.map(str::to_owned) };
            let typed = Show { file: file.to_owned(), place: place_of(location) };
            let (found, named) = in_order(&typed);
            assert_eq!((found.location.as_deref(), named), (place, backup));
        }
    }
}
