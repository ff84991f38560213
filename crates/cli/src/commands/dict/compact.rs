//! `lastgood dict compact`.

use dictstore_backup::{Compact, CompactOptions, RestoreOptions, RestoreTo};

use crate::args::dict;
use crate::commands::dict::asked::{at, semantics, warn};
use crate::commands::dict::lock::{self, Kind};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::dict::{compacted, restore_plan};

pub(super) async fn run(arguments: &dict::Compact, context: &Context) -> CliResult<Exit> {
    let _lock = lock::take(&arguments.lock, Kind::Exclusive, context).await?;
    let store = at(&arguments.place, context)?.open_to_change().await?;
    let restore = RestoreOptions::new(RestoreTo::Latest)
        .semantics(semantics(arguments.dictdb_semantics))
        .source(arguments.of.source.clone());
    let options = CompactOptions::new(restore).format(arguments.format).allow_empty(arguments.allow_empty);
    let compact = Compact::prepare(&store, &options, &context.run).await?;
    if arguments.dry_run.dry_run {
        context.printer.dry_run(compact.plan(), restore_plan)?;
        return Ok(Exit::Ok);
    }
    let done = compact.run().await?;
    warn(&done.restored.notes, context);
    context.printer.done(&done.written, true, |written| compacted(written.as_ref(), &done.restored.plan))?;
    Ok(Exit::Ok)
}
