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
        let entries = match &arguments.key {
            Some(key) => {
                let sought = sought(key, arguments.name.as_deref(), &arguments.of);
                vec![list::find(&*store, sought).await?.entry]
            }
            // What was never published is no backup that could be broken.
            None => {
                let filter = Filter::default().named(arguments.name.clone()).of_source(arguments.of.source.clone());
                let mut entries = list::list(&*store, &filter).await?;
                entries.retain(|entry| entry.state != State::Unpublished);
                entries
            }
        };
        let mut answers = Vec::new();
        for entry in &entries {
            answers.push(Box::pin(verify(&store, entry, &context.run)).await?);
        }
        Ok(answers)
    };
    let answers = context.or_cancelled(reading).await?;
    context.printer.result(&answers, |answers| verified(answers))?;
    match answers.iter().find_map(|answer| Some((answer, answer.broken.clone()?))) {
        None => Ok(Exit::Ok),
        Some((answer, what)) => Err(ObjectError::Damaged { file: answer.key.to_string(), what }.into()),
    }
}
