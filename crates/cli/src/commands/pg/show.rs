//! `lastgood pg show`.

use pg_clone::stored::show::{self, Shown};

use crate::args::pg::Show;
use crate::commands::pg::asked::wanted;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::pg::shown;

pub(super) async fn run(arguments: &Show, context: &Context) -> CliResult<Exit> {
    let store = context.open().await?;
    let dump =
        context.or_cancelled(async { Ok(show::show(&*store, wanted(&arguments.key, &arguments.of)).await?) }).await?;
    if let Shown::Dump(dump) = &dump
        && let Some(fault) = &dump.tags_unknown
    {
        context.printer.warn(&format!("only the tags that it was made with are known: {fault}"));
    }
    let now = context.run.clock.now();
    context.printer.result(&dump, |dump| shown(dump, now))?;
    Ok(Exit::Ok)
}
