//! What of a dump is kept and what is read, and what its manifest says of that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use backup_core::store::{SharedStore, StoreRead};

use super::decide::{self, Changed, Checkpoint, Decision, Place};
use super::parent::{Parent, ParentTable};
use super::summaries::{self, Wanted};
use super::why::{WhyAll, WhyTable};
use super::{Now, base, has_summaries, keep};
use crate::adapters::connection::Server;
use crate::adapters::sql::wal_summaries::Watched;
use crate::dump::leader::Leader;
use crate::dump::reuse::Reuse;
use crate::dump::units::{DumpUnit, TableSource, dump_units};
use crate::dump::worker::UnitRows;
use crate::error::{PgError, PgResult};
use crate::options::{DumpOptions, Incremental};
use crate::run::Run;
use crate::stored::base::{Base, RangeBase, Reading, TableBase, TableReading};
use crate::stored::detail::RowData;
use crate::stored::frames::Frames;
use crate::stored::known_frames::KnownFrames;
use crate::stored::row_hash::RowHash;

/// A range of a table, by the places of both.
type At = (usize, usize);

/// What of a dump is kept.
#[derive(Debug, Default)]
pub(in crate::dump) struct Plan {
    /// What the server said, if it summarizes at all.
    now: Option<Now>,
    /// The earlier dump that rows are kept of.
    since: Option<Since>,
    /// Why there is none.
    why: Option<WhyAll>,
    /// By the place of the table.
    decisions: Vec<Decision>,
    /// Rows of ranges that are not read.
    kept: BTreeMap<At, RowData>,
    /// What ranges of the sample must have.
    sample: BTreeMap<At, Expected>,
    /// Bytes of rows that are kept.
    kept_bytes: u64,
}

#[derive(Debug)]
struct Since {
    key: String,
    base: Base,
}

/// What the earlier dump says of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Expected {
    rows: u64,
    row_hash: RowHash,
}

/// Who asks, and for which dump.
#[derive(Clone, Copy, Debug)]
pub(in crate::dump) struct Asking<'a> {
    pub(in crate::dump) server: &'a Server,
    pub(in crate::dump) store: &'a SharedStore,
    pub(in crate::dump) options: &'a DumpOptions,
    pub(in crate::dump) run: &'a Run,
    /// The key of the dump.
    pub(in crate::dump) key: &'a str,
}

/// Decides what a dump reads. Nothing is kept whose right to be kept is not proven: what goes wrong here costs time and no dump.
///
/// # Errors
/// [`PgError::Interrupted`]; what the session with the snapshot says; [`PgError::NotIncremental`] where nothing but an
/// incremental dump will do.
pub(in crate::dump) async fn prepare(
    asking: Asking<'_>,
    leader: &mut Leader,
    reuse: &Reuse,
    incremental: Incremental,
) -> PgResult<Plan> {
    let mut plan = Plan::default();
    if has_summaries(&leader.server) {
        plan.now = Some(asking.run.or_cancelled(Now::read(&leader.session, &leader.sources)).await?);
    }
    let found = match (incremental, &plan.now, reuse) {
        (Incremental::Never, ..) => Err(WhyAll::Asked),
        (_, None, _) => Err(WhyAll::OldServer),
        (_, _, Reuse::Nothing { why }) => Err(WhyAll::NoSource(why.clone())),
        (_, Some(now), Reuse::Of { known, sources, .. }) => match Box::pin(find(asking, leader, now, sources)).await {
            Ok(Ok((parent, changed))) => Ok((parent, changed, Arc::clone(known))),
            Ok(Err(why)) => Err(why),
            Err(PgError::Interrupted) => return Err(PgError::Interrupted),
            Err(error) => Err(WhyAll::Refused(error.to_string())),
        },
    };
    match found {
        Ok((parent, changed, known)) => {
            plan.decide(&parent, leader, &changed);
            plan.take(asking, &parent, leader, &known);
            plan.since = Some(Since { key: parent.key, base: parent.base });
        }
        Err(why) => {
            if incremental == Incremental::Require {
                return Err(PgError::NotIncremental {
                    database: asking.options.database.clone(),
                    why: why.to_string(),
                });
            }
            tracing::info!(%why, "all rows are read");
            plan.why = Some(why);
        }
    }
    Ok(plan)
}

/// The earlier dump and what changed since.
async fn find(
    asking: Asking<'_>,
    leader: &mut Leader,
    now: &Now,
    sources: &[Arc<backup_core::catalogue::Backup>],
) -> PgResult<Result<(Parent, Changed), WhyAll>> {
    let Asking { server, store, options, run, .. } = asking;
    let reader: &dyn StoreRead = &**store;
    let parent = match run.or_cancelled(Parent::read(reader, sources)).await? {
        Ok(parent) => parent,
        Err(why) => return Ok(Err(why)),
    };
    let major = leader.server.major();
    for source in &mut leader.sources {
        if let Some(step) = parent.table(source).and_then(|table| table.base.step) {
            source.keep_step(step, major);
        }
    }
    let watched = |source: &TableSource| {
        let located = now.located.get(&source.oid)?;
        parent.table(source)?;
        let step = source.step(major).unwrap_or(u64::MAX);
        Some(Watched { tablespace: located.tablespace, filenode: located.filenode, step })
    };
    let files: Vec<Watched> = leader.sources.iter().filter_map(watched).collect();
    let wanted = Wanted {
        place: Place {
            timeline: parent.base.timeline,
            instance: now.moment.instance,
            database: now.moment.database,
            text: now.text,
        },
        until: now.moment.lsn,
        in_recovery: leader.server.in_recovery,
        table_bytes: leader.sources.iter().map(|source| source.table_bytes).sum(),
    };
    // A session of its own: the snapshot's must survive whatever is refused here.
    let session = run.or_cancelled(server.connect(&options.database)).await?;
    let changed = summaries::changed_since(&session, &parent.base, &wanted, &files, run).await?;
    Ok(changed.map(|changed| (parent, changed)))
}

impl Plan {
    fn decide(&mut self, parent: &Parent, leader: &Leader, changed: &Changed) {
        let (major, Some(now)) = (leader.server.major(), &self.now) else { return };
        let decide = |source: &TableSource| match now.table(source, major) {
            Some(table) => decide::table(parent.table(source).map(|table| table.base), &table, changed),
            None => Decision { kept: vec![None; source.ranges(major).len()], why: Some(WhyTable::New) },
        };
        self.decisions = leader.sources.iter().map(decide).collect();
    }

    /// Takes the frames of what is kept, but for a sample.
    fn take(&mut self, asking: Asking<'_>, parent: &Parent, leader: &Leader, known: &KnownFrames) {
        let mut found: BTreeMap<At, (RangeBase, Frames)> = BTreeMap::new();
        for (table, source) in leader.sources.iter().enumerate() {
            let Some(decision) = self.decisions.get_mut(table) else { continue };
            if decision.kept.iter().all(Option::is_none) {
                continue;
            }
            let of = parent.table(source);
            let Some((of, frames)) = of.and_then(|of| Some((of, of.ranges(source)?))) else {
                *decision = Decision { kept: vec![None; decision.kept.len()], why: Some(WhyTable::Contradiction) };
                continue;
            };
            for (index, then) in decision.kept.iter().enumerate() {
                let range = then.and_then(|then| range_at(of, &frames, then));
                found.extend(range.map(|range| ((table, index), range)));
            }
        }
        let sample = asking.options.verify_source.map(|percent| sample(percent, asking.key, &found, leader));
        for (at, (range, frames)) in found {
            if sample.as_ref().is_some_and(|sample| sample.contains(&at)) {
                let rows = frames.iter().map(|frame| frame.rows).sum();
                self.sample.insert(at, Expected { rows, row_hash: range.row_hash });
                self.read(at, WhyTable::Sample);
            } else if let Some(data) = keep::take(known, &range, &frames) {
                self.kept_bytes += data.content_bytes;
                self.kept.insert(at, data);
            } else {
                self.read(at, WhyTable::NotStored);
            }
        }
    }

    /// A range is read after all.
    fn read(&mut self, (table, index): At, why: WhyTable) {
        let Some(decision) = self.decisions.get_mut(table) else { return };
        if let Some(kept) = decision.kept.get_mut(index) {
            *kept = None;
        }
        decision.why.get_or_insert(why);
    }

    /// The units that are read.
    pub(in crate::dump) fn units(&self, leader: &Leader) -> Vec<DumpUnit> {
        let mut units = dump_units(&leader.sources, leader.server.major());
        units.retain(|unit| !self.kept.contains_key(&(unit.table, unit.index)));
        units
    }

    /// Looks whether the sample is what the earlier dump has.
    ///
    /// # Errors
    /// [`PgError::SourceDiffers`].
    pub(in crate::dump) fn compare(&self, read: &[UnitRows], sources: &[TableSource]) -> PgResult<()> {
        let differs = read.iter().find(|unit| {
            let found = Expected { rows: unit.rows.rows, row_hash: unit.rows.row_hash };
            self.sample.get(&(unit.table, unit.index)).is_some_and(|expected| *expected != found)
        });
        match differs.and_then(|unit| sources.get(unit.table)) {
            None => Ok(()),
            Some(source) => Err(PgError::SourceDiffers {
                table: format!("{}.{}", source.schema, source.name),
                dump: self.since.as_ref().map(|since| since.key.clone()).unwrap_or_default(),
            }),
        }
    }

    /// The rows that are kept, as if they had been read.
    pub(in crate::dump) fn take_kept(&mut self) -> Vec<UnitRows> {
        let kept = std::mem::take(&mut self.kept).into_iter();
        kept.map(|((table, index), rows)| UnitRows { table, index, rows }).collect()
    }

    /// Bytes of rows that are kept.
    pub(in crate::dump) fn kept_bytes(&self) -> u64 {
        self.kept_bytes
    }

    /// What the manifest says of how a table was read.
    pub(in crate::dump) fn table_reading(&self, table: usize) -> Option<TableReading> {
        let decision = self.decisions.get(table)?;
        Some(TableReading {
            ranges: decision.kept.len() as u64,
            kept: decision.kept.iter().flatten().count() as u64,
            why: decision.why.as_ref().map(ToString::to_string),
        })
    }

    /// What the manifest says of a table whose ranges hold this, in order, for whoever keeps rows of it later.
    pub(in crate::dump) fn table_base(
        &self,
        source: &TableSource,
        major: u32,
        ranges: Vec<RangeBase>,
    ) -> Option<TableBase> {
        let now = self.now.as_ref()?.table(source, major)?;
        let is_whole = now.ranges.len() == ranges.len();
        (is_whole && now.never_kept().is_none()).then(|| TableBase {
            tablespace: now.tablespace,
            filenode: now.filenode,
            toast: now.toast,
            pages: source.heap_pages,
            step: source.step(major),
            text: now.text,
            ranges,
        })
    }

    /// What the manifest says of the dump as a whole, and its base.
    ///
    /// # Errors
    /// [`PgError::Interrupted`].
    pub(in crate::dump) async fn reading(
        &self,
        asking: Asking<'_>,
        before: Option<Checkpoint>,
    ) -> PgResult<(Reading, Option<Base>)> {
        let mut reading = Reading {
            since: self.since.as_ref().map(|since| since.key.clone()),
            read_all: self.why.as_ref().map(ToString::to_string),
            no_base: None,
        };
        let Some(now) = &self.now else { return Ok((reading, None)) };
        let Asking { server, options, run, .. } = asking;
        let mut checkpoints: Vec<Checkpoint> = before.into_iter().collect();
        // That base was proven to be of this history.
        checkpoints.extend(self.since.as_ref().map(|Since { base, .. }| Checkpoint {
            redo: base.lsn,
            timeline: base.timeline,
            next_xid: base.next_xid,
        }));
        let found = run.or_cancelled(async {
            let session = server.connect(&options.database).await?;
            base::of_dump(&session, now, checkpoints).await
        });
        let base = match found.await {
            Ok(Ok(base)) => Some(base),
            Ok(Err(why)) => {
                reading.no_base = Some(why);
                None
            }
            Err(PgError::Interrupted) => return Err(PgError::Interrupted),
            Err(error) => {
                reading.no_base = Some(error.to_string());
                None
            }
        };
        Ok((reading, base))
    }
}

/// What the earlier dump says of one of its ranges.
fn range_at(of: ParentTable<'_>, frames: &[Frames], at: usize) -> Option<(RangeBase, Frames)> {
    Some((*of.base.ranges.get(at)?, frames.get(at)?.clone()))
}

/// The ranges that are read and compared, of those with rows: so many per cent, and at least one.
fn sample(percent: u8, key: &str, found: &BTreeMap<At, (RangeBase, Frames)>, leader: &Leader) -> BTreeSet<At> {
    let filled: Vec<At> = found.iter().filter(|(_, (_, frames))| !frames.is_empty()).map(|(at, _)| *at).collect();
    let is_sampled = |(table, index): &At| {
        let name = leader.sources.get(*table).map(|source| source.qualified_name().quoted()).unwrap_or_default();
        decide::is_sampled(percent, key, &name, *index as u64)
    };
    let sampled: BTreeSet<At> = filled.iter().copied().filter(is_sampled).collect();
    if sampled.is_empty() { filled.first().copied().into_iter().collect() } else { sampled }
}
