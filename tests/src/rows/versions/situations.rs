//! Situations of other people's databases on the oldest and the newest server: rows that elsewhere run on this machine's own.

use std::sync::Arc;

use backup_testkit::postgres::Shutdown;

use super::kinds::KINDS;
use super::{Pair, page, start};
use crate::ensure;
use crate::harness::failure::Within as _;
use crate::harness::{Failure, Row, RowResult, World};
use crate::rows::{differential, pg};

/// Every kind that the server's version has, on one server.
pub(super) async fn all(world: &World, pair: &Pair) -> RowResult {
    let world = start(world, &pair.server, &pair.client)?;
    let mut rows = pg::rows();
    rows.extend(differential::rows()?);
    let (mut shown, mut failed) = (Vec::new(), Vec::new());
    for kind in KINDS.iter().filter(|kind| kind.from <= pair.server.major) {
        let row = rows.iter().find(|row| row.id == kind.row);
        let row = row.ok_or_else(|| Failure::new(format!("there is no row `{}`", kind.row)))?;
        match one(&world, row).await {
            Ok(()) => shown.push(kind.row),
            Err(Failure::Failed(why) | Failure::Skipped(why)) => failed.push(why),
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    page::situations(&pair.server, shown);
    Ok(())
}

async fn one(world: &World, row: &Row) -> RowResult {
    let inside = World::new(&row.id, Arc::clone(world.cluster()), world.location())?;
    inside.init().await?;
    let result = match (row.run)(&inside).await {
        // Each was chosen for what this server has.
        Err(Failure::Skipped(why)) => Err(Failure::new(why)),
        other => other,
    };
    if let (Err(_), Some(command)) = (&result, inside.last_command()) {
        return result.within(&format!("{}, whose last command was:\n{command}\n", row.id));
    }
    result.within(&row.id)?;
    tidied(&inside, row.own_server).within(&format!("clearing up after {}", row.id))
}

/// As it was before.
fn tidied(world: &World, changed: bool) -> RowResult {
    world.clear_server()?;
    if changed {
        world.psql("postgres", "ALTER SYSTEM RESET ALL")?;
        world.psql("postgres", "GRANT CONNECT, TEMPORARY ON DATABASE postgres, template1 TO PUBLIC")?;
        world.cluster().restart(Shutdown::Fast)?;
    }
    let roles = "SELECT format('DROP OWNED BY %1$I; DROP ROLE %1$I', rolname) FROM pg_roles \
        WHERE rolname !~ '^pg_' AND oid <> 10 \\gexec";
    world.psql("postgres", roles)?;
    let left = world.psql("postgres", "SELECT count(*) FROM pg_roles WHERE rolname !~ '^pg_' AND oid <> 10")?;
    ensure!(left == "0", "{left} roles are left");
    Ok(())
}
