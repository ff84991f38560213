//! `lastgood dict diff`.

use std::path::Path;

use backup_core::store::SharedStore;
use dictstore_backup::key::BackupName;
use dictstore_backup::{DictStore, Restore, RestoreOptions, RestoreTo, Semantics, diff, file};

use crate::args::dict::Diff;
use crate::commands::dict::asked::{open, warn};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::dict::differences;

pub(super) async fn run(arguments: &Diff, context: &Context) -> CliResult<Exit> {
    let first = Box::pin(state(&arguments.first, arguments, context)).await?;
    let second = Box::pin(state(&arguments.second, arguments, context)).await?;
    let found = diff::diff(&first, &second);
    context.printer.result(&found, differences)?;
    Ok(Exit::Ok)
}

/// The state a backup of the location leads to, or the one a file holds.
async fn state(named: &str, arguments: &Diff, context: &Context) -> CliResult<DictStore> {
    if BackupName::parse(named).is_some() {
        let store: SharedStore = open(&arguments.place, context).await?;
        let options = RestoreOptions::new(RestoreTo::File(named.to_owned()));
        let restored = Restore::prepare(&store, &options, &context.run).await?.run().await?;
        warn(&restored.notes, context);
        return Ok(restored.store);
    }
    let path = Path::new(named);
    let Some(format) = file::format_of(path) else {
        return Err(CliError::usage(
            format!("`{named}` is neither a backup nor a .json or .pickle file"),
            "run `lastgood dict ls` to list the backups",
        ));
    };
    let loaded = file::read(path, format, Semantics::Exact, &context.run)?;
    warn(&loaded.notes, context);
    Ok(loaded.store)
}
