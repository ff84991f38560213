//! `lastgood glacier fetch`.

use glacier_archive::GlacierError;
use glacier_archive::fetch::fetch;

use crate::args::glacier::Seen;
use crate::commands::glacier::shared::Opened;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::glacier::{archives, fetched, missing};

pub(super) async fn run(arguments: &Seen, context: &Context) -> CliResult<Exit> {
    let opened = Opened::locked(arguments, context).await?;
    let Opened { store, cold, state, backup, only, .. } = &opened;
    let sides = (store, &**cold);
    let done = Box::pin(fetch(sides, state, backup, only, opened.folder(), &context.run)).await?;
    for failed in &done.failed {
        context.printer.warn(&format!("`{}` was not fetched: {}", failed.key, failed.what));
    }
    context.printer.done(&done, done.failed.is_empty(), fetched)?;
    if let Some(first) = done.failed.iter().find(|failed| failed.damaged) {
        let why = format!("it is not what was archived; {} could not be fetched", archives(done.failed.len() as u64));
        return Err(GlacierError::Damaged { what: first.key.to_string(), why }.into());
    }
    if !done.failed.is_empty() {
        return Err(CliError::Partial {
            what: format!("{} could not be fetched", archives(done.failed.len() as u64)),
            help: "run the same command again; `lastgood glacier status` shows what has to be retrieved again"
                .to_owned(),
        });
    }
    if done.is_complete() {
        return Ok(Exit::Ok);
    }
    let (what, help) = missing(&done.missing, done.expected, &done.key.to_string(), context.run.clock.now());
    Err(GlacierError::NotReady { what, help }.into())
}
