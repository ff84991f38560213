//! `lastgood pg ls`.

use pg_clone::stored::list;

use crate::args::pg::Ls;
use crate::commands::pg::asked::{filter, named};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::pg::{listing, local_listing};

pub(super) async fn run(arguments: &Ls, context: &Context) -> CliResult<Exit> {
    if arguments.local {
        return local(arguments, context).await;
    }
    let server = &arguments.server;
    if server.host.is_some() || server.port.is_some() || server.username.is_some() {
        return Err(CliError::usage(
            "`-h`, `-p` and `-U` require `--local`: dumps are listed from the location, not from a server",
            "nothing was done. Add `--local` to list the databases on the server, or omit these options",
        ));
    }
    let database = named(server.target(arguments.database.as_deref())?, context)?;
    let store = context.open().await?;
    let run = &context.run;
    if arguments.only_db_names {
        let mut names = context.or_cancelled(async { Ok(list::database_names(&*store).await?) }).await?;
        names.retain(|name| database.as_ref().is_none_or(|wanted| wanted == name));
        context.printer.result(&names, |names| names.join("\n"))?;
        return Ok(Exit::Ok);
    }
    let filter = filter(database.clone(), arguments.config.as_ref(), &arguments.of);
    let dumps = context.or_cancelled(async { Ok(list::list(&*store, &filter).await?) }).await?;
    if dumps.is_empty() {
        let of = database.map_or(String::new(), |database| format!(" of `{database}`"));
        context.printer.note(&format!("no dumps{of} in {}", store.describe()));
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

/// The databases of the server; of one database only it and what was made from it.
async fn local(arguments: &Ls, context: &Context) -> CliResult<Exit> {
    let (server, database) = context.server_of(&arguments.server, arguments.database.as_deref())?;
    let wanted = database.filter(|_| arguments.database.is_some() || arguments.server.dbname.is_some());
    let mut databases = context.or_cancelled(async { Ok(pg_clone::live::local::list(&server).await?) }).await?;
    databases.retain(|it| {
        wanted.as_ref().is_none_or(|wanted| it.name == *wanted || it.of.as_deref() == Some(wanted.as_str()))
    });
    let now = context.run.clock.now();
    context.printer.result(&databases, |databases| local_listing(databases, now))?;
    Ok(Exit::Ok)
}
