//! `lastgood glacier catalogue rebuild`.

use std::collections::BTreeMap;

use backup_core::key::Key;
use backup_core::store::SharedStore;
use glacier_archive::GlacierError;
use glacier_archive::adapters::vault::VaultArchive;
use glacier_archive::backup::publish_recovered;
use glacier_archive::class::Class;
use glacier_archive::inventory;
use glacier_archive::plan::Wanted;
use glacier_archive::rebuild::rebuild;
use glacier_archive::reconcile::{PaidFor, inventoried, listed};
use glacier_archive::recover::recover;
use glacier_archive::retrieve::{ask_for, settled};
use glacier_archive::vaulted::{Described, Vaulted};

use crate::args::glacier::{Inventory, Rebuild};
use crate::commands::glacier::inventory::{file, opened};
use crate::commands::glacier::shared::{Sides, limits, open_state, price_book, sides};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::archives::recovered;
use crate::render::glacier::{archives, asked, rebuilt, within};
use crate::render::units::counted;

pub(super) async fn run(arguments: &Rebuild, context: &Context) -> CliResult<Exit> {
    let (name, hot) = (&arguments.of.name, context.open().await?);
    {
        let state = open_state(&arguments.of.kept, name, &hot, context)?.locked()?;
        let report = Box::pin(rebuild(&hot, &state, name, &context.run)).await?;
        for damaged in &report.damaged {
            context.printer.warn(damaged);
        }
        if !arguments.from_archives {
            context.printer.done(&report, report.damaged.is_empty(), rebuilt)?;
            return exit_of(report.damaged.len());
        }
    }
    Box::pin(from_archives(arguments, hot, context)).await
}

fn exit_of(damaged: usize) -> CliResult<Exit> {
    if damaged == 0 {
        return Ok(Exit::Ok);
    }
    Err(CliError::Partial {
        what: format!("{} could not be read", counted(damaged as u64, "backup", "backups")),
        help: "the catalogue has what all others say".to_owned(),
    })
}

/// What archives say of themselves, for whoever lost the manifests, too.
async fn from_archives(arguments: &Rebuild, hot: SharedStore, context: &Context) -> CliResult<Exit> {
    let name = &arguments.of.name;
    let opened = Sides::of(&arguments.of, hot, true, context).await?;
    let (found, class): (Vec<(PaidFor, Option<String>)>, Option<Class>) = match &opened.vault {
        None => {
            let all = listed(&opened.hot, name, &context.run).await?.into_iter().map(|paid| (paid, None)).collect();
            (all, Some(arguments.class.unwrap_or_default()))
        }
        Some(vault) => (inventory_of(&opened, vault, arguments, context).await?, Some(Class::Vault)),
    };
    // The vault's side, which knows now what the vault calls them.
    let vault = opened.vault.as_deref();
    let known = (vault, BTreeMap::new());
    let (store, cold) = Box::pin(sides(opened.hot.clone(), &opened.state, name, known, context)).await?;
    let report = Box::pin(recover(&store, &opened.state, found, class, &context.run)).await?;
    for failed in &report.failed {
        context.printer.warn(&format!("`{}` says nothing of itself: {}", failed.key, failed.what));
    }
    if !report.waiting.is_empty() {
        return request(arguments, (&*cold, &opened), report.waiting, context).await;
    }
    context.printer.done(&report, report.failed.is_empty(), recovered)?;
    if report.archives > 0 || glacier_archive::find::list(&*opened.hot, Some(name.as_str())).await?.is_empty() {
        let key = Box::pin(publish_recovered(&opened.hot, &opened.state, name, vault, &context.run)).await?;
        context.printer.note(&format!("published `{key}` with all files that are known"));
    }
    exit_of(report.failed.len())
}

/// The archives of the vault's inventory, with the names of their files. What the vault calls them is kept.
async fn inventory_of(
    opened_sides: &Sides,
    vault: &str,
    arguments: &Rebuild,
    context: &Context,
) -> CliResult<Vec<(PaidFor, Option<String>)>> {
    let asked = Inventory { of: arguments.of.clone(), fresh: false };
    let path = file(opened_sides, vault, &asked, context).await?;
    let (mut all, mut ids): (Vec<_>, BTreeMap<Key, VaultArchive>) = Default::default();
    inventory::read(&mut opened(&path)?, |archive| {
        let file = Described::parse(&archive.description).and_then(|described| described.file);
        let paid = inventoried(archive.id.clone(), archive.description, archive.bytes, archive.created);
        let folders = glacier_archive::key::payloads(&arguments.of.name);
        let is_ours = |key: &Key| folders.iter().any(|folder| key.as_str().starts_with(folder));
        if let Some(key) = paid.key.clone().filter(is_ours) {
            ids.insert(key, VaultArchive { id: archive.id, bytes: archive.bytes, tree_hash: archive.tree_hash });
            all.push((paid, file));
        }
        Ok(())
    })?;
    let catalogue = opened_sides.state.catalogue();
    let known = catalogue.vaulted()?;
    for (key, archive) in ids {
        if known.get(&key).is_none_or(|known| known.archive.is_none()) {
            catalogue.keep_vaulted(&key, &Vaulted { upload: None, archive: Some(archive) })?;
        }
    }
    Ok(all)
}

/// Requests bundles whose index cannot be read yet.
async fn request(
    arguments: &Rebuild,
    (cold, opened): (&dyn glacier_archive::cold::ColdStore, &Sides),
    waiting: Vec<Wanted>,
    context: &Context,
) -> CliResult<Exit> {
    let (allowed, prices) = (limits(&arguments.limits, context), price_book(&arguments.limits.prices, context)?);
    let count = waiting.len() as u64;
    let polled = settled(cold, &opened.state, &arguments.of.name, &context.run).await?;
    polled.keep(&opened.state)?;
    let retrievals = opened.state.catalogue().retrievals()?;
    let is_open = |wanted: &Wanted| {
        let phase = retrievals.get(&wanted.key).map(|known| known.phase).unwrap_or_default();
        !matches!(phase, glacier_archive::lifecycle::Phase::Pending)
    };
    let expected = waiting.iter().filter_map(|wanted| retrievals.get(&wanted.key)?.expected).max();
    let wanted = waiting.into_iter().filter(is_open).collect();
    let run = &context.run;
    let done = Box::pin(ask_for(cold, &opened.state, wanted, &polled, &allowed, &prices, run)).await?;
    let now = run.clock.now();
    context.printer.result(&done, |done| asked(done, now))?;
    let expected = expected.max(done.expected).map_or_else(String::new, |at| format!(", expected {}", within(at, now)));
    Err(GlacierError::NotReady {
        what: format!("{} must be retrieved before their index can be read{expected}", archives(count)),
        help: "run the same command again then".to_owned(),
    }
    .into())
}
