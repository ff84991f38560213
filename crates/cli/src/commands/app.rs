//! `lastgood app`: which command it is, and what they share.

mod backup;
mod cat;
mod ls;
mod prune;
mod restore;
mod show;
mod verify;

use std::sync::Arc;

use object_backup::{
    CommandSource, NdjsonSource, NdjsonTarget, Run, Source, SqliteSource, SqliteTarget, Target, Wanted,
};

use crate::args::app::App;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;

/// Runs `command`. The futures hold whole pipelines, so that each is boxed.
pub(super) async fn run(command: App, context: &Context) -> CliResult<Exit> {
    match command {
        App::Backup(arguments) => Box::pin(backup::run(&arguments, context)).await,
        App::Ls(arguments) => Box::pin(ls::run(&arguments, context)).await,
        App::Show(arguments) => Box::pin(show::run(&arguments, context)).await,
        App::Verify(arguments) => Box::pin(verify::run(&arguments, context)).await,
        App::Cat(arguments) => Box::pin(cat::run(&arguments, context)).await,
        App::Restore(arguments) => Box::pin(restore::run(&arguments, context)).await,
        App::Prune(arguments) => Box::pin(prune::run(&arguments, context)).await,
    }
}

/// The surroundings as the library takes them.
fn surroundings(context: &Context) -> Run {
    Run {
        clock: Arc::clone(&context.run.clock),
        progress: Arc::clone(&context.run.progress),
        cancel: context.run.cancel.clone(),
    }
}

fn source(text: &str) -> CliResult<Arc<dyn Source>> {
    Ok(match text.split_once(':') {
        Some(("sqlite", file)) if !file.is_empty() => Arc::new(SqliteSource::new(file)),
        Some(("ndjson", folder)) if !folder.is_empty() => Arc::new(NdjsonSource::new(folder)),
        Some(("exec", line)) => Arc::new(CommandSource::new(line)?),
        _ => {
            return Err(CliError::usage(
                format!("`--source` cannot be `{text}`"),
                "write sqlite:FILE, ndjson:DIR or exec:'PROGRAM {type}'",
            ));
        }
    })
}

fn target(text: &str) -> CliResult<Arc<dyn Target>> {
    Ok(match text.split_once(':') {
        Some(("sqlite", file)) if !file.is_empty() => Arc::new(SqliteTarget::new(file)),
        Some(("ndjson", folder)) if !folder.is_empty() => Arc::new(NdjsonTarget::new(folder)),
        _ => {
            return Err(CliError::usage(format!("`--to` cannot be `{text}`"), "write sqlite:FILE or ndjson:DIR"));
        }
    })
}

fn wanted(types: &[String]) -> Vec<Wanted> {
    types.iter().map(|text| Wanted::parse(text)).collect()
}
