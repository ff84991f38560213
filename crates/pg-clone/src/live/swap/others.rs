//! Sessions that the role cannot end, found before connections are refused.

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};

/// Whether the row `a` of `pg_stat_activity` is a session that our role may end (PostgreSQL manual, "Server Signaling
/// Functions"): a superuser may end all, others those of roles they are members of, and with pg_signal_backend all but
/// superusers'. What has no role is the server's own; a rename asks it to end.
pub(super) const MAY_END: &str = "EXISTS (SELECT FROM pg_catalog.pg_roles me, pg_catalog.pg_roles theirs \
    WHERE me.rolname = current_user AND theirs.oid = a.usesysid AND (me.rolsuper OR NOT theirs.rolsuper \
      AND (pg_has_role(theirs.oid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE'))))";

/// Refuses to go on while sessions are there that only others can end.
pub(super) async fn refuse(admin: &Session, target: &str) -> PgResult<()> {
    let rows = admin
        .query(
            &format!(
                "SELECT a.pid, a.usename::text FROM pg_catalog.pg_stat_activity a \
                 WHERE a.datname = $1 AND a.pid <> pg_catalog.pg_backend_pid() AND a.usesysid IS NOT NULL AND NOT \
                 {MAY_END} \
                 ORDER BY 1"
            ),
            &[&target],
        )
        .await
        .map_err(|error| PgError::sql("looking at the sessions of the live database", error))?;
    let sessions: Vec<String> =
        rows.iter().map(|row| format!("{} of `{}`", row.get::<_, i32>(0), row.get::<_, String>(1))).collect();
    if sessions.is_empty() {
        return Ok(());
    }
    Err(PgError::Refused {
        what: format!(
            "`{target}` is used by sessions that the restoring role cannot end: server process {}",
            sessions.join(", ")
        ),
        help: "nothing was swapped. Disconnect the applications, or `GRANT pg_signal_backend` to the restoring role"
            .to_owned(),
    })
}
