//! `lastgood pg hooks`.

use lastgood_operator::settings::Layer;
use pg_clone::PgError;
use pg_clone::hook::{self, PlannedHook, RDS_PREP_SQL, Trial};
use pg_clone::restore::{Restore, RestoreOptions};

use crate::args::pg::HooksTest;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::pg::hook_trial;

/// What hooks are told it is about when no database is named.
const TARGET_DEFAULT: &str = "postgres";

pub(super) async fn test(arguments: &HooksTest, context: &Context) -> CliResult<Exit> {
    let context = &context.with(&arguments.config, Layer::default())?;
    let (server, database) = context.server_of(&arguments.server, arguments.database.as_deref())?;
    let mut options = RestoreOptions::new(arguments.from.as_deref().unwrap_or_default());
    options.pg_bin = arguments.tools.pg_bin.clone().or_else(|| context.settings.bin_dir());
    options.hooks = context.settings.hooks();
    arguments.hooks.add_to(&mut options.hooks);
    if options.hooks.is_empty() {
        return Err(CliError::usage("no hooks to run", "give one, such as `--pre-swap-hook ./migrate.sh`"));
    }
    let trial: Trial = if arguments.from.is_some() {
        options.into = database;
        let store = context.open().await?;
        let restore = Restore::prepare(&server, &store, options, &context.run).await?;
        restore.rehearse().await?
    } else {
        let target = database.as_deref().unwrap_or(TARGET_DEFAULT);
        hook::try_on_empty(&server, target, &options.hooks, &context.run).await?
    };
    context.printer.done(&trial, trial.failure.is_none(), |trial| hook_trial(trial, context.printer.redactor()))?;
    match trial.failure {
        Some(failure) => Err(PgError::from(failure).into()),
        None => Ok(Exit::Ok),
    }
}

/// Hides in a plan what a command line says that nobody should read. Keys and names are left as they are.
pub(in crate::commands) fn redact(planned: &mut [PlannedHook], context: &Context) {
    for hook in planned {
        hook.hook = context.printer.redactor().redact(&hook.hook);
    }
}

pub(super) fn rds_prep(context: &Context) -> CliResult<Exit> {
    context.printer.data(RDS_PREP_SQL)?;
    Ok(Exit::Ok)
}
