//! `lastgood glacier backup`.

use std::path::Path;

use backup_core::location::Location;
use glacier_archive::backup::{BackupSettings, backup, plan_backup};
use glacier_archive::class::Class;

use crate::args::glacier::Backup;
use crate::commands::glacier::shared::{open_state, price_book, warn_of_rules};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::glacier::{backup_plan, written};
use crate::render::published::Published;
use crate::render::units::counted;

pub(super) async fn run(arguments: &Backup, context: &Context) -> CliResult<Exit> {
    let settings = settings(arguments, context)?;
    let prices = price_book(&arguments.prices, context)?;
    if arguments.dry_run.dry_run {
        let store = context.open_to_plan(arguments.init).await?;
        let state = open_state(&arguments.kept, &settings.name, &store, context)?;
        warn_of_rules(&settings.name, settings.class, &prices, context).await?;
        let plan = Box::pin(plan_backup(store, &state, &settings, &prices, &context.run)).await?;
        context.printer.result(&plan, |plan| format!("{}\nNothing was changed (dry run)", backup_plan(plan)))?;
        return exit_of(plan.failed.len());
    }
    let store = context.open_to_write(arguments.init).await?;
    let state = open_state(&arguments.kept, &settings.name, &store, context)?.locked()?;
    warn_of_rules(&settings.name, settings.class, &prices, context).await?;
    // Not dropped at a signal: it gives its upload up by itself.
    let report = Box::pin(backup(store, &state, &settings, &context.run)).await?;
    for failed in &report.failed {
        context.printer.warn(&format!("`{}` was left out: {}", failed.name, failed.what));
    }
    if let Some(warning) = &report.warning {
        context.printer.warn(warning);
    }
    let failed = report.failed.len();
    context.printer.result(&Published { location: context.location()?.to_string(), report }, written)?;
    exit_of(failed)
}

/// How a run ends that left out `failed` files.
fn exit_of(failed: usize) -> CliResult<Exit> {
    if failed == 0 {
        return Ok(Exit::Ok);
    }
    Err(CliError::Partial {
        what: format!("{} could not be backed up", counted(failed as u64, "file", "files")),
        help: "the backup has all other files, and can be restored".to_owned(),
    })
}

fn settings(arguments: &Backup, context: &Context) -> CliResult<BackupSettings> {
    let layer = context.settings.layer();
    let configured = || layer.glacier_files.as_ref().map(|set| set.value.clone());
    let files = arguments.files.clone().or_else(configured).ok_or_else(|| {
        CliError::usage(
            "no folder of files was named",
            "name it with `--files`, or as `files` of `[glacier]` in the configuration file",
        )
    })?;
    let name = match &arguments.name {
        Some(name) => name.clone(),
        None => folder_name(&files)?,
    };
    // `config check` judges it, and a file that was not checked is no reason to archive in another class.
    let configured = || layer.glacier_class.as_ref().map(|set| set.value.parse::<Class>());
    let asked = match (context.location()?, arguments.class) {
        (Location::S3 { .. }, None) => configured().transpose().map_err(|error| {
            CliError::usage(format!("`glacier.class` cannot be used: {error}"), "correct it in the configuration file")
        })?,
        (_, class) => class,
    };
    let class = match (context.location()?, asked) {
        (Location::S3 { .. }, class) => Some(class.unwrap_or(Class::Glacier)),
        (_, None) => None,
        (location, Some(_)) => {
            let what = format!("`{location}` has no storage classes");
            return Err(CliError::usage(what, "leave `--class` out, or use a location in a bucket"));
        }
    };
    Ok(BackupSettings {
        name,
        files,
        class,
        bundles: !arguments.no_bundles && layer.glacier_bundles.as_ref().is_none_or(|set| set.value),
        allow_empty: arguments.allow_empty,
        tags: arguments.tag.clone(),
    })
}

fn folder_name(files: &Path) -> CliResult<String> {
    let folder = files.canonicalize().unwrap_or_else(|_| files.to_owned());
    let name = folder.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let named = name.filter(|name| glacier_archive::backup_key::check_name(name).is_ok());
    named.ok_or_else(|| {
        let what = format!("`{}` has no name that a backup can have", files.display());
        CliError::usage(what, "name the backup with `--name`")
    })
}
