//! Second chances for rows that the server refused.
//!
//! Rows are loaded without a search path, and in any order. What computes a generated column, or checks a row, may need the
//! search path that the database has in use, or rows of another table (PostgreSQL's own `pg_restore` loses such tables).

use crate::adapters::connection::Session;
use crate::adapters::sql::staged::Staged;
use crate::adapters::sql::{session_settings, transaction};
use crate::error::{PgError, PgResult};
use crate::restore::load_unit::{Refused, connect, copy_in, load_unit};
use crate::restore::loading::{Load, TakenRows};
use crate::restore::units::LoadUnit;
use crate::stored::detail::TableKind;

/// Tries rows again that were refused, with the database's own search path and once all others are there, until no more are
/// taken. Returns those that are refused in the end; of their tables nothing is left.
pub(super) async fn load_again(
    load: &Load,
    mut waiting: Vec<Refused>,
    rows: &mut Vec<TakenRows>,
) -> PgResult<Vec<Refused>> {
    load.run.step("restore.data_again", &format!("{} parts", waiting.len()));
    loop {
        let before = waiting.len();
        let mut still = Vec::new();
        let mut session = connect_as_in_use(load).await?;
        for Refused { unit, .. } in waiting {
            let loaded = match load.tables[unit.table].kind {
                TableKind::ExtensionConfig => load_configured(load, &session, &unit).await,
                _ => load_unit(load, &session, &unit).await,
            };
            match loaded {
                Ok(taken) => rows.push(TakenRows { table: unit.table, rows: taken }),
                Err(error) if error.is_refusal() => {
                    session = connect_as_in_use(load).await?;
                    still.push(Refused { unit, error });
                }
                Err(error) => return Err(error),
            }
        }
        waiting = still;
        if waiting.is_empty() || waiting.len() == before {
            break;
        }
    }
    empty(load, &waiting, rows).await?;
    Ok(waiting)
}

/// A table of which only some rows could be loaded would look like one that has them all.
async fn empty(load: &Load, refused: &[Refused], rows: &[TakenRows]) -> PgResult<()> {
    let mut tables: Vec<usize> = refused.iter().map(|refused| refused.unit.table).collect();
    tables.sort_unstable();
    tables.dedup();
    let is_partly_there = |at: &usize| {
        let is_own = load.tables[*at].kind != TableKind::ExtensionConfig && !load.detours.contains_key(at);
        is_own && rows.iter().any(|taken| taken.table == *at)
    };
    tables.retain(is_partly_there);
    if tables.is_empty() {
        return Ok(());
    }
    let session = connect(&load.server, &load.database, load.text).await?;
    for table in tables {
        let name = load.tables[table].qualified_name();
        let doing = format!("emptying `{}`", name.label());
        transaction::begin_emptying(&session, &name, &doing).await?;
        transaction::commit(&session, &doing).await?;
    }
    Ok(())
}

async fn connect_as_in_use(load: &Load) -> PgResult<Session> {
    let session = connect(&load.server, &load.database, load.text).await?;
    session_settings::reset_search_path(&session).await?;
    Ok(session)
}

/// Loads rows of a configuration table, in which the extension may have put some of them itself.
pub(super) async fn load_configured(load: &Load, session: &Session, unit: &LoadUnit) -> PgResult<u64> {
    /// SQLSTATE of `unique_violation`.
    const THERE_ALREADY: &str = "23505";
    match load_unit(load, session, unit).await {
        Err(error) if error.sqlstate() == Some(THERE_ALREADY) => Box::pin(load_missing(load, session, unit)).await,
        other => other,
    }
}

/// Loads those rows that are not there yet, of a table in which an extension has put equal ones itself.
///
/// # Errors
/// What the server says to a row that has the key of another one.
async fn load_missing(load: &Load, session: &Session, unit: &LoadUnit) -> PgResult<u64> {
    let table = &load.tables[unit.table];
    let name = table.qualified_name();
    let doing = format!("loading the rows of `{}`", name.label());
    let staged = Staged::new(&name, &table.columns);
    transaction::begin(session, &doing).await?;
    let loaded = async {
        staged.create(session, &doing).await?;
        let taken = copy_in(load, session, &staged.copy(), &unit.frames, &doing).await?;
        load.check_count(unit, taken)?;
        staged.insert_missing(session, &doing).await?;
        Ok::<u64, PgError>(taken)
    };
    match loaded.await {
        Ok(taken) => {
            transaction::commit(session, &doing).await?;
            Ok(taken)
        }
        Err(error) => {
            transaction::roll_back(session, &doing).await?;
            Err(error)
        }
    }
}
