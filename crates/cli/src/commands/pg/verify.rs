//! `lastgood pg verify`.

use std::time::Duration;

use backup_core::store::StoreRead;
use pg_clone::hook::Hooks;
use pg_clone::restore::Restore;
use pg_clone::stored::list;
use pg_clone::stored::verify::{self, ReadAmount, VerifyReport};

use crate::args::pg::Verify;
use crate::commands::pg::asked::{filter, restore_options, wanted};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::pg::verify_report;
use crate::render::units::{counted, duration};

/// Objects read at once: enough to keep a distant store busy and two cores hashing.
const JOBS: usize = 4;

pub(super) async fn run(arguments: &Verify, context: &Context) -> CliResult<Exit> {
    let read = arguments.read.unwrap_or(ReadAmount::Structure);
    let store = context.open().await?;
    let keys = if arguments.all { all(arguments, &*store, context).await? } else { arguments.keys.clone() };
    let mut reports = Vec::with_capacity(keys.len());
    for key in &keys {
        let report = verify::verify(&*store, wanted(key, &arguments.of), read, JOBS, &context.run).await?;
        // Of many dumps each is told as soon as it was read: it may take hours.
        if !context.printer.is_json() {
            context.printer.done(&report, report.damage_count == 0, verify_report)?;
        }
        reports.push(report);
    }
    if context.printer.is_json() {
        match reports.as_slice() {
            // As it always was for one dump.
            [only] if !arguments.all => context.printer.result(only, verify_report)?,
            reports => context.printer.result(&reports, |_| String::new())?,
        }
    }
    end(reports)?;
    if arguments.restorable {
        for key in &keys {
            restore_for_a_trial(key, arguments, context).await?;
        }
    }
    Ok(Exit::Ok)
}

/// Keys of every dump.
async fn all(arguments: &Verify, store: &dyn StoreRead, context: &Context) -> CliResult<Vec<String>> {
    let filter = filter(None, None, &arguments.of);
    let dumps = context.or_cancelled(async { Ok(list::list(store, &filter).await?) }).await?;
    if dumps.is_empty() {
        context.printer.note(&format!("no dumps in {}", store.describe()));
    }
    Ok(dumps.into_iter().map(|dump| dump.key).collect())
}

/// Ends with the first damaged dump, and says how many there are.
fn end(reports: Vec<VerifyReport>) -> CliResult<()> {
    let damaged = reports.iter().filter(|report| report.damage_count > 0).count() as u64;
    let all = reports.len() as u64;
    match reports.into_iter().find(|report| report.damage_count > 0) {
        None => Ok(()),
        Some(first) if damaged == 1 => first.into_result().map(drop).map_err(CliError::from),
        Some(first) => Err(pg_clone::PgError::Integrity {
            dump: first.key,
            what: format!("it is the first of {} among {}", counted(damaged, "damaged dump", "damaged dumps"), all),
        }
        .into()),
    }
}

/// Restores a dump into a scratch database, which is dropped.
async fn restore_for_a_trial(key: &str, arguments: &Verify, context: &Context) -> CliResult<()> {
    let (server, _) = context.server_of(&arguments.server.without_dbname(), None)?;
    let mut options = restore_options(&context.settings, key.to_owned());
    options.cluster.clone_from(&arguments.of.cluster);
    options.pg_bin = arguments.tools.pg_bin.clone().or(options.pg_bin);
    options.allow_outside = arguments.allow_outside.iter().copied().collect();
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
