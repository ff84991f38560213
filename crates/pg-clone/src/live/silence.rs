//! A lock whose holder may have vanished with its machine: it is waited for, but no longer than the server takes to find
//! out.
//!
//! Whoever holds a lock shows every two seconds that it lives. A holder that does not has vanished, or stands still; the
//! server ends its session within a minute and a half (`vanishing.rs` of the connection) or, if it stands still, never.

use std::time::{Duration, Instant};

use crate::adapters::connection::{Server, Session};
use crate::adapters::sql::advisory_lock::{self, Holder};
use crate::error::{PgError, PgResult};
use crate::live::state::target_number;
use crate::live::target_lock::{self, TargetLock};
use crate::run::Run;

/// After how long without a sign of life a holder counts as silent: three that did not come.
const SILENT: Duration = Duration::from_secs(6);

/// How long a silent holder is waited for, in all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Between looks.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What is known of a holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is at work.
    Lives,
    /// Nothing was heard of it for too long.
    Silent,
    /// It is too early to tell.
    Unclear,
}

/// What `now` says of the holder that was first seen as `first`.
fn judge(first: &Holder, now: &Holder) -> Verdict {
    match (&now.heard, now.silent_for) {
        // Another one, which has just begun.
        _ if now.pid != first.pid => Verdict::Lives,
        // A statement under way; or the server does not tell us of others' sessions.
        (_, None) | (None, _) => Verdict::Lives,
        (heard, _) if *heard != first.heard => Verdict::Lives,
        (_, Some(silent)) if silent >= SILENT => Verdict::Silent,
        _ => Verdict::Unclear,
    }
}

/// Watches the holder of a target's lock until it is clear whether it lives; returns one that does not, and nothing if there
/// is none any more.
///
/// # Errors
/// [`PgError::Locked`] by one that lives; connection errors.
pub(crate) async fn silent_holder(session: &Session, target: &str, number: u32) -> PgResult<Option<Holder>> {
    let Some(first) = advisory_lock::holder(session, number).await? else { return Ok(None) };
    let mut now = first.clone();
    loop {
        match judge(&first, &now) {
            Verdict::Silent => return Ok(Some(now)),
            Verdict::Lives => return Err(target_lock::locked(target, Some(&now))),
            Verdict::Unclear => tokio::time::sleep(LOOK_EVERY).await,
        }
        match advisory_lock::holder(session, number).await? {
            Some(holder) => now = holder,
            None => return Ok(None),
        }
    }
}

/// For whom is waited, and how long at most.
pub(crate) fn told(target: &str, holder: &Holder) -> String {
    format!(
        "waiting up to two minutes for a run that holds `{target}` and is silent, {}: the server ends it if its machine \
         has vanished",
        holder.told()
    )
}

/// Takes the lock of `target`; a holder that is silent is waited for, counted from when the run began.
///
/// # Errors
/// [`PgError::Locked`] by a holder that lives, or does not end; [`PgError::Interrupted`].
pub(crate) async fn acquire(server: &Server, target: &str, run: &Run, begun: Instant) -> PgResult<TargetLock> {
    let deadline = begun + PATIENCE;
    let mut is_told = false;
    loop {
        let refused = match TargetLock::acquire(server, target).await {
            Err(refused @ PgError::Locked { .. }) => refused,
            other => return other,
        };
        if Instant::now() > deadline {
            return Err(refused);
        }
        let session = server.connect_admin_for(target).await?;
        let holder = run.or_cancelled(silent_holder(&session, target, target_number(target))).await?;
        if let Some(holder) = holder.filter(|_| !is_told) {
            run.warn(told(target, &holder));
            is_told = true;
        }
        run.or_cancelled(pause()).await?;
    }
}

/// Refuses what another run is at work on; one that is silent would be waited for.
///
/// # Errors
/// [`PgError::Locked`], as [`acquire`]; connection errors.
pub(crate) async fn refuse_if_held(server: &Server, target: &str) -> PgResult<()> {
    let session = server.connect_admin_for(target).await?;
    let number = target_number(target);
    if advisory_lock::held_by_others(&session).await?.contains(&number) {
        silent_holder(&session, target, number).await?;
    }
    Ok(())
}

async fn pause() -> PgResult<()> {
    tokio::time::sleep(LOOK_EVERY).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(heard: Option<&str>, silent_for: Option<u64>) -> Holder {
        Holder {
            pid: 7,
            since: "2026-11-30 03:00:00+00".into(),
            from: "10.0.0.5".into(),
            heard: heard.map(Into::into),
            silent_for: silent_for.map(Duration::from_secs),
        }
    }

    #[test]
    fn only_who_shows_no_sign_of_life_is_waited_for() {
        let first = holder(Some("3:00:01"), Some(1));
        assert_eq!(judge(&first, &first), Verdict::Unclear);
        assert_eq!(judge(&first, &holder(Some("3:00:03"), Some(0))), Verdict::Lives);
        assert_eq!(judge(&first, &holder(Some("3:00:01"), Some(6))), Verdict::Silent);
        let long = holder(Some("2:00:00"), Some(3600));
        assert_eq!(judge(&long, &long), Verdict::Silent);
        assert_eq!(judge(&first, &Holder { pid: 8, ..long }), Verdict::Lives, "another has it now");
        assert_eq!(judge(&first, &holder(Some("3:00:01"), None)), Verdict::Lives, "amid a statement");
        let hidden = holder(None, Some(60));
        assert_eq!(judge(&hidden, &hidden), Verdict::Lives, "nobody knows");
    }

    #[test]
    fn it_is_said_for_whom_is_waited() {
        let told = told("shop", &holder(None, None));
        assert!(told.contains("`shop`") && told.contains("server process 7") && told.contains("10.0.0.5"), "{told}");
    }
}
