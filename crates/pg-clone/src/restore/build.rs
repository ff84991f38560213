//! Builds a complete copy of the dump in a temporary database.

use std::collections::BTreeMap;
use std::sync::Arc;

use backup_core::manifest::Manifest;
use backup_core::progress::Event;
use backup_core::store::StoreRead;
use backup_core::units::counted;

use crate::adapters::sql::statistics::Analyzed;
use crate::adapters::sql::{event_triggers, extensions, indexes};
use crate::error::PgResult;
use crate::ident::QualifiedName;
use crate::live::temporary::Temporary;
use crate::options::RestoreOptions;
use crate::restore::checked::{Checked, Later};
use crate::restore::large_objects::{self, Destination};
use crate::restore::load::{self, Loaded};
use crate::restore::loading::Load;
use crate::restore::prepared::Restore;
use crate::restore::row_hashes::RowHashes;
use crate::restore::second_chance::Attempts;
use crate::restore::single_file::SingleFile;
use crate::restore::tools::{SchemaArchive, Section};
use crate::restore::unrestored::{Unrestored, incomplete, incomplete_file};
use crate::restore::{differences, index_progress, load_unit, owners, reroute, statistics};
use crate::stored::detail::{DumpDetail, MatviewState, RowData, RowText, TableDump, TableKind};
use crate::stored::sizes::Sizes;

/// What was built in the temporary database.
#[derive(Debug, Default)]
pub(super) struct Built {
    pub(super) tables: u64,
    pub(super) rows: u64,
    pub(super) warnings: Vec<String>,
    /// What the server refuses to take.
    pub(super) missing: Vec<Unrestored>,
}

impl Built {
    /// Adds what was made after it.
    pub(super) fn add(&mut self, later: Self) {
        self.tables += later.tables;
        self.rows += later.rows;
        self.warnings.extend(later.warnings);
        self.missing.extend(later.missing);
    }
}

/// Fills `temporary` with what `source` holds, as `options` say, which are the restore's but for jobs.
pub(super) async fn build(
    restore: &Restore,
    options: &RestoreOptions,
    source: &Checked,
    temporary: &Temporary,
) -> PgResult<Built> {
    let Restore { server, store, run, plan, .. } = restore;
    let built = match source {
        Checked::Ours { manifest, archive, .. } => {
            Box::pin(build_ours(restore, options, manifest, archive, Place::Copy(temporary.name()))).await?
        }
        Checked::Legacy { tool, contents } => {
            run.step("restore.archive", &plan.key);
            let name = temporary.name();
            let object = plan.legacy_object()?;
            let contents = contents.as_deref();
            let file = SingleFile { tool, store: &**store, object, contents, server, database: name, options };
            let (warnings, missing) = file.restore(run).await?;
            run.step("restore.analyze", name);
            statistics::analyze(server, name, Analyzed::Tables, options.jobs, run).await?;
            run.step("restore.verify", name);
            let session = load_unit::connect(server, name, RowText::default()).await?;
            if missing.is_empty() {
                differences::check(&session, &[], &BTreeMap::new()).await?;
            }
            Built { warnings, missing, ..Built::default() }
        }
    };
    match source {
        _ if built.missing.is_empty() || options.allow_incomplete => Ok(built),
        Checked::Ours { .. } => Err(incomplete(&plan.key, &built.missing)),
        Checked::Legacy { .. } => Err(incomplete_file(&plan.key, &built.missing)),
    }
}

/// Makes in the database that is live now what can be made only there. What is refused is told, and nothing is undone.
pub(super) async fn build_later(restore: &Restore, later: &Later) -> Built {
    restore.run.step("restore.later", &later.extensions);
    let place = Place::Live(&restore.plan.target);
    match build_ours(restore, &restore.options, &later.manifest, &later.archive, place).await {
        Ok(built) => built,
        Err(error) => {
            let lost = Unrestored::new(format!("{} and what needs it", later.extensions), error.servers_words());
            Built { missing: vec![lost], ..Built::default() }
        }
    }
}

/// Where something is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place<'a> {
    /// In a copy that nobody else uses.
    Copy(&'a str),
    /// In the live database, after the switch.
    Live(&'a str),
}

async fn build_ours(
    restore: &Restore,
    options: &RestoreOptions,
    manifest: &Manifest<DumpDetail>,
    archive: &SchemaArchive,
    place: Place<'_>,
) -> PgResult<Built> {
    let Restore { server, store, run, plan, .. } = restore;
    let (Place::Copy(name) | Place::Live(name)) = place;
    let detail = &manifest.detail;
    let session = load_unit::connect(server, name, RowText::default()).await?;
    let mut attempts = Attempts::new(archive, server, name, options, &session);
    let mut warnings = definitions(restore, place, &mut attempts).await?;
    let detours = reroute::read(&session, &detail.tables).await?;
    warnings.extend(detours.torn.iter().map(|root| {
        format!(
            "the selected rows of `{root}` were all restored, but some into other partitions: these are chosen by a \
             hash that differs between databases"
        )
    }));
    run.step("restore.data", &counted(detail.tables.len() as u64, "table", "tables"));
    run.progress.event(Event::Total { bytes: Sizes::of(manifest).content, items: detail.tables.len() as u64 });
    let load = Arc::new(Load {
        server: server.clone(),
        database: name.to_owned(),
        store: Arc::clone(store) as Arc<dyn StoreRead>,
        dump: plan.key.clone(),
        parts: manifest.parts.clone(),
        tables: detail.tables.clone(),
        detours: detours.through,
        hashes: RowHashes::default(),
        text: detail.row_text(),
        run: run.clone(),
    });
    let loaded = load::load(Arc::clone(&load), options.jobs).await?;
    load.check_hashes()?;
    warnings.extend(refused_rows(&mut attempts, &detail.tables, &loaded));

    run.step("restore.sequences", &format!("{} sequences", detail.sequences.len()));
    attempts.sequences(&detail.sequences).await?;
    extensions::number_on(&session, &of_extensions(&detail.tables)).await?;
    if let Some(objects) = &detail.large_objects {
        run.step("restore.large_objects", &format!("{} objects", objects.count));
        large_objects::restore(&load, &session, objects, Destination::NewDatabase, options).await?;
    }
    run.step("restore.post_data", name);
    let (attaches, keys) = (Section::IndexAttaches, Section::ForeignKeys);
    let sections = async {
        let mut told = Vec::new();
        for section in [Section::IndexesApart, Section::PostData, attaches, keys, Section::DoubtfulKeys] {
            told.extend(attempts.section(section).await?);
        }
        PgResult::Ok(told)
    };
    warnings.extend(index_progress::watched(&session, archive.indexes(), run, sections).await?);
    warnings.extend(views(restore, place, &mut attempts, &detail.matviews).await?);
    run.step("restore.event_triggers", name);
    warnings.extend(attempts.section(Section::EventTriggers).await?);
    warnings.extend(attempts.entries_again().await?);
    warnings.extend(owners::try_again(&session, archive.take_postponed()).await);
    run.step("restore.verify", name);
    if attempts.missing().is_empty() && loaded.refused.is_empty() {
        differences::check(&session, &detail.tables, &loaded.rows).await?;
    } else {
        check_the_rest(&mut attempts, &detail.tables, &loaded).await?;
    }
    let (tables, missing) = ((detail.tables.len() - loaded.refused.len()) as u64, attempts.missing());
    Ok(Built { tables, rows: loaded.rows.values().sum(), warnings, missing })
}

/// Tables that extensions count among their configuration.
fn of_extensions(tables: &[TableDump]) -> Vec<QualifiedName> {
    let configured = tables.iter().filter(|table| table.kind == TableKind::ExtensionConfig);
    configured.map(TableDump::qualified_name).collect()
}

/// Fills the materialized views, tries everything again that was refused so far, and collects statistics.
async fn views(
    restore: &Restore,
    place: Place<'_>,
    attempts: &mut Attempts<'_>,
    views: &[MatviewState],
) -> PgResult<Vec<String>> {
    let (Restore { server, run, .. }, options) = (restore, attempts.options);
    let (Place::Copy(name) | Place::Live(name)) = place;
    run.step("restore.matviews", &format!("{} materialized views", views.len()));
    if matches!(place, Place::Live(_)) {
        // Its statistics are there but for these few, which the server collects by itself.
        attempts.refresh(views).await?;
        return attempts.all_again().await;
    }
    // Statistics of the tables beside the refreshes: neither needs the other, and each leaves cores idle.
    tokio::try_join!(attempts.refresh(views), statistics::analyze(server, name, Analyzed::Tables, options.jobs, run))?;
    let told = attempts.all_again().await?;
    run.step("restore.analyze", name);
    statistics::analyze(server, name, Analyzed::Matviews, options.jobs, run).await?;
    Ok(told)
}

/// Notes which tables have no rows because the server refuses them; returns what is told of those that nobody wanted.
fn refused_rows(attempts: &mut Attempts<'_>, tables: &[TableDump], loaded: &Loaded) -> Vec<String> {
    let mut told = Vec::new();
    for (at, said) in &loaded.refused {
        let label = tables[*at].qualified_name().label();
        if is_left_out(attempts.options, &tables[*at], said) {
            told.push(format!("the rows of `{label}` were left out with its extension"));
        } else {
            attempts.lacks(format!("rows of {label}"), said.clone());
        }
    }
    told
}

/// Keeps event triggers from firing on what we do, if there are any and our role may.
async fn quieten(attempts: &Attempts<'_>, server_major: u32) -> PgResult<()> {
    if let Some(quiet) = event_triggers::quiet(attempts.session, server_major).await? {
        attempts.archive.quieten(quiet.option());
        event_triggers::silence(attempts.session, quiet).await?;
    }
    Ok(())
}

/// Whether a table is missing because its extension was left out on request: which extension it is of, a dump does not say.
fn is_left_out(options: &RestoreOptions, table: &TableDump, said: &str) -> bool {
    !options.selection.exclude_extensions.is_empty()
        && table.kind == TableKind::ExtensionConfig
        && said.ends_with("does not exist")
}

/// Compares what is there where something is missing; an index is not valid if one of a partition is missing.
async fn check_the_rest(attempts: &mut Attempts<'_>, tables: &[TableDump], loaded: &Loaded) -> PgResult<()> {
    let there: Vec<TableDump> = tables
        .iter()
        .enumerate()
        .map(|(at, table)| match loaded.refused.contains_key(&at) {
            true => TableDump { data: RowData::default(), ..table.clone() },
            false => table.clone(),
        })
        .collect();
    differences::check_rows(&there, &loaded.rows)?;
    for index in indexes::invalid(attempts.session).await? {
        attempts.lacks(format!("index {index}"), "it is not valid".to_owned());
    }
    Ok(())
}

/// Makes what comes before the rows. What is refused for good is told at once, unless the rest is wanted all the same:
/// nothing that is missing now could come later.
async fn definitions(restore: &Restore, place: Place<'_>, attempts: &mut Attempts<'_>) -> PgResult<Vec<String>> {
    let Restore { options, run, plan, .. } = restore;
    run.step("restore.pre_data", attempts.database);
    let is_live = matches!(place, Place::Live(_));
    if is_live {
        // There are those of the user's by now.
        quieten(attempts, plan.server_major).await?;
    }
    let mut warnings = attempts.section(Section::Extensions).await?;
    if !is_live {
        // Now there are those of extensions, and not before: making an extension may need its triggers.
        quieten(attempts, plan.server_major).await?;
    }
    warnings.extend(attempts.section(Section::PreData).await?);
    warnings.extend(attempts.entries_again().await?);
    let missing = attempts.missing();
    match missing.is_empty() || options.allow_incomplete || options.keep_failed || is_live {
        true => Ok(warnings),
        false => Err(incomplete(&plan.key, &missing)),
    }
}
