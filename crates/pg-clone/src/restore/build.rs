//! Builds a complete copy of the dump in a temporary database.

use std::collections::BTreeMap;
use std::sync::Arc;

use backup_core::manifest::Manifest;
use backup_core::progress::Event;
use backup_core::store::StoreRead;

use crate::adapters::connection::Session;
use crate::adapters::sql::statistics::Analyzed;
use crate::adapters::sql::{matviews, sequences};
use crate::error::PgResult;
use crate::live::temporary::Temporary;
use crate::restore::checked::Checked;
use crate::restore::large_objects::{self, Destination};
use crate::restore::loading::Load;
use crate::restore::prepared::Restore;
use crate::restore::tools::{SchemaArchive, Section};
use crate::restore::{differences, load, owners, reroute, statistics, tools};
use crate::stored::detail::{DumpDetail, MatviewState, RowText};

/// What was built in the temporary database.
#[derive(Debug, Default)]
pub(super) struct Built {
    pub(super) tables: u64,
    pub(super) rows: u64,
    pub(super) warnings: Vec<String>,
}

pub(super) async fn build(restore: &Restore, source: &Checked, temporary: &Temporary) -> PgResult<Built> {
    let Restore { server, store, options, run, plan } = restore;
    match source {
        Checked::Ours { manifest, archive } => build_ours(restore, manifest, archive, temporary.name()).await,
        Checked::Legacy { tool } => {
            run.step("restore.archive", &plan.key);
            let name = temporary.name();
            let object = plan.legacy_object()?;
            let warnings = tools::restore_stream(tool, &**store, object, server, name, options).await?;
            run.step("restore.analyze", name);
            statistics::analyze(server, name, Analyzed::Tables, options.jobs, run).await?;
            run.step("restore.verify", name);
            let session = load::connect(server, name, RowText::default()).await?;
            differences::check(&session, &[], &BTreeMap::new()).await?;
            Ok(Built { warnings, ..Built::default() })
        }
    }
}

async fn build_ours(
    restore: &Restore,
    manifest: &Manifest<DumpDetail>,
    archive: &SchemaArchive,
    name: &str,
) -> PgResult<Built> {
    let Restore { server, store, options, run, plan } = restore;
    let detail = &manifest.detail;
    run.step("restore.pre_data", name);
    let mut warnings = archive.restore(Section::PreData, server, name, options).await?;

    let session = load::connect(server, name, RowText::default()).await?;
    let detours = reroute::read(&session, &detail.tables).await?;
    warnings.extend(detours.torn.iter().map(|root| {
        format!(
            "the selected rows of `{root}` were all restored, but some into other partitions: these are chosen by a \
             hash that differs between databases"
        )
    }));
    run.step("restore.data", &format!("{} tables", detail.tables.len()));
    run.progress.event(Event::Total { bytes: manifest.content_bytes(), items: detail.tables.len() as u64 });
    let load = Arc::new(Load {
        server: server.clone(),
        database: name.to_owned(),
        store: Arc::clone(store) as Arc<dyn StoreRead>,
        dump: plan.key.clone(),
        parts: manifest.parts.clone(),
        tables: detail.tables.clone(),
        detours: detours.through,
        text: detail.row_text(),
        run: run.clone(),
    });
    let loaded = load::load(Arc::clone(&load), options.jobs).await?;

    run.step("restore.sequences", &format!("{} sequences", detail.sequences.len()));
    sequences::set(&session, &detail.sequences).await?;
    if let Some(objects) = &detail.large_objects {
        run.step("restore.large_objects", &format!("{} objects", objects.count));
        large_objects::restore(&load, &session, objects, Destination::NewDatabase, options).await?;
    }
    run.step("restore.post_data", name);
    for section in [Section::IndexesApart, Section::PostData] {
        warnings.extend(archive.restore(section, server, name, options).await?);
    }
    run.step("restore.matviews", &format!("{} materialized views", detail.matviews.len()));
    // Statistics of the tables beside the refreshes: neither needs the other, and each leaves cores idle.
    tokio::try_join!(
        refresh(&session, &detail.matviews),
        statistics::analyze(server, name, Analyzed::Tables, options.jobs, run)
    )?;
    run.step("restore.analyze", name);
    statistics::analyze(server, name, Analyzed::Matviews, options.jobs, run).await?;
    run.step("restore.event_triggers", name);
    warnings.extend(archive.restore(Section::EventTriggers, server, name, options).await?);
    warnings.extend(owners::try_again(&session, archive.take_postponed()).await);
    run.step("restore.verify", name);
    differences::check(&session, &detail.tables, &loaded).await?;
    Ok(Built { tables: detail.tables.len() as u64, rows: loaded.values().sum(), warnings })
}

/// Fills the materialized views that held rows, each after those it reads.
async fn refresh(session: &Session, views: &[MatviewState]) -> PgResult<()> {
    for view in views.iter().filter(|view| view.populated) {
        matviews::refresh(session, view).await?;
    }
    Ok(())
}
