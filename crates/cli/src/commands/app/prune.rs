//! `lastgood app prune`.

use backup_core::key::Key;
use object_backup::list::Filter;
use object_backup::{BackupKey, Prune, PruneOptions};

use crate::args::app;
use crate::commands::prune::{decide, end, note_if_none};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

pub(super) async fn run(arguments: &app::Prune, context: &Context) -> CliResult<Exit> {
    let filter = Filter::default().named(arguments.name.clone()).of_source(arguments.of.source.clone());
    let policy = arguments.keep.policy_beside(&arguments.unfinished);
    let ruled = policy.is_some();
    let options = PruneOptions::new(policy).filter(filter).grace(arguments.unfinished.grace());
    let store = context.open_to_change().await?;
    let prune = Prune::prepare(&store, &options, &context.run).await?;
    note_if_none(ruled, prune.plan(), &store.describe(), context);
    if !decide(prune.plan(), name, arguments.dry_run, context).await? {
        return Ok(Exit::Ok);
    }
    let held_back = prune.plan().held_back.clone();
    end(&prune.run().await?, &held_back, name, context)
}

/// The backup as users know it, from the key of its manifest.
fn name(manifest: &Key) -> String {
    BackupKey::of_manifest(manifest).map_or_else(|| manifest.to_string(), |key| key.to_string())
}
