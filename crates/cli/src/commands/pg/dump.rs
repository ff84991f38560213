//! `lastgood pg dump`.

use pg_clone::PgResult;
use pg_clone::dump::{self, DumpOptions};
use pg_clone::pattern::TablePattern;

use crate::args::pg::Dump;
use crate::commands::pg::{hooks, required};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::pg::{dump_plan, dump_report};

pub(super) async fn run(arguments: &Dump, context: &Context) -> CliResult<Exit> {
    let (server, database) = context.server(arguments.database.as_deref())?;
    let mut options = options(arguments, required(database)?)?;
    arguments.hooks.add_to(&mut options.hooks)?;
    if arguments.dry_run.dry_run {
        let mut plan = Box::pin(dump::plan(&server, &context.open_or_pretend().await?, &options, &context.run)).await?;
        hooks::redact(&mut plan.hooks, context);
        context.printer.result(&plan, dump_plan)?;
        return Ok(Exit::Ok);
    }
    let store = context.open_or_create().await?;
    let report = Box::pin(dump::dump(&server, &store, &options, &context.run)).await?;
    context.printer.result(&report, dump_report)?;
    Ok(Exit::Ok)
}

fn options(arguments: &Dump, database: String) -> PgResult<DumpOptions> {
    let patterns = |texts: &[String]| texts.iter().map(|text| TablePattern::parse(text)).collect::<PgResult<Vec<_>>>();
    let mut options = DumpOptions::new(database);
    options.config.clone_from(&arguments.config);
    options.exclude_table = patterns(&arguments.exclude_table)?;
    options.exclude_table_data = patterns(&arguments.exclude_table_data)?;
    options.tags.clone_from(&arguments.tag);
    options.pg_bin.clone_from(&arguments.tools.pg_bin);
    if let Some(jobs) = arguments.jobs {
        options.jobs = jobs;
    }
    Ok(options)
}
