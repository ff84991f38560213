//! `lastgood glacier restore`.

use glacier_archive::GlacierError;
use glacier_archive::backup_key::Which;
use glacier_archive::find::find;
use glacier_archive::pattern::Only;
use glacier_archive::restore::{RestoreSettings, restore};

use crate::args::glacier::Restore;
use crate::commands::glacier::shared::open_state;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::glacier::{missing, restored};
use crate::render::units::counted;

pub(super) async fn run(arguments: &Restore, context: &Context) -> CliResult<Exit> {
    let which: Which = arguments.backup.parse()?;
    let store = context.open().await?;
    let backup = context.or_cancelled(async { Ok(find(&store, &which).await?) }).await?;
    let state = open_state(&arguments.kept, &which.name, &store)?.locked()?;
    let only = Only(arguments.only.clone());
    let settings = RestoreSettings { only: &only, folder: &arguments.files, repair: arguments.repair };
    let done = Box::pin(restore(&state, &backup, &settings, &context.run)).await?;
    for name in &done.differing {
        context.printer.warn(&format!("`{name}` has another content than in the backup, and was kept"));
    }
    for failed in &done.failed {
        context.printer.warn(&format!("`{}` was not restored: {}", failed.name, failed.what));
    }
    context.printer.result(&done, |done| restored(done, &arguments.files))?;
    if !done.missing.is_empty() {
        let (what, help) = missing(&done.missing, None, &done.key.to_string(), context.run.clock.now());
        return Err(GlacierError::NotReady { what, help }.into());
    }
    if done.is_complete() {
        return Ok(Exit::Ok);
    }
    let count = (done.failed.len() + done.differing.len()) as u64;
    Err(CliError::Partial {
        what: format!("{} could not be restored", counted(count, "file", "files")),
        help: "with `--repair`, files of another content are renamed and replaced".to_owned(),
    })
}
