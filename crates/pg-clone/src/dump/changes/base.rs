//! Notes from where on changes count for whoever dumps next.

use std::time::Duration;

use super::Now;
use super::decide::{self, Checkpoint};
use crate::adapters::connection::Session;
use crate::adapters::sql::wal_summaries;
use crate::error::PgResult;
use crate::stored::base::Base;

/// Summaries that tell a history from another. Those between the checkpoints of dumps alone are empty and say little but their
/// bounds; many of an idle server would be removed before the next dump.
const HISTORY_SUMMARIES: usize = 8;

/// How often, and how many times, the server is looked at until it has come as far as the base: usually it has long since.
const POLL: Duration = Duration::from_millis(100);
const POLLS_MAX: usize = 50;

/// The base of a dump that ends now, or why it has none. `checkpoints` are those that are known; `later` one is asked for.
///
/// # Errors
/// What the server says.
pub(super) async fn of_dump(
    session: &Session,
    now: &Now,
    mut checkpoints: Vec<Checkpoint>,
) -> PgResult<Result<Base, String>> {
    let none = |why: &str| Ok(Err(why.to_owned()));
    let summarizer = wal_summaries::summarizer(session).await?;
    if !summarizer.is_on {
        return none("the server does not summarize its write-ahead log (`summarize_wal` is off)");
    }
    if summarizer.instance != now.moment.instance {
        return none("another server answered than the one that was dumped");
    }
    checkpoints.extend(wal_summaries::last_checkpoint(session).await?);
    if checkpoints.is_empty() {
        return none("the role may not call `pg_control_checkpoint()`");
    }
    let Some(base) = decide::newest_base(&checkpoints, summarizer.timeline, now.moment.xmin) else {
        return none("a transaction was open, or prepared, since before the last checkpoint");
    };
    // What is not on disk may be gone after a crash, though the dump has it.
    let mut polls = 0..POLLS_MAX;
    while !wal_summaries::is_durable(session, now.moment.lsn).await? {
        if polls.next().is_none() {
            return none("the server had not written all to disk that the dump has");
        }
        tokio::time::sleep(POLL).await;
    }
    let mut polls = 0..POLLS_MAX;
    let history = loop {
        let all = wal_summaries::available(session).await?;
        let history = decide::before(base.timeline, base.redo, HISTORY_SUMMARIES, &all);
        if !history.is_empty() {
            break history;
        }
        if polls.next().is_none() {
            return none("the server had not summarized its write-ahead log up to the last checkpoint");
        }
        tokio::time::sleep(POLL).await;
    };
    Ok(Ok(Base {
        lsn: base.redo,
        next_xid: base.next_xid,
        timeline: base.timeline,
        instance: now.moment.instance,
        database: now.moment.database,
        text: now.text,
        history: wal_summaries::fingerprints(session, &history).await?,
    }))
}
