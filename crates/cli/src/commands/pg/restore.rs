//! `lastgood pg restore`.

use std::path::Path;

use lastgood_operator::settings::{Layer, Set, Settings};
use pg_clone::hook::Hooks;
use pg_clone::ident;
use pg_clone::live::local::LocalSource;
use pg_clone::options::CONFIG_DEFAULT;
use pg_clone::pattern::TablePattern;
use pg_clone::restore::selection::Selection;
use pg_clone::restore::{self, RestoreOptions, RestorePlan};
use pg_clone::stored::key::DumpKey;
use pg_clone::{PgError, PgResult};

use crate::args::pg::{Part, Restore};
use crate::commands::pg::asked::{restore_options, shared_flags};
use crate::commands::pg::{hooks, local_restore};
use crate::confirm;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::pg::{needs_confirmation, restore_notes, restore_plan, restore_report};
use crate::render::remedy::Worded;

pub(super) async fn run(arguments: &Restore, context: &Context) -> CliResult<Exit> {
    let flags = Layer {
        jobs: arguments.jobs.map(|jobs| Set::flag("--jobs", jobs)),
        ..shared_flags(&arguments.tools, &arguments.limits)
    };
    let configuration = arguments.config.as_deref().unwrap_or(CONFIG_DEFAULT);
    let context = &context.with(configuration, flags)?;
    if let (Some(wanted), Some(target)) = (arguments.wanted.as_deref(), arguments.server.dbname.as_deref()) {
        return Err(two_databases(wanted, target));
    }
    let named = arguments.server.target(arguments.wanted.as_deref())?.unwrap_or_default();
    if is_path(named) && Path::new(named).exists() {
        return Err(is_file(named));
    }
    if let Some(source) = LocalSource::parse(named) {
        let mut options = options(arguments, &context.settings, named.to_owned())?;
        if options.selection.is_partial() {
            return Err(whole_copies_only(named).into());
        }
        arguments.hooks.add_to(&mut options.hooks);
        return local_restore::run(&source, arguments, options, context).await;
    }
    // A key is no connection string, although a database of a name such as `host=x` makes it look like one.
    let (server, wanted) = match DumpKey::parse(named) {
        Some(_) => (context.server_of(&arguments.server.without_dbname(), None)?.0, named.to_owned()),
        None => context.database_of(&arguments.server.without_dbname(), Some(named))?,
    };
    let mut options = options(arguments, &context.settings, wanted)?;
    options.config_for_restores = arguments.config.as_deref().is_some_and(|config| context.config.defines(config));
    arguments.hooks.add_to(&mut options.hooks);
    let store = context.open().await?;
    let confirmed = options.confirm.clone();
    let mut restore = match restore::Restore::prepare(&server, &store, options, &context.run).await {
        // A database may have the name of a file, so that this is asked last.
        Err(PgError::NoDump { .. }) if Path::new(named).is_file() => return Err(is_file(named)),
        prepared => prepared?,
    };
    let mut plan = restore.plan().clone();
    hooks::redact(&mut plan.hooks, context);
    let now = context.run.clock.now();
    if arguments.dry_run.dry_run {
        let needed = needs_confirmation(plan.changes_a_database(), &plan.target, confirmed.as_deref());
        let words = |worded: &Worded<'_, RestorePlan>| {
            format!("{}{needed}\nNothing was changed (dry run)", restore_plan(worded.0, now))
        };
        context.printer.result(&Worded(&plan, &plan.problems), words)?;
        // The plan is shown whatever stands against it; the end is the run's.
        restore.check().await?;
        return Ok(Exit::Ok);
    }
    for note in restore_notes(&plan) {
        context.printer.warn(&note);
    }
    if confirmed.is_none()
        && let Some(typed) = confirm(&plan, context).await?
    {
        restore.confirm(typed);
    }
    let mut report = restore.run().await?;
    for warning in &report.warnings {
        context.printer.warn(warning);
    }
    // What the server said may repeat what it was given.
    for missing in &mut report.missing {
        missing.said = context.printer.redactor().redact(&missing.said);
    }
    let is_well = report.missing.is_empty() && report.hook_failure.is_none();
    context.printer.done(&report, is_well, restore_report)?;
    match report.hook_failure {
        Some(failure) => Err(PgError::from(failure).into()),
        None if !report.missing.is_empty() => Ok(Exit::Partial),
        None => Ok(Exit::Ok),
    }
}

/// With `pg_restore`, `-d` is what is restored into.
fn two_databases(wanted: &str, target: &str) -> CliError {
    // Of a connection string nothing is repeated: it may hold a password.
    let is_plain = |text: &str| pg_clone::is_plain_name(text) || DumpKey::parse(text).is_some();
    let into = if is_plain(target) { target } else { "NAME" };
    let wanted = if is_plain(wanted) { wanted } else { "DATABASE" };
    CliError::usage(
        "the dump is named both by the argument and by `-d`",
        format!(
            "nothing was done. `lastgood pg restore {wanted} --into {into}` restores into another database; `-d` says what \
             the argument says: a name, a connection string or a URL"
        ),
    )
}

/// Whether the text is how people write a path, and no name of a database.
fn is_path(text: &str) -> bool {
    ["/", "./", "../"].iter().any(|start| text.starts_with(start))
}

fn is_file(path: &str) -> CliError {
    CliError::usage(
        format!("`{path}` is a file, and dumps are restored from a location"),
        format!(
            "nothing was done. `pg_restore -d NAME {path}` restores a file of `pg_dump`, or `psql -d NAME -f {path}` one of SQL; \
             `lastgood pg ls` lists the dumps in the location"
        ),
    )
}

fn options(arguments: &Restore, settings: &Settings, wanted: String) -> CliResult<RestoreOptions> {
    let mut options = restore_options(settings, wanted);
    arguments.into.as_deref().map_or(Ok(()), ident::refuse_long)?;
    options.into.clone_from(&arguments.into);
    options.config.clone_from(&arguments.config);
    options.cluster.clone_from(&arguments.of.cluster);
    options.confirm.clone_from(&arguments.confirm_database);
    // Of rows alone nothing is kept that a setting for every restore could mean.
    options.reversible = arguments.reversible || (settings.reversible() && !arguments.part.data_only);
    options.carry_over.clone_from(&arguments.carry_over);
    options.no_owner = arguments.no_owner;
    options.no_acl = arguments.no_acl;
    options.no_tablespaces = arguments.no_tablespaces;
    options.locale.clone_from(&arguments.locale);
    options.locale_provider = arguments.locale_provider;
    options.keep_failed = arguments.keep_failed;
    options.allow_incomplete = arguments.allow_incomplete;
    options.allow_older = arguments.allow_older;
    options.confirm_incomplete.clone_from(&arguments.confirm_incomplete);
    options.force = arguments.force;
    options.allow_outside = arguments.allow_outside.iter().copied().collect();
    options.managed |= arguments.managed;
    if arguments.part.no_hooks {
        options.hooks = Hooks::default();
    }
    options.replace_rows = arguments.part.replace_rows;
    options.disable_triggers = arguments.part.disable_triggers;
    options.selection = selection(&arguments.part)?;
    Ok(options)
}

fn selection(part: &Part) -> CliResult<Selection> {
    let patterns = |texts: &[String]| texts.iter().map(|text| TablePattern::parse(text)).collect::<PgResult<Vec<_>>>();
    let mut selection = Selection::default()
        .tables(patterns(&part.tables)?)
        .schemas(patterns(&part.schemas)?)
        .exclude_tables(patterns(&part.exclude_tables)?)
        .exclude_extensions(part.exclude_extensions.clone())
        .excluded(part.excluded.unwrap_or_default());
    (selection.schema_only, selection.data_only) = (part.schema_only, part.data_only);
    Ok(selection)
}

fn whole_copies_only(copy: &str) -> PgError {
    PgError::Usage {
        what: format!("`{copy}` is a database on the server and cannot be restored in part"),
        help: "nothing was changed. Restore a part of a dump instead, or omit --table, --schema, --exclude-table, \
               --exclude-extension, --schema-only and --data-only"
            .into(),
    }
}

/// Lets somebody at a terminal type the name of the live database that would be replaced. Elsewhere `--confirm-database`
/// must have been given, and the restore itself refuses without it.
pub(in crate::commands) async fn confirm(plan: &RestorePlan, context: &Context) -> CliResult<Option<String>> {
    // What cannot be restored anyway needs no answer: the restore says why.
    let asks = plan.changes_a_database() && plan.problems.is_empty();
    if !asks || !confirm::is_interactive() {
        return Ok(None);
    }
    context.printer.stderr(&restore_plan(plan, context.run.clock.now()));
    let typed = confirm::ask("Type the database name to continue:", &context.run.cancel).await?;
    if typed != plan.target {
        return Err(CliError::Confirm {
            what: format!("`{typed}` is not the name of the database that would be changed"),
            help: format!(
                "nothing was changed. Type `{}`, or restore into another database with `--into NAME`",
                plan.target
            ),
        });
    }
    Ok(Some(typed))
}
