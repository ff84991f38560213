//! `lastgood glacier backup`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use backup_core::location::Location;
use backup_core::store::SharedStore;
use glacier_archive::backup::{BackupSettings, Written, backup_with, plan_backup};
use glacier_archive::class::Class;
use glacier_archive::find::{self, Files};
use glacier_archive::key::check_name;
use glacier_archive::pattern::Excluded;
use glacier_archive::rebuild::rebuild;
use glacier_archive::state::State;
use glacier_archive::turn::Turn;
use glacier_archive::{gone, stored};
use pg_clone::Server;
use pg_clone::dump::DumpReport;

use crate::args::glacier::Backup;
use crate::commands::glacier::database;
use crate::commands::glacier::shared::{configured_files, open_state, open_vault, price_book, sides, warn_of_rules};
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
    let name = name_of(arguments, named.map(|(_, database)| database), context)?;
    let prices = price_book(&arguments.prices, context)?;
    if arguments.dry_run.dry_run {
        let store = context.open_to_plan(arguments.init).await?;
        let settings = settings(arguments, name, named.is_some(), &store, context).await?;
        let state = open_state(&arguments.kept, &settings.name, &store, context)?;
        warn_of_rules(&settings.name, settings.class, &prices, context).await?;
        let database = match named {
            Some(named) => Some(Box::pin(database::plan(named, &store, &settings, context)).await?),
            None => None,
        };
        let plan = Box::pin(plan_backup(store, &state, &settings, &prices, &context.run)).await?;
        let plan = PlanWithDump { plan, database };
        context.printer.result(&plan, |plan| format!("{}\nNothing was changed (dry run)", plan_with_dump(plan)))?;
        return exit_of(plan.plan.failed.len());
    }
    let hot = context.open_to_write(arguments.init).await?;
    let settings = settings(arguments, name, named.is_some(), &hot, context).await?;
    let state = open_state(&arguments.kept, &settings.name, &hot, context)?.locked()?;
    warn_of_rules(&settings.name, settings.class, &prices, context).await?;
    let turn = Turn::take(&hot, &state, &settings.name).await?;
    let (report, dump) = turn.within(Box::pin(archived(hot, &state, &settings, named, context))).await?;
    for failed in &report.failed {
        context.printer.warn(&format!("`{}` was not archived: {}", failed.name, failed.what));
    }
    if let Some(warning) = &report.warning {
        context.printer.warn(warning);
    }
    let failed = report.failed.len();
    let report = WithDump { written: report, dump };
    let published = Published { location: context.location()?.to_string(), report };
    context.printer.done(&published, failed == 0, backup_with_dump)?;
    exit_of(failed)
}

/// Archives what is meant, while nobody else does. Not dropped at a signal: it gives its upload up by itself.
async fn archived(
    hot: SharedStore,
    state: &State,
    settings: &BackupSettings,
    named: Option<(&Server, &str)>,
    context: &Context,
) -> CliResult<(Written, Option<DumpReport>)> {
    let store = with_vault(hot, state, settings, context).await?;
    let (part, dump) = match named {
        // First: files that its rows name are in the folder by then, and stay there.
        Some(named) => {
            let (part, report) = Box::pin(database::dump(named, &store, state, settings, context)).await?;
            (Some(part), Some(report))
        }
        None => (None, None),
    };
    Ok((Box::pin(backup_with(store, state, settings, part, &context.run)).await?, dump))
}

/// How a run ends that left out `failed` files.
fn exit_of(failed: usize) -> CliResult<Exit> {
    if failed == 0 {
        return Ok(Exit::Ok);
    }
    Err(CliError::Partial {
        what: format!("{} could not be backed up", counted(failed as u64, "file", "files")),
        help: "the backup has all other files, and of these what was archived earlier; it can be restored".to_owned(),
    })
}

fn no_folder() -> CliError {
    CliError::usage(
        "no folder of files was named",
        "name it with `--files`, or as `files` of `[glacier]` in the configuration file",
    )
}

/// The folder whose files are archived; nothing if the database is backed up alone.
async fn files_of(
    arguments: &Backup,
    name: &str,
    has_database: bool,
    store: &SharedStore,
    context: &Context,
) -> CliResult<Option<PathBuf>> {
    if arguments.database_only && !has_database {
        return Err(CliError::usage("no database was named", "name it with `--database`"));
    }
    if arguments.database_only {
        return Ok(None);
    }
    if let Some(folder) = arguments.files.clone().or_else(|| configured_files(context)) {
        return Ok(Some(folder));
    }
    let known = context.or_cancelled(async { Ok(find::files(&**store, name).await?) }).await?;
    let earlier = match known {
        Files::None if has_database => return Ok(None),
        Files::None => return Err(no_folder()),
        Files::Here(folder) if folder.is_dir() => return Ok(Some(folder)),
        Files::Here(folder) => folder.display().to_string(),
        Files::Elsewhere(folder) => folder,
    };
    let what =
        format!("earlier backups of `{name}` have the files of `{earlier}`, which is not a folder of this machine");
    let alone = if has_database { ", or back up the database alone with `--database-only`" } else { "" };
    Err(CliError::usage(what, format!("name the folder with `--files`{alone}")))
}

fn name_of(arguments: &Backup, database: Option<&str>, context: &Context) -> CliResult<String> {
    let files = || arguments.files.clone().or_else(|| configured_files(context)).ok_or_else(no_folder);
    match (&arguments.name, database) {
        (Some(name), _) => Ok(name.clone()),
        (None, Some(database)) if check_name(database).is_ok() => Ok(database.to_owned()),
        (None, _) => folder_name(&files()?),
    }
}

/// The location with the vault, which must be there. What it calls archives is read from manifests first, if nothing is known,
/// and what other machines stored and deleted since is taken over: a vault cannot be asked.
async fn with_vault(
    hot: SharedStore,
    state: &State,
    settings: &BackupSettings,
    context: &Context,
) -> CliResult<SharedStore> {
    let Some(vault) = &settings.vault else { return Ok(hot) };
    open_vault(vault, context).await.look().await?;
    // A run that dies before its manifest leaves archives there that only this machine knows of.
    state.keep_vault(vault)?;
    if state.catalogue().vaulted()?.is_empty() {
        Box::pin(rebuild(&hot, state, &settings.name, &context.run)).await?;
    } else {
        stored::catch_up(&hot, state, &settings.name).await?;
    }
    gone::catch_up(&hot, state, &settings.name).await?;
    let (store, _) =
        Box::pin(sides(hot, state, &settings.name, (Some(vault.as_str()), BTreeMap::new()), context)).await?;
    gone::settle(&store, state).await?;
    Ok(store)
}

/// The vault that archives go to: all of one name are in one vault.
async fn vault_of(arguments: &Backup, name: &str, store: &SharedStore, context: &Context) -> CliResult<Option<String>> {
    let known = context.or_cancelled(async { Ok(find::vault(&**store, name).await?) }).await?;
    match (known, &arguments.vault) {
        (Some(known), Some(vault)) if known != *vault => {
            let what = format!("the archives of `{name}` are in the vault `{known}`, not in `{vault}`");
            Err(CliError::usage(what, "leave `--vault` out, or name the backup differently with `--name`"))
        }
        (known, None) if arguments.class.is_none() => Ok(known),
        (_, vault) => Ok(vault.clone()),
    }
}

/// The class that is asked for, by the command or the configuration file.
fn asked_class(arguments: &Backup, context: &Context) -> CliResult<Option<Class>> {
    // `config check` judges it, and a file that was not checked is no reason to archive in another class.
    let configured = || context.settings.layer().glacier_class.as_ref().map(|set| set.value.parse::<Class>());
    match (context.location()?, arguments.class) {
        (Location::S3 { .. }, None) => configured().transpose().map_err(|error| {
            CliError::usage(format!("`glacier.class` cannot be used: {error}"), "correct it in the configuration file")
        }),
        (_, class) => Ok(class),
    }
}

/// What is left out, by the configuration file and by the command.
fn excluded(arguments: &Backup, context: &Context) -> Excluded {
    let configured = context.settings.layer().glacier_exclude.iter().map(|set| set.value.clone());
    Excluded(configured.chain(arguments.exclude.clone()).collect())
}

async fn settings(
    arguments: &Backup,
    name: String,
    has_database: bool,
    store: &SharedStore,
    context: &Context,
) -> CliResult<BackupSettings> {
    let files = files_of(arguments, &name, has_database, store, context).await?;
    let vault = vault_of(arguments, &name, store, context).await?;
    let bundles = context.settings.layer().glacier_bundles.as_ref().is_none_or(|set| set.value);
    let class = match (context.location()?, asked_class(arguments, context)?) {
        _ if vault.is_some() => Some(Class::Vault),
        (_, Some(Class::Vault)) => {
            return Err(CliError::usage("a vault is no storage class", "name the vault with `--vault`"));
        }
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
        excluded: excluded(arguments, context),
        class,
        vault,
        bundles: !arguments.no_bundles && bundles,
        allow_empty: arguments.allow_empty,
        tags: arguments.tag.clone(),
    })
}

fn folder_name(files: &Path) -> CliResult<String> {
    let folder = files.canonicalize().unwrap_or_else(|_| files.to_owned());
    let name = folder.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let named = name.filter(|name| check_name(name).is_ok());
    named.ok_or_else(|| {
        let what = format!("`{}` has no name that a backup can have", files.display());
        CliError::usage(what, "name the backup with `--name`")
    })
}
