//! The confirmation before every `prune`, and its error about objects that could not be deleted.

use crate::confirm;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::units::{bytes, counted};

/// Deleting backups (`words`: one, several) is asked about, below the plan; what never became one goes without.
pub(super) async fn agreed(
    (deleted, freed_bytes): (u64, u64),
    words: (&str, &str),
    plan: impl FnOnce() -> String,
    context: &Context,
) -> CliResult<()> {
    if deleted == 0 || context.global.yes {
        return Ok(());
    }
    if confirm::somebody_is_there() {
        context.printer.stderr(&plan());
    }
    let what = format!("this deletes {} and frees {}", counted(deleted, words.0, words.1), bytes(freed_bytes));
    confirm::go_on(&what, &context.run.cancel).await
}

/// How a run ends that could not delete `failures` objects.
pub(super) fn ended(failures: usize) -> CliResult<Exit> {
    if failures == 0 {
        return Ok(Exit::Ok);
    }
    let failed = counted(failures as u64, "object", "objects");
    Err(CliError::Partial {
        what: format!("{failed} could not be deleted"),
        help: "every kept backup is complete. Run the same command again to delete the rest".to_owned(),
    })
}
