//! `lastgood pg ls`.

use std::collections::BTreeMap;

use pg_clone::stored::list::{self, Listed};

use crate::args::pg::Ls;
use crate::commands::pg::asked::{filter, named};
use crate::commands::pg::hints;
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
    let mut filter = filter(database.clone(), arguments.config.as_ref(), &arguments.of);
    filter.tags.clone_from(&arguments.tags);
    let mut hints = hints::open(&context.location()?);
    let listed = list::list_recalling(&*store, &filter, &mut hints);
    let dumps = context.or_cancelled(async { Ok(listed.await?) }).await?;
    hints::keep(hints);
    if dumps.is_empty() {
        let miss = context.or_cancelled(async { Ok(list::miss(&*store, &filter).await?) }).await?;
        context.printer.note(&miss.map_or_else(
            || {
                let of = database.map_or(String::new(), |database| format!(" of `{database}`"));
                let tagged = if arguments.tags.is_empty() { "" } else { " with these tags" };
                format!("no dumps{of}{tagged} in {}", store.describe())
            },
            |miss| format!("{}; {}", miss.what, miss.there),
        ));
    }
    let now = run.clock.now();
    context.printer.result(&dumps, |dumps| listing(dumps, now))?;
    warn_of_unknown_tags(&dumps, context);
    for dump in &dumps {
        if let Some(fault) = &dump.fault {
            context.printer.warn(&format!("`{}` cannot be restored: {fault}", dump.key));
        }
    }
    Ok(Exit::Ok)
}

/// Warns, once for each database, of tags that were given later and cannot be read.
pub(super) fn warn_of_unknown_tags(dumps: &[Listed], context: &Context) {
    let unknown: BTreeMap<&str, &str> =
        dumps.iter().filter_map(|dump| Some((dump.database.as_str(), dump.tags_unknown.as_deref()?))).collect();
    for (database, fault) in unknown {
        context.printer.warn(&format!("of dumps of `{database}` only the tags they were made with are known: {fault}"));
    }
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
