//! `lastgood glacier backup`.

use backup_core::location::Location;
use glacier_archive::backup::{BackupSettings, backup_with, plan_backup};
use glacier_archive::backup_key::check_name;
use glacier_archive::class::Class;

use crate::args::glacier::Backup;
use crate::commands::glacier::database;
use crate::commands::glacier::shared::{open_state, price_book};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::glacier::database::{PlanWithDump, WithDump, backup_with_dump, plan_with_dump};
use crate::render::published::Published;
use crate::render::units::counted;

pub(super) async fn run(arguments: &Backup, context: &Context) -> CliResult<Exit> {
    let context = &database::under(&arguments.dumped.tools, context)?;
    let named = database::named(&arguments.dumped, context)?;
    let named = named.as_ref().map(|(server, database)| (server, database.as_str()));
    let settings = settings(arguments, named.map(|(_, database)| database), context)?;
    if arguments.dry_run.dry_run {
        let store = context.open_to_plan(arguments.init).await?;
        let state = open_state(&arguments.kept, &settings.name, &store)?;
        let prices = price_book(&arguments.prices)?;
        let database = match named {
            Some(named) => Some(Box::pin(database::plan(named, &store, &settings, context)).await?),
            None => None,
        };
        let plan = Box::pin(plan_backup(store, &state, &settings, &prices, &context.run)).await?;
        let plan = PlanWithDump { plan, database };
        context.printer.result(&plan, |plan| format!("{}\nNothing was changed (dry run)", plan_with_dump(plan)))?;
        return exit_of(plan.plan.failed.len());
    }
    let store = context.open_to_write(arguments.init).await?;
    let state = open_state(&arguments.kept, &settings.name, &store)?.locked()?;
    let (part, dump) = match named {
        // First: files that its rows name are in the folder by then, and stay there.
        Some(named) => {
            let (part, report) = Box::pin(database::dump(named, &store, &state, &settings, context)).await?;
            (Some(part), Some(report))
        }
        None => (None, None),
    };
    // Not dropped at a signal: it gives its upload up by itself.
    let report = Box::pin(backup_with(store, &state, &settings, part, &context.run)).await?;
    for failed in &report.failed {
        context.printer.warn(&format!("`{}` was left out: {}", failed.name, failed.what));
    }
    if let Some(warning) = &report.warning {
        context.printer.warn(warning);
    }
    let failed = report.failed.len();
    let report = WithDump { written: report, dump };
    context.printer.result(&Published { location: context.location()?.to_string(), report }, backup_with_dump)?;
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

fn settings(arguments: &Backup, database: Option<&str>, context: &Context) -> CliResult<BackupSettings> {
    let name = match (&arguments.name, database) {
        (Some(name), _) => name.clone(),
        (None, Some(database)) if check_name(database).is_ok() => database.to_owned(),
        (None, _) => folder_name(arguments)?,
    };
    let class = match (context.location()?, arguments.class) {
        (Location::S3 { .. }, class) => Some(class.unwrap_or(Class::Glacier)),
        (_, None) => None,
        (location, Some(_)) => {
            let what = format!("`{location}` has no storage classes");
            return Err(CliError::usage(what, "leave `--class` out, or use a location in a bucket"));
        }
    };
    Ok(BackupSettings {
        name,
        files: arguments.files.clone(),
        class,
        bundles: !arguments.no_bundles,
        allow_empty: arguments.allow_empty,
        tags: arguments.tag.clone(),
    })
}

fn folder_name(arguments: &Backup) -> CliResult<String> {
    let folder = arguments.files.canonicalize().unwrap_or_else(|_| arguments.files.clone());
    let name = folder.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let named = name.filter(|name| check_name(name).is_ok());
    named.ok_or_else(|| {
        let what = format!("`{}` has no name that a backup can have", arguments.files.display());
        CliError::usage(what, "name the backup with `--name`")
    })
}
