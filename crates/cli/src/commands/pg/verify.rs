//! `lastgood pg verify`.

use std::time::Duration;

use pg_clone::hook::Hooks;
use pg_clone::restore::Restore;
use pg_clone::stored::verify::{self, ReadAmount};

use crate::args::pg::Verify;
use crate::commands::pg::asked::{restore_options, wanted};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::pg::verify_report;
use crate::render::units::duration;

/// Objects read at once: enough to keep a distant store busy and two cores hashing.
const JOBS: usize = 4;

pub(super) async fn run(arguments: &Verify, context: &Context) -> CliResult<Exit> {
    let read = arguments.read.unwrap_or(ReadAmount::Structure);
    let store = context.open().await?;
    let report = verify::verify(&*store, wanted(&arguments.key, &arguments.of), read, JOBS, &context.run).await?;
    context.printer.result(&report, verify_report)?;
    report.into_result()?;
    if arguments.restorable {
        restore_for_a_trial(arguments, context).await?;
    }
    Ok(Exit::Ok)
}

/// Restores the dump into a scratch database, which is dropped.
async fn restore_for_a_trial(arguments: &Verify, context: &Context) -> CliResult<()> {
    let (server, _) = context.server_of(&arguments.server.without_dbname(), None)?;
    let mut options = restore_options(&context.settings, arguments.key.clone());
    options.cluster.clone_from(&arguments.of.cluster);
    options.pg_bin = arguments.tools.pg_bin.clone().or(options.pg_bin);
    // What they did to the rows would not be what the dump holds.
    options.hooks = Hooks::default();
    options.reversible = false;
    let store = context.open().await?;
    let restore = Restore::prepare(&server, &store, options, &context.run).await?;
    let key = restore.plan().key.clone();
    let trial = restore.rehearse().await?;
    let took = duration(Duration::from_secs_f64(trial.seconds));
    context.printer.note(&format!("`{key}` was restored into a scratch database without errors in {took}"));
    Ok(())
}
