//! `lastgood dict watch`.

use std::collections::HashSet;

use backup_core::store::SharedStore;
use dictstore_backup::list::{self, State};
use tokio::process::Command;

use crate::args::dict::Watch;
use crate::commands::dict::asked::open;
use crate::commands::dict::lock::{self, Kind};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::units::counted;

pub(super) async fn run(arguments: &Watch, context: &Context) -> CliResult<Exit> {
    let store = open(&arguments.place, context).await?;
    let mut watched = Watched::new(arguments.of.source.clone());
    let found = {
        let _lock = lock::take(&arguments.lock, Kind::Shared, context).await?;
        watched.look(&store, context).await?
    };
    let mut seen: HashSet<String> = found.into_iter().collect();
    context.printer.note(&format!(
        "watching {}: {} so far",
        store.describe(),
        counted(seen.len() as u64, "backup", "backups")
    ));
    let mut ran = 0;
    while arguments.count.is_none_or(|count| ran < count) {
        let pause = async {
            tokio::time::sleep(arguments.every).await;
            Ok(())
        };
        context.or_cancelled(pause).await?;
        // Given back before the program runs: whoever writes here need not wait for it.
        let found = {
            let _lock = lock::take(&arguments.lock, Kind::Shared, context).await?;
            watched.look(&store, context).await?
        };
        for file in found {
            if arguments.count.is_none_or(|count| ran < count) && seen.insert(file.clone()) {
                execute(arguments, &file, context).await?;
                ran += 1;
            }
        }
    }
    Ok(Exit::Ok)
}

/// The one store whose backups are watched: the one that was named, or else the only one that has backups first.
struct Watched {
    source: Option<String>,
    /// Whether it was said that others write here too.
    told: bool,
}

impl Watched {
    fn new(source: Option<String>) -> Self {
        Self { source, told: false }
    }

    /// The backups of that store, oldest first.
    async fn look(&mut self, store: &SharedStore, context: &Context) -> CliResult<Vec<String>> {
        let source = self.source.as_deref();
        let looked = context.or_cancelled(async { Ok(list::of_one_store(&**store, source).await?) }).await?;
        if let Some(identity) = looked.entries.iter().rev().find_map(|entry| entry.identity()) {
            self.source = Some(identity.id.clone());
        }
        if looked.others > 0 && !std::mem::replace(&mut self.told, true) {
            context
                .printer
                .warn("there are also backups of another store here, which are ignored; choose a store with --source");
        }
        let known = |entry: &&list::Entry| matches!(entry.state, State::Good | State::Foreign);
        Ok(looked.entries.iter().filter(known).map(|entry| entry.name.to_string()).collect())
    }
}

/// Runs the program and waits for it. That it failed is told; the next backup runs it again.
async fn execute(arguments: &Watch, file: &str, context: &Context) -> CliResult<()> {
    let program = arguments.exec.display();
    let started = Command::new(&arguments.exec).arg(file).kill_on_drop(true).status();
    let ended = context.or_cancelled(async { Ok(started.await) }).await?;
    let status = ended.map_err(|source| CliError::Output { action: format!("run `{program}`"), source })?;
    if !status.success() {
        context.printer.warn(&format!("`{program}` ended with {status} for `{file}`; still watching"));
    }
    Ok(())
}
