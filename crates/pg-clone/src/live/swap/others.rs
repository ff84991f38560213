//! Sessions that the role cannot end, found before connections are refused.

use crate::adapters::connection::Session;
use crate::adapters::sql::sessions;
use crate::error::{PgError, PgResult};

/// Refuses to go on while sessions are there that only others can end.
pub(super) async fn refuse(admin: &Session, target: &str) -> PgResult<()> {
    let foreign = sessions::not_ours_to_end(admin, target).await?;
    if foreign.is_empty() {
        return Ok(());
    }
    let sessions: Vec<String> =
        foreign.iter().map(|session| format!("{} of `{}`", session.pid, session.role)).collect();
    Err(PgError::InUse {
        what: format!(
            "`{target}` is used by sessions that the restoring role cannot end: server process {}",
            sessions.join(", ")
        ),
        help: "nothing was swapped. Disconnect the applications, or `GRANT pg_signal_backend` to the restoring role"
            .into(),
    })
}
