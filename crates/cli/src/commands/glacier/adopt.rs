//! `lastgood glacier adopt`.

use std::path::{Path, PathBuf};

use backup_core::location::{Init, Location};
use glacier_archive::GlacierError;
use glacier_archive::adapters::postgres::gem::{GemBackup, GemTables, backups};
use glacier_archive::adopt::{Adoption, adopt};
use glacier_archive::lifecycle::Status;
use jiff::tz::TimeZone;
use pg_clone::PgError;
use pg_clone::restore::{Restore, RestoreReport};
use pg_clone::stored::key::LAYOUTS;

use crate::args::glacier::adopt::Adopt;
use crate::commands::glacier::catalogue::Login;
use crate::commands::glacier::database as dumps;
use crate::commands::glacier::shared::{default_folder, open_vault};
use crate::commands::pg::asked::restore_options;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::glacier::database::{TakenOver, gem_listing, taken_over};
use crate::render::glacier::missing;

pub(super) async fn run(arguments: &Adopt, context: &Context) -> CliResult<Exit> {
    let context = &dumps::under(&arguments.tools, context)?;
    let (server, database) = context.database_of(&arguments.server, arguments.database.as_deref())?;
    let login = Login { server, database };
    let tables = dumps::gem_tables(arguments.gem_schema.as_deref(), arguments.gem_tables.as_deref(), context)?;
    let found = context.or_cancelled(async { Ok(backups(&login, &tables).await?) }).await?;
    let Some(vault) = &arguments.vault else {
        if found.is_empty() {
            context.printer.note(&format!("no backups of GlacierOnRails in `{}`", login.database));
        }
        let now = context.run.clock.now();
        context.printer.result(&found, |found| gem_listing(found, now))?;
        return Ok(Exit::Ok);
    };
    let backup = chosen(&found, arguments.backup)?;
    let folder = arguments.state.clone().map_or_else(default_folder, Ok)?.join("adopted");
    let vault = open_vault(vault, context).await;
    let files = arguments.files.as_deref();
    let adoption = Adoption { backup, vault: &vault, folder: &folder, files, tier: arguments.retrieve };
    let adopted = Box::pin(adopt(&adoption, &context.run)).await?;
    for failed in &adopted.failed {
        context.printer.warn(&format!("`{}` was not taken over: {}", failed.name, failed.what));
    }
    let mut done = TakenOver { adopted, database: None };
    if let (Some(dump), Some(into)) = (done.adopted.dump.clone(), &arguments.into) {
        let of = (backup, &tables);
        done.database = Some(Box::pin(restore(arguments, &login, of, (&dump, into), context)).await?);
    }
    context.printer.result(&done, taken_over)?;
    ended(done, context)
}

fn chosen(found: &[GemBackup], wanted: Option<i64>) -> CliResult<&GemBackup> {
    let backup = match wanted {
        Some(id) => found.iter().find(|backup| backup.id == id),
        None => found.last(),
    };
    backup.ok_or_else(|| {
        let what = wanted.map_or_else(
            || "GlacierOnRails made no backup here".to_owned(),
            |id| format!("GlacierOnRails made no backup {id} here"),
        );
        CliError::usage(what, "run the command without `--vault` to list its backups")
    })
}

/// Restores the dump as one of a single file: into a temporary database that is swapped in.
async fn restore(
    arguments: &Adopt,
    login: &Login,
    (backup, tables): (&GemBackup, &GemTables),
    (dump, into): (&Path, &String),
    context: &Context,
) -> CliResult<RestoreReport> {
    let (folder, key) = location_of(dump, &login.database, backup)?;
    let location = Location::File(folder.clone());
    let store = location.init(&Init { clock: &*context.run.clock, ..Init::new(&LAYOUTS) }).await?.store;
    link(dump, &folder.join(&key))?;
    let mut options = restore_options(&context.settings, key);
    options.into = Some(into.clone());
    options.confirm.clone_from(&arguments.confirm_database);
    options.carry_over = dumps::with_tables_of_the_gem(&arguments.carry_over, tables, &login.server, into).await?;
    let restore = Restore::prepare(&login.server, &store, options, &context.run).await?;
    dumps::restore(restore, arguments.confirm_database.is_some(), context).await
}

/// The folder and key that the dump has as one of a single file.
fn location_of(dump: &Path, database: &str, backup: &GemBackup) -> CliResult<(PathBuf, String)> {
    let time = backup.created_at.unwrap_or_default().to_zoned(TimeZone::UTC);
    let database = pg_clone::stored::key::encode(database);
    let key = format!("{database}/{}.default.dump", time.strftime("%Y_%m_%d_%H_%M_%S_%6f"));
    let folder = dump.with_extension("location");
    Ok((folder, key))
}

fn link(from: &Path, to: &Path) -> CliResult<()> {
    let failed = |error: std::io::Error| -> CliError {
        let path = to.display().to_string();
        GlacierError::Folder { action: "write", path, source: error.into() }.into()
    };
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    match std::fs::hard_link(from, to) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(_) => std::fs::copy(from, to).map(drop).map_err(failed),
        Ok(()) => Ok(()),
    }
}

fn ended(done: TakenOver, context: &Context) -> CliResult<Exit> {
    if let Some(failure) = done.database.and_then(|report| report.hook_failure) {
        return Err(PgError::from(failure).into());
    }
    if !done.adopted.failed.is_empty() {
        return Err(CliError::Partial {
            what: format!("{} could not be taken over", done.adopted.failed.len()),
            help: "run the same command again: what is done is not done twice".to_owned(),
        });
    }
    let mut counts = done.adopted.counts;
    counts.retain(|status, _| !matches!(status, Status::Local | Status::Exists));
    if counts.is_empty() {
        return Ok(Exit::Ok);
    }
    let (what, _) = missing(&counts, None, "", context.run.clock.now());
    let help = "run the same command again later; `--retrieve TIER` requests what is available".to_owned();
    Err(GlacierError::NotReady { what, help }.into())
}
