//! `lastgood dict watch`.

use std::collections::HashSet;
use std::time::Duration;

use dictstore_backup::folder::{self, State};
use tokio::process::Command;

use crate::args::dict::Watch;
use crate::args::retention::duration;
use crate::commands::dict::open;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;

pub(super) async fn run(arguments: &Watch, context: &Context) -> CliResult<Exit> {
    let every = duration("--every", &arguments.every)?;
    let every = Duration::try_from(every).ok().filter(|every| !every.is_zero());
    let Some(every) = every else {
        return Err(CliError::usage("`--every` must be more than zero", "write a time such as `5s`"));
    };
    let store = open(&arguments.place, context).await?;
    let list = async || context.or_cancelled(async { Ok(folder::list(&*store).await?) }).await;
    let known = |entry: &folder::Entry| matches!(entry.state, State::Good | State::Foreign);
    let mut seen: HashSet<String> =
        list().await?.iter().filter(|entry| known(entry)).map(|entry| entry.name.to_string()).collect();
    context.printer.note(&format!("watching {}: {} backups so far", store.describe(), seen.len()));
    let mut ran = 0;
    while arguments.count.is_none_or(|count| ran < count) {
        let pause = async {
            tokio::time::sleep(every).await;
            Ok(())
        };
        context.or_cancelled(pause).await?;
        for entry in list().await?.iter().filter(|entry| known(entry)) {
            let file = entry.name.to_string();
            if arguments.count.is_none_or(|count| ran < count) && seen.insert(file.clone()) {
                execute(arguments, &file, context).await?;
                ran += 1;
            }
        }
    }
    Ok(Exit::Ok)
}

/// Runs the program and waits for it. That it failed is told; the next backup runs it again.
async fn execute(arguments: &Watch, file: &str, context: &Context) -> CliResult<()> {
    let program = arguments.exec.display();
    let started = Command::new(&arguments.exec).arg(file).kill_on_drop(true).status();
    let ended = context.or_cancelled(async { Ok(started.await) }).await?;
    let status =
        ended.map_err(|source| CliError::Output { target: format!("to `{program}`: it cannot be run"), source })?;
    if !status.success() {
        context.printer.warn(&format!("`{program}` ended with {status} for `{file}`; watching goes on"));
    }
    Ok(())
}
