//! The database of a backup: pg-clone dumps and restores it, and glacier-archive keeps it.

use backup_core::store::SharedStore;
use glacier_archive::adapters::postgres::gem::GemTables;
use glacier_archive::backup::BackupSettings;
use glacier_archive::database::{self, DatabasePart, Dumped};
use glacier_archive::find::Backup;
use glacier_archive::state::State;
use lastgood_operator::settings::{Layer, Set};
use pg_clone::dump::{Dump, DumpPlan, DumpReport};
use pg_clone::ident::QualifiedName;
use pg_clone::options::CONFIG_DEFAULT;
use pg_clone::restore::{Restore, RestoreReport, present};
use pg_clone::stored::key::DumpKey;
use pg_clone::{PgError, Server};

use crate::args::glacier::Kept;
use crate::args::glacier::database::{self as arguments, Dumped as Asked};
use crate::args::pg::Tools;
use crate::commands::glacier::catalogue;
use crate::commands::pg::asked::{dump_options, restore_options};
use crate::commands::pg::{confirmed, redact};
use crate::context::Context;
use crate::env;
use crate::error::{CliError, CliResult};
use crate::render::pg::restore_notes;

/// The server and the database to dump, if one is named.
pub(super) fn named(asked: &Asked, context: &Context) -> CliResult<Option<(Server, String)>> {
    if asked.database.is_none() && asked.server.dbname.is_none() {
        return Ok(None);
    }
    context.database_of(&asked.server, asked.database.as_deref()).map(Some)
}

/// What the options say of settings that can stand in the configuration file, too.
pub(super) fn under(tools: &Tools, context: &Context) -> CliResult<Context> {
    // The variable that stands for the option is a place of its own.
    let variable = env::value(env::PG_BIN).map(Into::into);
    let bin_dir = tools.pg_bin.clone().filter(|path| Some(path) != variable.as_ref() && !path.as_os_str().is_empty());
    let flags = Layer { bin_dir: bin_dir.map(|path| Set::flag("--pg-bin", path)), ..Layer::default() };
    context.with(CONFIG_DEFAULT, flags)
}

fn dumper(
    (server, database): (&Server, &str),
    store: &SharedStore,
    settings: &BackupSettings,
    context: &Context,
) -> CliResult<Dump> {
    let mut options = dump_options(&context.settings, database.to_owned())?;
    options.tags.clone_from(&settings.tags);
    // Packs go into a cold class, each as an archive of the backup that it was made for.
    options.full = true;
    let place = database::place(store, settings)?;
    Ok(Dump::prepare(server, &place, options, &context.run)?)
}

/// What dumping would do.
pub(super) async fn plan(
    (server, database): (&Server, &str),
    store: &SharedStore,
    settings: &BackupSettings,
    context: &Context,
) -> CliResult<DumpPlan> {
    let mut plan = dumper((server, database), store, settings, context)?.plan().await?;
    redact(&mut plan.hooks, context);
    Ok(plan)
}

/// Dumps the database into the location of the backups.
pub(super) async fn dump(
    (server, database): (&Server, &str),
    store: &SharedStore,
    state: &State,
    settings: &BackupSettings,
    context: &Context,
) -> CliResult<(DatabasePart, DumpReport)> {
    let report = Box::pin(dumper((server, database), store, settings, context)?.run()).await?;
    let key = DumpKey::parse(&report.key).ok_or_else(|| PgError::NoDump {
        wanted: report.key.clone(),
        location: store.describe(),
        databases: Vec::new(),
    })?;
    let dumped = Dumped { database: database.to_owned(), dump: report.key.clone(), manifest: key.manifest()? };
    let part = database::note(store, state, settings, &dumped, &context.run).await?;
    Ok((part, report))
}

/// Plans the restore of what was fetched.
pub(super) async fn prepared(
    (asked, kept): (&arguments::Database, &Kept),
    state: &State,
    backup: &Backup,
    context: &Context,
) -> CliResult<Restore> {
    let detail = database::of(backup)?;
    let store = database::opened(state, backup, &context.run).await?;
    let server = context.server_of(&asked.server.without_dbname(), None)?.0;
    let mut options = restore_options(&context.settings, detail.dump.clone());
    options.into = asked.into.clone().or_else(|| asked.server.dbname.clone());
    let target = options.into.as_deref().unwrap_or(&detail.database);
    options.confirm.clone_from(&asked.confirm_database);
    options.reversible |= asked.reversible;
    let tables = gem_tables(None, None, context)?;
    options.carry_over = carried(asked, (kept, &tables), (&server, target)).await?;
    options.managed |= asked.managed;
    options.no_owner = asked.no_owner;
    options.no_acl = asked.no_acl;
    options.allow_outside = asked.allow_outside.iter().copied().collect();
    Ok(Restore::prepare(&server, &store, options, &context.run).await?)
}

/// What survives the restore: what was named, and tables that are about backups, so that a backup of last week does not
/// forget those since.
async fn carried(
    asked: &arguments::Database,
    (kept, tables): (&Kept, &GemTables),
    (server, target): (&Server, &str),
) -> CliResult<Vec<QualifiedName>> {
    if asked.no_carry_over {
        return Ok(Vec::new());
    }
    let catalogue = present(server, target, &catalogue::carried(kept)).await?;
    let mut named = asked.carry_over.clone();
    named.extend(catalogue.into_iter().filter(|table| !asked.carry_over.contains(table)));
    with_tables_of_the_gem(&named, tables, server, target).await
}

/// The tables in which GlacierOnRails keeps what it knows: as they are named, as they are configured, or as it calls them.
pub(super) fn gem_tables(schema: Option<&str>, names: Option<&str>, context: &Context) -> CliResult<GemTables> {
    let (layer, own) = (context.settings.layer(), GemTables::default());
    let schema = schema.or_else(|| layer.glacier_gem_schema.as_ref().map(|set| set.value.as_str()));
    let schema = schema.map_or(own.schema.clone(), str::to_owned);
    match names.or_else(|| layer.glacier_gem_tables.as_ref().map(|set| set.value.as_str())) {
        None => Ok(GemTables { schema, ..own }),
        Some(names) => GemTables::named(&schema, names).ok_or_else(|| {
            let what = format!("`{names}` does not name the three tables of GlacierOnRails");
            CliError::usage(what, "name those of backups, of archives, and of both, with `,` between")
        }),
    }
}

/// These tables, and those of GlacierOnRails that there are.
pub(super) async fn with_tables_of_the_gem(
    named: &[QualifiedName],
    tables: &GemTables,
    server: &Server,
    target: &str,
) -> CliResult<Vec<QualifiedName>> {
    let about_backups = tables.names().map(|(schema, table)| QualifiedName::new(schema, table));
    let there = present(server, target, &about_backups).await?;
    let mut tables = named.to_vec();
    tables.extend(there.into_iter().filter(|table| !named.contains(table)));
    Ok(tables)
}

/// Lets somebody confirm who has not, and restores.
pub(super) async fn restore(mut restore: Restore, is_confirmed: bool, context: &Context) -> CliResult<RestoreReport> {
    for note in restore_notes(restore.plan()) {
        context.printer.warn(&note);
    }
    if !is_confirmed && let Some(typed) = confirmed(restore.plan(), context).await? {
        restore.confirm(typed);
    }
    let report = Box::pin(restore.run()).await?;
    for warning in &report.warnings {
        context.printer.warn(warning);
    }
    Ok(report)
}
