//! `lastgood app show`.

use crate::args::app::Which;
use crate::commands::app::asked::{found, sought};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::app::{Shown, shown};

pub(super) async fn run(arguments: &Which, context: &Context) -> CliResult<Exit> {
    let store = context.open().await?;
    let sought = sought(&arguments.key, arguments.name.as_deref(), &arguments.of);
    let entry = found(&*store, sought, context).await?.entry;
    context.printer.result(&Shown::of(entry), shown)?;
    Ok(Exit::Ok)
}
