//! Runs an SQL file over our own connection: the whole text as one batch.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_postgres::error::{DbError, ErrorPosition};

use crate::adapters::sql::foreign::{self, Left};
use crate::adapters::sql::{session_settings, sessions};
use crate::error::{PgError, PgResult};
use crate::hook::scene::{Outcome, Scene};

/// Notices that may wait to be shown; then the server waits.
const NOTICES_WAITING: usize = 64;

/// Sends `text` as one simple query: one transaction, unless it begins and ends its own. Rows are not read; `show` gets
/// the server's notices, each with its line feed.
pub(super) async fn run(
    text: &str,
    scene: &Scene<'_>,
    limit: Duration,
    show: &mut (dyn FnMut(String) + Send),
) -> PgResult<Outcome> {
    let (sender, mut notices) = mpsc::channel(NOTICES_WAITING);
    let session = scene.server.connect_hearing(scene.database, sender).await?;
    let pid = sessions::own_pid(&session).await?;
    session_settings::as_given(&session, scene.server.given_options()).await?;
    let mut batch = std::pin::pin!(foreign::run(&session, text));
    let mut late = std::pin::pin!(tokio::time::sleep(limit));
    let outcome = loop {
        tokio::select! {
            biased;
            () = scene.run.cancel.cancelled() => break Outcome::Cancelled,
            () = &mut late => break Outcome::TimedOut,
            Some(notice) = notices.recv() => show(words(&notice)),
            done = &mut batch => break match done {
                Ok(Left::Committed) => Outcome::Done,
                Ok(Left::InTransaction) => Outcome::Failed("leaves a transaction open: end it with COMMIT".to_owned()),
                Err(error) => failed(text, error)?,
            },
        }
    };
    while let Ok(notice) = notices.try_recv() {
        show(words(&notice));
    }
    if matches!(outcome, Outcome::Cancelled | Outcome::TimedOut) {
        end(scene, pid).await;
    }
    Ok(outcome)
}

/// Ends a statement that still runs: closing the connection would be noticed only when it has something to say. Best
/// effort: the temporary database is dropped with whoever is in it.
async fn end(scene: &Scene<'_>, pid: i32) {
    let Ok(admin) = scene.server.connect_admin_for(scene.target).await else { return };
    let _ = sessions::end(&admin, pid).await;
}

/// What the server says of a statement is the hook's failure; without it there is no server to go on with.
fn failed(text: &str, error: tokio_postgres::Error) -> PgResult<Outcome> {
    if error.is_closed() {
        return Err(PgError::sql("running a hook", error));
    }
    // Such as a `COPY … FROM stdin`, for which there is nothing to send.
    let Some(db) = error.as_db_error() else { return Ok(Outcome::Failed(format!("failed: {error}"))) };
    let place = match db.position() {
        Some(ErrorPosition::Original(position)) => format!(" at line {}", line_of(text, *position)),
        _ => String::new(),
    };
    let mut how = format!("failed{place}: {} (SQLSTATE {})", db.message(), db.code().code());
    for extra in [db.detail(), db.hint()].into_iter().flatten() {
        how.push_str("; ");
        how.push_str(extra);
    }
    Ok(Outcome::Failed(how))
}

/// The line of a character, both counted from 1.
fn line_of(text: &str, position: u32) -> usize {
    let before = usize::try_from(position).unwrap_or(usize::MAX).saturating_sub(1);
    text.chars().take(before).filter(|character| *character == '\n').count() + 1
}

/// A notice as `psql` shows it.
fn words(notice: &DbError) -> String {
    let mut text = format!("{}:  {}\n", notice.severity(), notice.message());
    for (name, extra) in [("DETAIL", notice.detail()), ("HINT", notice.hint())] {
        if let Some(extra) = extra {
            text.push_str(&format!("{name}:  {extra}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_character_is_found() {
        let text = "é\nab\n\nc";
        let lines: Vec<usize> = (1..=8).map(|position| line_of(text, position)).collect();
        assert_eq!(lines, [1, 1, 2, 2, 2, 3, 4, 4]);
    }
}
