//! `lastgood glacier delete` and `lastgood glacier prune`.

use backup_core::key::Key;
use glacier_archive::gone;
use glacier_archive::key::{BackupKey, Which as Asked};
use glacier_archive::prune::{Deletion, Fees, Which};
use serde::Serialize;

use crate::args::DryRun;
use crate::args::glacier::{Delete, Kept, Named, Prices, Prune};
use crate::commands::glacier::shared::{Sides, price_book};
use crate::commands::prune::{confirm_deletion, end, note_if_none, unless_held_back};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::archives::fees;
use crate::render::prune::PrunePlan;

/// A plan with what it costs.
#[derive(Debug, Serialize)]
struct Priced<'a> {
    #[serde(flatten)]
    plan: PrunePlan,
    fees: &'a Fees,
}

impl Priced<'_> {
    fn text(&self) -> String {
        if self.fees.archives + self.fees.shared == 0 {
            self.plan.text()
        } else {
            format!("{}\n{}", self.plan.text(), fees(self.fees))
        }
    }
}

pub(super) async fn delete(arguments: &Delete, context: &Context) -> CliResult<Exit> {
    let asked: Asked = arguments.backup.parse()?;
    let Some(time) = asked.time else {
        let what = format!("`{}` names no single backup", arguments.backup);
        return Err(CliError::usage(
            what,
            "name one by its key, as `lastgood glacier ls` prints it; nothing was deleted",
        ));
    };
    let key = BackupKey { name: asked.name.clone(), time };
    let about = (asked.name.as_str(), &arguments.kept, &arguments.prices, arguments.dry_run);
    Box::pin(carry_out(about, Which::Backup(&key), context)).await
}

pub(super) async fn run(arguments: &Prune, context: &Context) -> CliResult<Exit> {
    let policy = arguments.keep.policy_beside(&arguments.unfinished);
    let which = Which::Rules(policy.as_ref(), arguments.unfinished.grace());
    let about = (arguments.name.as_str(), &arguments.kept, &arguments.prices, arguments.dry_run);
    Box::pin(carry_out(about, which, context)).await
}

async fn carry_out(
    (name, kept, prices, dry_run): (&str, &Kept, &Prices, DryRun),
    which: Which<'_>,
    context: &Context,
) -> CliResult<Exit> {
    let prices = price_book(prices, context)?;
    let hot = context.open_to_change().await?;
    let named = Named { name: name.to_owned(), vault: None, kept: kept.clone() };
    let sides = Sides::of(&named, hot, !dry_run.dry_run, context).await?;
    if !dry_run.dry_run {
        gone::settle(&sides.store, &sides.state).await?;
    }
    let deletion = Deletion::prepare(&sides.store, name, which, &prices, &context.run).await?;
    let plan = deletion.plan();
    for warning in &plan.retention.warnings {
        context.printer.warn(warning);
    }
    if let Which::Rules(policy, _) = which {
        note_if_none(policy.is_some(), plan, &sides.hot.describe(), context);
    }
    let shown = Priced { plan: PrunePlan::of(plan, backup_of), fees: deletion.fees() };
    if dry_run.dry_run {
        context.printer.dry_run(&shown, Priced::text)?;
        unless_held_back(&plan.held_back)?;
        return Ok(Exit::Ok);
    }
    let deleted = (plan.removals.removals.len() as u64, plan.removals.freed_bytes);
    confirm_deletion(deleted, ("backup", "backups"), || shown.text(), context).await?;
    let held_back = plan.held_back.clone();
    let report = deletion.run(&sides.state).await?;
    end(&report, &held_back, backup_of, context)
}

/// What people call the backup with this manifest.
fn backup_of(manifest: &Key) -> String {
    BackupKey::of_manifest(manifest).map_or_else(|| manifest.to_string(), |key| key.to_string())
}
