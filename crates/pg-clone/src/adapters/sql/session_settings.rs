//! What sessions set for themselves, so that nothing depends on anybody's configuration.

use crate::adapters::connection::{Server, Session};
use crate::error::{PgError, PgResult};
use crate::ident::quote_literal;
use crate::stored::detail::{MONEY_LOCALE, RowText};

/// What every session sets that reads rows as text, so that their form does not depend on anybody's configuration and nothing
/// is left out silently (`row_security=off` makes a policy an error instead of fewer rows).
pub(super) const READING: &str = "SET datestyle = ISO; SET intervalstyle = postgres; SET timezone = 'UTC'; \
    SET extra_float_digits = 3; SET bytea_output = hex; SET xmloption = content; SET synchronize_seqscans = off; \
    SET row_security = off; SET jit = off; SET max_parallel_workers_per_gather = 0; SET enable_tidscan = on; \
    SET idle_in_transaction_session_timeout = 0; SET search_path = ''; SET lc_monetary = 'C'";

/// What every session sets that writes rows: nobody else sees the database yet, so a lost commit only means beginning again.
const WRITING: &str = "SET synchronous_commit = off; SET lock_timeout = 0; \
    SET idle_in_transaction_session_timeout = 0; SET default_transaction_read_only = off; \
    SET search_path = ''; SET row_security = off; SET check_function_bodies = off; SET datestyle = ISO; \
    SET xmloption = content; SET intervalstyle = postgres; SET array_nulls = on; SET client_min_messages = warning";

/// What a session sets to take or give bytes of no known encoding as they are.
pub(super) const RAW_ENCODING: &str = "SET client_encoding = 'SQL_ASCII'";

impl Server {
    /// [`Server::connect`], with the search path of role and database, for whoever finds tables by it as the application does.
    ///
    /// # Errors
    /// As [`Server::connect`].
    pub async fn connect_as_application(&self, database: &str) -> PgResult<Session> {
        let session = self.connect(database).await?;
        reset_search_path(&session).await?;
        Ok(session)
    }
}

/// For a session that reads rows.
pub(crate) async fn for_reading(session: &Session) -> PgResult<()> {
    run(session, READING).await
}

/// For a session that writes rows of this form.
pub(crate) async fn for_writing(session: &Session, text: RowText) -> PgResult<()> {
    let money = format!("SET lc_monetary = '{MONEY_LOCALE}'");
    let more = [(text.raw_encoding, RAW_ENCODING), (text.plain_money, &money)];
    let settings: Vec<&str> =
        std::iter::once(WRITING).chain(more.into_iter().filter_map(|(is_so, set)| is_so.then_some(set))).collect();
    run(session, &settings.join("; ")).await
}

/// Back to what role, database and the options that the user `given` have, for statements that are the user's: the search
/// path, and event triggers.
pub(crate) async fn as_given(session: &Session, given: &str) -> PgResult<()> {
    const FIRE: &str = "SELECT pg_catalog.set_config(name, 'on', false) FROM pg_catalog.pg_settings \
        WHERE name = 'event_triggers' AND source = 'client' AND pg_catalog.current_setting('is_superuser') = 'on'";
    if !given.contains("event_triggers") {
        run(session, FIRE).await?;
    }
    reset_search_path(session).await
}

/// Back to the search path of the role and the database, by which unqualified names mean something.
pub(crate) async fn reset_search_path(session: &Session) -> PgResult<()> {
    run(session, "RESET search_path").await
}

/// The search path of the role and the database, whatever the session has set.
pub(crate) async fn own_search_path(session: &Session) -> PgResult<String> {
    let row = session
        .query_one("SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'search_path'", &[])
        .await
        .map_err(|error| PgError::sql("reading the database's search path", error))?;
    Ok(row.get(0))
}

/// No search path again, so that every name must say its schema.
pub(crate) async fn empty_search_path(session: &Session) -> PgResult<()> {
    run(session, "SET search_path = ''").await
}

/// A search path as an archive sets it for what follows.
pub(crate) fn as_archives_set_it(search_path: &str) -> String {
    format!("SELECT pg_catalog.set_config('search_path', {}, false);\n", quote_literal(search_path))
}

/// Has the server say whom it waits for, which it otherwise only writes into its log.
pub(crate) async fn hear_of_waiting(session: &Session) -> PgResult<()> {
    run(session, "SET client_min_messages = log").await
}

/// Has the server end what it does next although nobody waits with it any more. Servers before 14 always do.
pub(crate) async fn outlive_client(session: &Session) -> PgResult<()> {
    const GO_ON: &str = "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings \
        WHERE name = 'client_connection_check_interval'";
    run(session, GO_ON).await
}

async fn run(session: &Session, settings: &str) -> PgResult<()> {
    session.batch_execute(settings).await.map_err(|error| PgError::sql("preparing the session", error))
}
