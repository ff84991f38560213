//! `lastgood glacier restore`: the database, then what its backup does not know, then the files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use backup_core::{Class, Failure as _};
use glacier_archive::GlacierError;
use glacier_archive::catalogue::KnownFile;
use glacier_archive::database;
use glacier_archive::find::Backup;
use glacier_archive::key::Which;
use glacier_archive::lifecycle::Status;
use glacier_archive::orphans;
use glacier_archive::pattern::{Only, Parts};
use glacier_archive::restore::{RestoreSettings, restore};
use glacier_archive::standing::{self, Known};
use glacier_archive::state::State;
use pg_clone::PgError;
use pg_clone::restore::RestoreReport;

use crate::args::glacier::Restore;
use crate::commands::glacier::database as dumps;
use crate::commands::glacier::orphans::place;
use crate::commands::glacier::shared::{files_of, open_state, sought};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::glacier::database::{Outcome, Planned, outcome, planned};
use crate::render::glacier::missing;
use crate::render::units::counted;

pub(super) async fn run(arguments: &Restore, context: &Context) -> CliResult<Exit> {
    let context = &dumps::under(&arguments.database.tools, context)?;
    let which: Which = arguments.backup.parse()?;
    let store = context.open().await?;
    let backup = sought(&store, &which, arguments.allow_older, context).await?;
    let state = open_state(&arguments.kept, &which.name, &store, context)?.locked()?;
    let only = Only::of(arguments.only.clone()).but(arguments.parts.parts());
    let files = folder(arguments, &only, &backup, context)?;
    let files = files.as_deref();
    let takes_database = match only.parts {
        Parts::Database => database::of(&backup).map(|_| true)?,
        _ => only.takes_database() && backup.manifest.detail.database.is_some(),
    };
    let mut known_orphans = Vec::new();
    if takes_database {
        // Whoever restores both finds out before anything is changed that something is missing.
        refuse_missing(&state, &backup, &only, files, context)?;
        if let Some(files) = files {
            known_orphans = orphans::find(files, &backup)?;
        }
    }
    if arguments.dry_run.dry_run {
        return show(arguments, &state, &backup, (&only, files), (takes_database, known_orphans), context).await;
    }
    let mut done = Outcome { key: backup.key.to_string(), database: None, orphans: None, files: None };
    if takes_database {
        if let Some(files) = files.filter(|_| !known_orphans.is_empty()) {
            orphans::prepare(files, &place(&arguments.place, files))?;
        }
        done.database = Some(match Box::pin(restored(arguments, &state, &backup, context)).await {
            Ok(report) => report,
            Err(error) => {
                if error.class() == Class::Integrity {
                    tell_of_damage(&state, &backup, context)?;
                }
                return Err(error);
            }
        });
        if let Some(files) = files {
            let to = place(&arguments.place, files);
            done.orphans = Some(orphans::set_aside(files, &to, &backup, known_orphans, &context.run)?);
        }
    }
    if let Some(files) = files {
        let settings = RestoreSettings { only: &only, folder: files, repair: arguments.repair };
        done.files = Some(Box::pin(restore(&state, &backup, &settings, &context.run)).await?);
    }
    if takes_database {
        database::clear(&state, &backup)?;
    }
    told(&done, context);
    context.printer.result(&done, |done| outcome(done, files))?;
    ended(done, context)
}

/// Restores the database.
async fn restored(arguments: &Restore, state: &State, backup: &Backup, context: &Context) -> CliResult<RestoreReport> {
    let prepared = Box::pin(dumps::prepared((&arguments.database, &arguments.kept), state, backup, context)).await?;
    dumps::restore(prepared, arguments.database.confirm_database.is_some(), context).await
}

/// What was fetched and has changed since is fetched again.
fn tell_of_damage(state: &State, backup: &Backup, context: &Context) -> CliResult<()> {
    for name in database::drop_damaged(state, backup)? {
        let key = &backup.key;
        context.printer.warn(&format!("`{name}` has changed since it was fetched, and was removed: `lastgood glacier fetch {key}` fetches it again"));
    }
    Ok(())
}

/// The folder to restore files to; nothing if none is restored.
fn folder(arguments: &Restore, only: &Only, backup: &Backup, context: &Context) -> CliResult<Option<PathBuf>> {
    let has_files = !backup.manifest.detail.database_only;
    match only.parts {
        Parts::Database => return Ok(None),
        Parts::All if !has_files && only.patterns.is_empty() => return Ok(None),
        _ if !has_files => {
            let what = format!("`{}` has a database and no files", backup.key);
            return Err(CliError::usage(
                what,
                "nothing was changed. Restore its database only, or choose another backup",
            ));
        }
        Parts::All | Parts::Files => {}
    }
    let folder = files_of(arguments.files.as_deref(), backup, context);
    folder.map(Some).ok_or_else(|| {
        let what = format!("no folder to restore the files of `{}` to was named", backup.key);
        CliError::usage(what, "name it with `--files`, or restore the database alone with `--database-only`")
    })
}

/// Says what somebody has to look after.
fn told(done: &Outcome, context: &Context) {
    for failed in done.orphans.iter().flat_map(|orphans| &orphans.failed) {
        context.printer.warn(&format!("`{}` was not moved away: {}", failed.name, failed.what));
    }
    for name in done.files.iter().flat_map(|files| &files.differing) {
        context.printer.warn(&format!("`{name}` has another content than in the backup, and was kept"));
    }
    for failed in done.files.iter().flat_map(|files| &files.failed) {
        context.printer.warn(&format!("`{}` was not restored: {}", failed.name, failed.what));
    }
}

fn ended(done: Outcome, context: &Context) -> CliResult<Exit> {
    if let Some(failure) = done.database.and_then(|report| report.hook_failure) {
        return Err(PgError::from(failure).into());
    }
    let not_moved = done.orphans.map_or(0, |orphans| orphans.failed.len());
    let Some(files) = done.files else { return Ok(Exit::Ok) };
    if !files.missing.is_empty() {
        let (what, help) = missing(&files.missing, None, &done.key, context.run.clock.now());
        return Err(GlacierError::NotReady { what, help }.into());
    }
    if files.is_complete() && not_moved == 0 {
        return Ok(Exit::Ok);
    }
    let count = (files.failed.len() + files.differing.len() + not_moved) as u64;
    Err(CliError::Partial {
        what: format!("{} could not be restored or moved", counted(count, "file", "files")),
        help: "with `--repair`, files of another content are renamed and replaced".to_owned(),
    })
}

/// What a restore would do.
async fn show(
    arguments: &Restore,
    state: &State,
    backup: &Backup,
    (only, files): (&Only, Option<&Path>),
    (takes_database, orphans): (bool, Vec<String>),
    context: &Context,
) -> CliResult<Exit> {
    let prepared = match takes_database {
        true => Some(Box::pin(dumps::prepared((&arguments.database, &arguments.kept), state, backup, context)).await?),
        false => None,
    };
    let counts = match files {
        Some(_) => standing::counts(&standings(state, backup, &only.but(Parts::Files), files, context)?),
        None => BTreeMap::new(),
    };
    let plan = prepared.as_ref().map(|prepared| prepared.plan().clone());
    let plan = Planned { key: backup.key.to_string(), database: plan, orphans, files: counts };
    let now = context.run.clock.now();
    context.printer.result(&plan, |plan| format!("{}\nNothing was changed (dry run)", planned(plan, now)))?;
    if let Some(prepared) = prepared {
        // The end is the run's.
        prepared.check().await?;
    }
    Ok(Exit::Ok)
}

fn standings(
    state: &State,
    backup: &Backup,
    only: &Only,
    folder: Option<&Path>,
    context: &Context,
) -> CliResult<Vec<standing::FileStanding>> {
    let files: BTreeMap<String, KnownFile> =
        state.catalogue().files()?.into_iter().map(|file| (file.entry.name.clone(), file)).collect();
    let retrievals = state.catalogue().retrievals()?;
    let known = Known { state, files: &files, retrievals: &retrievals, folder, now: context.run.clock.now() };
    Ok(standing::files(backup, only, &known))
}

fn refuse_missing(
    state: &State,
    backup: &Backup,
    only: &Only,
    files: Option<&Path>,
    context: &Context,
) -> CliResult<()> {
    let mut counts = standing::counts(&standings(state, backup, only, files, context)?);
    counts.retain(|status, _| !matches!(status, Status::Local | Status::Exists));
    if counts.is_empty() {
        return Ok(());
    }
    let (what, help) = missing(&counts, None, &backup.key.to_string(), context.run.clock.now());
    let help = format!("nothing was restored; {help}");
    Err(GlacierError::NotReady { what, help }.into())
}
