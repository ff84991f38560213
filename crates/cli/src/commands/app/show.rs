//! `lastgood app show`.

use object_backup::show::show;

use crate::args::app::Which;
use crate::commands::app::asked::sought;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::app::shown;

pub(super) async fn run(arguments: &Which, context: &Context) -> CliResult<Exit> {
    let store = context.open().await?;
    let sought = sought(&arguments.key, arguments.name.as_deref(), &arguments.of).allow_older(true);
    let found = context.or_cancelled(async { Ok(show(&*store, sought).await?) }).await?;
    context.printer.result(&found, shown)?;
    Ok(Exit::Ok)
}
