//! `lastgood pg ls`.

use pg_clone::list;

use crate::args::pg::Ls;
use crate::commands::pg::named;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::pg::listing;

pub(super) async fn run(arguments: &Ls, context: &Context) -> CliResult<Exit> {
    let database = named(arguments.database.as_deref(), context)?;
    let store = context.open().await?;
    let run = &context.run;
    if arguments.only_db_names {
        let mut names = context.or_cancelled(async { Ok(list::database_names(&*store).await?) }).await?;
        names.retain(|name| database.as_ref().is_none_or(|wanted| wanted == name));
        context.printer.result(&names, |names| names.join("\n"))?;
        return Ok(Exit::Ok);
    }
    let dumps = context.or_cancelled(async { Ok(list::list(&*store, database.as_deref()).await?) }).await?;
    if dumps.is_empty() {
        let of = database.map_or(String::new(), |database| format!(" of `{database}`"));
        context.printer.note(&format!("there are no dumps{of} in {}", store.describe()));
    }
    let now = run.clock.now();
    context.printer.result(&dumps, |dumps| listing(dumps, now))?;
    for dump in &dumps {
        if let Some(fault) = &dump.fault {
            context.printer.warn(&format!("`{}` cannot be restored: {fault}", dump.key));
        }
    }
    Ok(Exit::Ok)
}
