//! Settings of the database, in force on the copy before rows are computed under them: a generated column or a materialized
//! view may read one by `current_setting`, and functions find each other by the search path.

use crate::adapters::connection::Server;
use crate::adapters::sql::database_settings;
use crate::error::PgResult;
use crate::live::target_lock::TargetLock;
use crate::live::temporary::Temporary;
use crate::stored::database_settings::DatabaseSettings;

/// Gives the copy the settings of the live database, or else those that were dumped, as far as they decide what is computed.
/// What the role may not set is told when the copy gets all of them.
pub(super) async fn apply(
    server: &Server,
    lock: &TargetLock,
    temporary: &Temporary,
    dumped: Option<&DatabaseSettings>,
) -> PgResult<()> {
    let admin = lock.session();
    let live = database_settings::read_if_exists(admin, lock.target()).await?;
    if let Some(wanted) = live.as_ref().or(dumped) {
        let within = database_settings::within(server, temporary.name(), wanted).await?;
        let by = within.as_ref().unwrap_or(admin);
        database_settings::apply(by, temporary.name(), &wanted.while_built(), true, true).await?;
    }
    Ok(())
}
