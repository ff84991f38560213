//! `lastgood glacier reconcile`.

use glacier_archive::GlacierError;
use glacier_archive::inventory;
use glacier_archive::reconcile::{Comparison, Reconciled, inventoried, known, listed};

use crate::args::glacier::Inventory;
use crate::commands::glacier::inventory::{file, opened};
use crate::commands::glacier::shared::Sides;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::archives;
use crate::render::units::counted;

pub(super) async fn run(arguments: &Inventory, context: &Context) -> CliResult<Exit> {
    let hot = context.open().await?;
    let sides = Sides::of(&arguments.of, hot, true, context).await?;
    let name = &arguments.of.name;
    let input = match &sides.vault {
        None => None,
        Some(vault) => Some(opened(&file(&sides, vault, arguments, context).await?)?),
    };
    let expected = Box::pin(known(&sides.hot, &sides.state, name, &context.run)).await?;
    let mut comparison = Comparison::new(name, expected);
    let found = match input {
        None => {
            for paid in listed(&sides.hot, name, &context.run).await? {
                comparison.take(paid);
            }
            comparison.finish(None)
        }
        Some(mut input) => {
            let read = inventory::read(&mut input, |archive| {
                let paid = inventoried(archive.id, archive.description, archive.bytes, archive.created);
                comparison.take(paid);
                Ok(())
            })?;
            // An inventory in CSV does not say when it was made: everything may be too new for it.
            comparison.finish(Some(read.made.unwrap_or_default()))
        }
    };
    let now = context.run.clock.now();
    let is_well = found.gone.is_empty() && found.differing.is_empty() && found.unknown.is_empty();
    context.printer.done(&found, is_well, |found| archives::reconciled(found, now))?;
    verdict(&found, name)
}

fn verdict(found: &Reconciled, name: &str) -> CliResult<Exit> {
    let lost = found.gone.len() + found.differing.len();
    if lost > 0 {
        let why = format!("{} of its backups are gone or have changed", counted(lost as u64, "archive", "archives"));
        return Err(GlacierError::Damaged { what: name.to_owned(), why }.into());
    }
    if found.unknown.is_empty() {
        return Ok(Exit::Ok);
    }
    Err(CliError::Partial {
        what: format!("{} paid for but unknown", counted(found.unknown.len() as u64, "archive is", "archives are")),
        help: format!("`lastgood glacier catalogue rebuild {name} --from-archives` finds out what they contain"),
    })
}
