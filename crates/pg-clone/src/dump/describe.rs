//! Builds the manifest from the results of leader, workers and catalogue.

use std::collections::BTreeMap;

use backup_core::manifest::Part;

use crate::adapters::pg_tools::Tool;
use crate::adapters::sql::catalog;
use crate::adapters::sql::database_settings;
use crate::dump::changes::Plan;
use crate::dump::leader::Leader;
use crate::dump::matviews::{Arranged, arrange};
use crate::dump::reuse::Shared;
use crate::dump::secrets::leave_out;
use crate::dump::worker::{Work, Written};
use crate::error::PgResult;
use crate::options::DumpOptions;
use crate::run::Run;
use crate::stored::base::RangeBase;
use crate::stored::database_settings::DatabaseSettings;
use crate::stored::detail::{
    DumpDetail, Extension, Filters, LargeObjects, MONEY_LOCALE, MatviewState, RowData, SequenceState, TableDump,
};

/// Everything the workers and the large objects' metadata gave.
pub(crate) struct Copied {
    pub(crate) written: Written,
    pub(crate) metadata: Option<RowData>,
}

/// What the manifest says of the database beside its rows.
pub(crate) struct Facts {
    database: DatabaseSettings,
    /// Settings that are left out of it, and patterns of such that fit none.
    settings_left_out: Vec<String>,
    settings_unmatched: Vec<String>,
    extensions: Vec<Extension>,
    roles: Vec<String>,
    policy_roles: Vec<String>,
    sequences: Vec<SequenceState>,
    matviews: Vec<MatviewState>,
    /// Materialized views that hold rows and will not in a copy.
    stale: Vec<String>,
    /// Event triggers that ran for each of our sessions.
    login_triggers: Vec<String>,
}

impl Facts {
    pub(crate) async fn read(leader: &Leader, options: &DumpOptions) -> PgResult<Self> {
        let session = &*leader.session;
        let excluded: Vec<u32> = leader.selection.excluded.iter().map(|relation| relation.oid).collect();
        let views = catalog::matviews(session).await?;
        let Arranged { ordered, stale } = arrange(views, &catalog::matview_uses(session).await?);
        let mut database = database_settings::read(session, &options.database).await?;
        let (settings_left_out, settings_unmatched) = leave_out(&mut database, &options.exclude_setting);
        Ok(Self {
            database,
            settings_left_out,
            settings_unmatched,
            extensions: catalog::extensions(session).await?,
            roles: catalog::roles(session).await?,
            policy_roles: catalog::policy_roles(session, &excluded).await?,
            sequences: catalog::sequences(session, &excluded).await?,
            matviews: ordered,
            stale,
            login_triggers: catalog::login_triggers(session).await?,
        })
    }

    /// Says what a copy will not have.
    pub(crate) fn warn(&self, run: &Run) {
        for trigger in &self.login_triggers {
            run.progress.warn(format!(
                "the event trigger `{trigger}` ran at each login of this dump, and may have changed the source: as a \
                 superuser, set PGOPTIONS='-c event_triggers=off'"
            ));
        }
        for pattern in &self.settings_unmatched {
            run.progress.warn(format!("no setting of the database matches `{pattern}`, so none was left out for it"));
        }
        for view in &self.stale {
            run.progress.warn(format!(
                "the materialized view `{view}` reads one that is not populated, so it cannot be recomputed and will \
                 be unpopulated after a restore, as with pg_dump; to include it, refresh what it reads and dump again"
            ));
        }
    }
}

/// Puts the pieces together into what the manifest says.
pub(crate) fn describe(
    leader: &Leader,
    tool: &Tool,
    work: &Work,
    facts: Facts,
    schema: Part,
    copied: Copied,
    plan: &mut Plan,
) -> (DumpDetail, Vec<Part>) {
    let Copied { mut written, metadata } = copied;
    written.packs.sort_by_key(|pack| pack.number);
    let mut parts = vec![schema];
    parts.extend(written.packs.into_iter().map(|pack| pack.part));

    let mut rows: BTreeMap<usize, (RowData, Vec<RangeBase>)> = BTreeMap::new();
    written.tables.extend(plan.take_kept());
    written.tables.sort_by_key(|unit| (unit.table, unit.index));
    for unit in written.tables {
        let (whole, ranges) = rows.entry(unit.table).or_default();
        ranges.push(RangeBase { frames: unit.rows.frames.count(), row_hash: unit.rows.row_hash });
        append(whole, unit.rows);
    }
    let tables = work.sources.iter().enumerate().map(|(at, source)| {
        let (data, ranges) = rows.remove(&at).unwrap_or_default();
        TableDump {
            schema: source.schema.clone(),
            name: source.name.clone(),
            kind: source.kind,
            columns: source.columns.clone(),
            base: plan.table_base(source, leader.server.major(), ranges),
            reading: plan.table_reading(at),
            data,
        }
    });
    let tables = tables.collect();
    written.slices.sort_by_key(|slices| slices.batch);
    let mut slices = RowData::default();
    for batch in written.slices {
        append(&mut slices, batch.rows);
    }
    let detail = DumpDetail {
        server: leader.server.clone(),
        pg_dump_version: tool.version.clone(),
        database: facts.database,
        filters: Filters { settings: facts.settings_left_out, ..leader.selection.filters.clone() },
        extensions: facts.extensions,
        roles: facts.roles,
        policy_roles: facts.policy_roles,
        tables,
        sequences: facts.sequences,
        matviews: facts.matviews,
        excluded_foreign_keys: leader.excluded_foreign_keys.clone(),
        large_objects: metadata.map(|metadata| LargeObjects {
            count: work.large_objects.len() as u64,
            metadata,
            slices,
        }),
        lc_monetary: Some(MONEY_LOCALE.to_owned()),
        lists: None,
        base: None,
        reading: None,
    };
    (detail, parts)
}

fn append(whole: &mut RowData, piece: RowData) {
    whole.rows += piece.rows;
    whole.content_bytes += piece.content_bytes;
    whole.row_hash.merge(&piece.row_hash);
    whole.frames.append(&piece.frames);
}

/// Totals of a dump with these parts of its own.
pub(crate) fn counts(detail: &DumpDetail, own: &[Part], shared: Shared) -> BTreeMap<String, u64> {
    let large_objects = detail.large_objects.as_ref().map_or(0, |objects| objects.count);
    let content_bytes: u64 = own.iter().map(|part| part.content_bytes).sum();
    let stored_bytes: u64 = own.iter().map(|part| part.stored_bytes).sum();
    let mut counts = BTreeMap::from([
        ("tables".to_owned(), detail.tables.len() as u64),
        ("rows".to_owned(), detail.tables.iter().map(|table| table.data.rows).sum()),
        ("sequences".to_owned(), detail.sequences.len() as u64),
        ("large_objects".to_owned(), large_objects),
        ("content_bytes".to_owned(), content_bytes + shared.content_bytes),
        ("stored_bytes".to_owned(), stored_bytes + shared.bytes),
    ]);
    shared.note(&mut counts);
    counts
}
