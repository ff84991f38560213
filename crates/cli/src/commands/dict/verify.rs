//! `lastgood dict verify`.

use std::path::Path;

use dictstore_backup::DictError;
use dictstore_backup::key::BackupName;
use dictstore_backup::verify;

use crate::args::dict::{Verify, Where};
use crate::commands::dict::asked::open;
use crate::commands::dict::lock::{self, Kind};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::dict::verified;

pub(super) async fn run(arguments: &Verify, context: &Context) -> CliResult<Exit> {
    let (place, wanted) = taken_apart(&arguments.files)?;
    let _lock = lock::take(&arguments.lock, Kind::Shared, context).await?;
    let store = open(&place, context).await?;
    let source = arguments.of.source.as_deref();
    let mut report = verify::verify(&*store, source, &context.run).await?;
    if let Some(missing) = wanted.iter().find(|wanted| !report.files.iter().any(|found| found.file == ***wanted)) {
        return Err(CliError::usage(
            format!("there is no backup `{missing}` in {}", store.describe()),
            "nothing was changed. Run `lastgood dict ls` to list the backups",
        ));
    }
    if !wanted.is_empty() {
        // What else is there was read for the chains, and is not what was asked for.
        report.files.retain(|found| wanted.iter().any(|wanted| found.file == **wanted));
    }
    let is_well = report.broken().next().is_none();
    context.printer.done(&report, is_well, verified)?;
    match report.broken().next() {
        None => Ok(Exit::Ok),
        Some(first) => {
            Err(DictError::Damaged { file: first.file.clone(), what: first.broken.clone().unwrap_or_default() }.into())
        }
    }
}

/// Names of backups, and a location: what has no name of a backup is one, as in every other command of `dict`.
fn taken_apart(typed: &[String]) -> CliResult<(Where, Vec<&String>)> {
    let (files, mut places): (Vec<&String>, Vec<&String>) =
        typed.iter().partition(|text| BackupName::parse(text).is_some());
    if let Some(mistyped) = places.iter().find(|text| text.starts_with("dictdb_") && !Path::new(text).exists()) {
        return Err(CliError::usage(
            format!("`{mistyped}` is not the whole name of a backup"),
            "nothing was done. Give it as `lastgood dict ls` prints it",
        ));
    }
    let location = places.pop().cloned();
    match places.first() {
        None => Ok((Where { location }, files)),
        Some(other) => Err(CliError::usage(
            format!("`{other}` and `{}` are two locations", location.unwrap_or_default()),
            "nothing was done. Backups of one location are verified at a time: name it with `-r`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backups_and_one_location_are_told_apart() {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<String>>();
        let typed = texts(&["./data", "dictdb_backup_1795230000_136215.json"]);
        let (place, files) = taken_apart(&typed).unwrap();
        assert_eq!((place.location.as_deref(), files), (Some("./data"), vec![&typed[1]]));
        assert!(taken_apart(&texts(&["a", "b"])).is_err());
        let partial = taken_apart(&texts(&["dictdb_backup_1"])).unwrap_err();
        assert!(partial.to_string().contains("not the whole name"), "{partial}");
        let (place, files) = taken_apart(&[]).unwrap();
        assert!(place.location.is_none() && files.is_empty());
    }
}
