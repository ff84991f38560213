//! Waits for the server to summarize what the snapshot sees, and reads which pages changed.

use std::time::{Duration, Instant};

use super::decide::{self, Changed, Place};
use super::why::WhyAll;
use crate::adapters::connection::Session;
use crate::adapters::sql::wal_summaries::{self, Summarizer, Watched};
use crate::error::{PgError, PgResult};
use crate::run::Run;
use crate::stored::base::{Base, Lsn};

/// How often the summarizer is looked at, at first and later.
const POLL_FIRST: Duration = Duration::from_millis(20);
const POLL_LATER: Duration = Duration::from_millis(250);

/// Least and longest time that is waited for the server: as long as the longest of the usual times between its checkpoints, and
/// then some.
const WAIT_MIN: Duration = Duration::from_secs(10);
const WAIT_MAX: Duration = Duration::from_secs(6 * 60);

/// Bytes of tables that a dump reads in a second, at least: it waits no longer than reading all of them would take.
const READ_BYTES_PER_S: u64 = 64 * 1024 * 1024;

/// How long waiting may take when the tables have so many bytes.
fn wait_limit(table_bytes: u64) -> Duration {
    Duration::from_secs(table_bytes / READ_BYTES_PER_S).clamp(WAIT_MIN, WAIT_MAX)
}

/// How late a checkpoint may be: where nothing is written there is none.
const OVERDUE_S_MAX: i64 = 30;

/// Whether one of the server's own checkpoints may come in time, of which the next is due in so many seconds.
fn may_come(due_s: Option<i64>, limit: Duration) -> bool {
    due_s.is_none_or(|due| due >= -OVERDUE_S_MAX && u64::try_from(due).unwrap_or_default() <= limit.as_secs())
}

/// What a dump knows of its own moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) place: Place,
    /// Up to where changes count.
    pub(super) until: Lsn,
    pub(super) in_recovery: bool,
    pub(super) table_bytes: u64,
}

/// What changed in `files` since `base`, or why nobody knows.
///
/// # Errors
/// [`PgError`], also if the server refuses something.
pub(super) async fn changed_since(
    session: &Session,
    base: &Base,
    wanted: &Wanted,
    files: &[Watched],
    run: &Run,
) -> PgResult<Result<Changed, WhyAll>> {
    let summarizer = wal_summaries::summarizer(session).await?;
    if !summarizer.is_on {
        return Ok(Err(WhyAll::Off));
    }
    // Another server may answer than the one that has the snapshot.
    let place = Place { timeline: summarizer.timeline, ..wanted.place };
    if summarizer.instance != place.instance {
        return Ok(Err(WhyAll::Restarted));
    }
    if let Err(why) = decide::same_place(base, &place) {
        return Ok(Err(why));
    }
    // Asked before anything is waited for: without these, waiting would be for nothing.
    let known = base.history.iter().map(|summary| decide::Span {
        timeline: base.timeline,
        start: summary.start,
        end: summary.end,
    });
    let known: Vec<decide::Span> = known.collect();
    let there = wal_summaries::available(session).await?;
    if known.iter().any(|span| !there.contains(span)) {
        return Ok(Err(WhyAll::OtherHistory));
    }
    let history = wal_summaries::fingerprints(session, &known).await?;
    if let Err(why) = decide::same_history(&base.history, &history) {
        return Ok(Err(why));
    }
    let timeline = match await_summaries(session, summarizer, wanted, run).await? {
        Ok(summarizer) => summarizer.timeline,
        Err(why) => return Ok(Err(why)),
    };
    // It may have been promoted meanwhile, or shortly before.
    if let Err(why) = decide::same_place(base, &Place { timeline, ..place }) {
        return Ok(Err(why));
    }
    let all = wal_summaries::available(session).await?;
    match decide::joined(base.timeline, base.lsn, wanted.until, &all) {
        Ok(spans) => Ok(Ok(wal_summaries::changed(session, &spans, base.database, files).await?)),
        Err(why) => Ok(Err(why)),
    }
}

/// Waits until the server has summarized all up to the wanted position. A summary ends only where a checkpoint begins: one is
/// asked for where that is allowed. On a standby it would not help, because only its primary's count.
async fn await_summaries(
    session: &Session,
    mut summarizer: Summarizer,
    wanted: &Wanted,
    run: &Run,
) -> PgResult<Result<Summarizer, WhyAll>> {
    let (begun, limit) = (Instant::now(), wait_limit(wanted.table_bytes));
    let needs_checkpoint = !wanted.in_recovery && !summarizer.may_checkpoint;
    if summarizer.until < wanted.until {
        run.step("dump.summaries", &wanted.until.to_string());
        // A standby does not know when its primary will write one.
        if needs_checkpoint && !may_come(wal_summaries::checkpoint_due_s(session).await?, limit) {
            return Ok(Err(late(Duration::ZERO, needs_checkpoint, wanted)));
        }
        if summarizer.may_checkpoint && !wanted.in_recovery {
            match tokio::time::timeout(limit, run.or_cancelled(wal_summaries::checkpoint(session))).await {
                Ok(Err(PgError::Interrupted)) => return Err(PgError::Interrupted),
                Ok(Err(error)) => run.progress.warn(format!("{error}: the dump waits for one of the server's own")),
                Ok(Ok(())) => {}
                // The session still waits for it, and cannot be asked anything else.
                Err(_) => return Ok(Err(late(limit, needs_checkpoint, wanted))),
            }
        }
    }
    let mut poll = POLL_FIRST;
    while summarizer.until < wanted.until {
        if begun.elapsed() >= limit {
            return Ok(Err(late(begun.elapsed(), needs_checkpoint, wanted)));
        }
        run.or_cancelled(async {
            tokio::time::sleep(poll).await;
            PgResult::Ok(())
        })
        .await?;
        poll = (poll * 2).min(POLL_LATER);
        summarizer = wal_summaries::summarizer(session).await?;
        if !summarizer.is_on {
            return Ok(Err(WhyAll::Off));
        }
    }
    Ok(Ok(summarizer))
}

fn late(waited: Duration, needs_checkpoint: bool, wanted: &Wanted) -> WhyAll {
    WhyAll::Late { waited_s: waited.as_secs(), needs_checkpoint, in_recovery: wanted.in_recovery }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_longer_than_reading_would_take() {
        assert_eq!(wait_limit(0), WAIT_MIN);
        assert_eq!(wait_limit(READ_BYTES_PER_S * 60), Duration::from_secs(60));
        assert_eq!(wait_limit(u64::MAX), WAIT_MAX);
    }

    #[test]
    fn nobody_waits_for_what_will_not_come() {
        let in_time = |due_s| may_come(due_s, Duration::from_secs(60));
        assert!(in_time(None) && in_time(Some(60)) && in_time(Some(0)) && in_time(Some(-5)));
        assert!(!in_time(Some(61)) && !in_time(Some(-31)), "where nothing is written there is none");
    }
}
