//! How many indexes are built: `pg_restore` tells nothing while it works, and the server can be asked.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use backup_core::progress::Event;
use futures::future::{Either, select};

use crate::adapters::connection::Session;
use crate::adapters::sql::indexes;
use crate::run::Run;

/// How often the server is asked: often enough for somebody who watches, and a small query.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Runs `work`, which makes `total` indexes in the database of `session`, and tells how many are there by now. The session is
/// otherwise idle meanwhile.
pub(super) async fn watched<T>(session: &Session, total: u64, run: &Run, work: impl Future<Output = T>) -> T {
    if total == 0 {
        return work.await;
    }
    run.progress.event(Event::Total { bytes: 0, items: total });
    // Those that are there already, such as of TOAST tables. Only to be shown: if the server does not say, the work tells why.
    let Ok(before) = indexes::count(session).await else { return work.await };
    let built = Built { before, total, told: 0 };
    match select(pin!(work), pin!(tell(session, built, run))).await {
        Either::Left((result, _)) => result,
        Either::Right((never, _)) => match never {},
    }
}

/// Tells how many there are until nobody wants to know any more.
async fn tell(session: &Session, mut built: Built, run: &Run) -> Infallible {
    loop {
        tokio::time::sleep(ASK_EVERY).await;
        if let Ok(there) = indexes::count(session).await
            && let Some(items) = built.more(there)
        {
            run.progress.event(Event::Advance { bytes: 0, items });
        }
    }
}

/// How many were told of.
#[derive(Debug)]
struct Built {
    before: u64,
    total: u64,
    told: u64,
}

impl Built {
    /// How many more there are than were told of, if there are `there` in all.
    fn more(&mut self, there: u64) -> Option<u64> {
        let built = there.saturating_sub(self.before).min(self.total);
        let more = built.checked_sub(self.told).filter(|more| *more > 0)?;
        self.told = built;
        Some(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_index_is_told_of_once_and_none_beyond_the_total() {
        let mut built = Built { before: 2, total: 3, told: 0 };
        let told: Vec<Option<u64>> = [2, 3, 3, 2, 9, 9].into_iter().map(|there| built.more(there)).collect();
        assert_eq!(told, [None, Some(1), None, None, Some(2), None]);
    }
}
