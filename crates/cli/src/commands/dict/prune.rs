//! `lastgood dict prune`.

use dictstore_backup::prune::file_of;
use dictstore_backup::{Prune, PruneOptions};

use crate::args::dict;
use crate::commands::dict::asked::at;
use crate::commands::dict::lock::{self, Kind};
use crate::commands::prune::{decide, end, note_if_none};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

pub(super) async fn run(arguments: &dict::Prune, context: &Context) -> CliResult<Exit> {
    let policy = arguments.keep.policy_beside(&arguments.unfinished);
    let ruled = policy.is_some();
    let options = PruneOptions::new(policy).source(arguments.of.source.clone()).grace(arguments.unfinished.grace());
    let _lock = lock::take(&arguments.lock, Kind::Exclusive, context).await?;
    let store = at(&arguments.place, context)?.open_to_change().await?;
    let prune = Prune::prepare(&store, &options, &context.run).await?;
    note_if_none(ruled, prune.plan(), &store.describe(), context);
    if !decide(prune.plan(), file_of, arguments.dry_run, context).await? {
        return Ok(Exit::Ok);
    }
    let held_back = prune.plan().held_back.clone();
    end(&prune.run().await?, &held_back, file_of, context)
}
