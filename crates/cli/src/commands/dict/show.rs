//! `lastgood dict show`.

use dictstore_backup::show::show;

use crate::args::dict::Show;
use crate::commands::dict::asked::open;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::dict::shown;

pub(super) async fn run(arguments: &Show, context: &Context) -> CliResult<Exit> {
    let store = open(&arguments.place, context).await?;
    let found = context.or_cancelled(async { Ok(show(&*store, &arguments.file).await?) }).await?;
    context.printer.result(&found, shown)?;
    Ok(Exit::Ok)
}
