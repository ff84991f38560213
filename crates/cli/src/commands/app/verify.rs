//! `lastgood app verify`.

use object_backup::ObjectError;
use object_backup::list::{self, Filter, State};
use object_backup::verify::verify;

use crate::args::app::Verify;
use crate::commands::app::asked::sought;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::app::verified;

pub(super) async fn run(arguments: &Verify, context: &Context) -> CliResult<Exit> {
    let store = context.open().await?;
    let reading = async {
        let mut entries = Vec::new();
        for key in &arguments.keys {
            let sought = sought(key, arguments.name.as_deref(), &arguments.of).allow_older(true);
            entries.push(list::find(&*store, sought).await?.entry);
        }
        if arguments.keys.is_empty() {
            let filter = Filter::default().named(arguments.name.clone()).of_source(arguments.of.source.clone());
            entries = list::list(&*store, &filter).await?;
            // What was never published is no backup that could be broken.
            entries.retain(|entry| entry.state != State::Unpublished);
            if entries.is_empty() {
                context.printer.note(&format!("no backups in {}", store.describe()));
            }
        }
        let mut answers = Vec::new();
        for entry in &entries {
            answers.push(Box::pin(verify(&store, entry, &context.run)).await?);
        }
        Ok(answers)
    };
    let answers = context.or_cancelled(reading).await?;
    let is_well = answers.iter().all(|answer| answer.broken.is_none());
    context.printer.done(&answers, is_well, |answers| verified(answers))?;
    match answers.iter().find_map(|answer| Some((answer, answer.broken.clone()?))) {
        None => Ok(Exit::Ok),
        Some((answer, what)) => Err(ObjectError::Damaged { file: answer.key.to_string(), what }.into()),
    }
}
