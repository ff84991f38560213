//! `lastgood pg dump`.

use lastgood_operator::settings::{Layer, Set, Settings};
use pg_clone::PgResult;
use pg_clone::dump::{self, DumpOptions};
use pg_clone::ident;

use crate::args::pg::Dump;
use crate::commands::pg::asked::{dump_options, shared_flags};
use crate::commands::pg::config_name::warn_if_mistyped;
use crate::commands::pg::hooks;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::pg::{dump_plan, dump_report};
use crate::render::published::Published;

pub(super) async fn run(arguments: &Dump, context: &Context) -> CliResult<Exit> {
    let context = &context.with(&arguments.config, flags(arguments))?;
    let (server, database) = context.database_of(&arguments.server, arguments.database.as_deref())?;
    ident::refuse_long(&database)?;
    let mut options = options(arguments, &context.settings, database)?;
    arguments.hooks.add_to(&mut options.hooks);
    if arguments.dry_run.dry_run {
        let store = context.open_to_plan(arguments.init).await?;
        let dump = dump::Dump::prepare(&server, &store, options, &context.run)?;
        let mut plan = dump.plan().await?;
        hooks::redact(&mut plan.hooks, context);
        context.printer.result(&plan, dump_plan)?;
        return Ok(Exit::Ok);
    }
    let store = context.open_to_write(arguments.init).await?;
    warn_if_mistyped(&*store, &options.database, &options.config, context).await?;
    let dump = dump::Dump::prepare(&server, &store, options, &context.run)?;
    let report = dump.run().await?;
    let is_well = report.complete;
    let published = Published { location: context.location()?.to_string(), report };
    context.printer.done(&published, is_well, dump_report)?;
    Ok(Exit::Ok)
}

/// What the command line says of settings that can stand in the file, too.
fn flags(arguments: &Dump) -> Layer {
    let list = |option: &'static str, texts: &[String]| -> Vec<Set<String>> {
        texts.iter().map(|text| Set::flag(option, text.clone())).collect()
    };
    Layer {
        jobs: arguments.jobs.map(|jobs| Set::flag("--jobs", jobs)),
        lock_timeout: arguments.lock_timeout.map(|timeout| Set::flag("--lock-timeout", timeout)),
        exclude_table: list("--exclude-table", &arguments.exclude_table),
        exclude_table_data: list("--exclude-table-data", &arguments.exclude_table_data),
        exclude_setting: list("--exclude-setting", &arguments.exclude_setting),
        ..shared_flags(&arguments.tools, &arguments.limits)
    }
}

fn options(arguments: &Dump, settings: &Settings, database: String) -> PgResult<DumpOptions> {
    let mut options = dump_options(settings, database)?;
    options.config.clone_from(&arguments.config);
    options.tags.clone_from(&arguments.tag);
    options.full = arguments.full;
    options.incremental = arguments.incremental.into();
    options.verify_source = arguments.verify_source;
    options.allow_empty = arguments.allow_empty;
    options.max_shrink = arguments.max_shrink;
    Ok(options)
}
