//! `lastgood app show`.

use object_backup::list;

use crate::args::app::Which;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::app::{Shown, shown};

pub(super) async fn run(arguments: &Which, context: &Context) -> CliResult<Exit> {
    let store = context.open().await?;
    let name = arguments.name.as_deref();
    let entry = context.or_cancelled(async { Ok(list::find(&*store, &arguments.key, name).await?) }).await?;
    context.printer.result(&Shown::of(entry), shown)?;
    Ok(Exit::Ok)
}
