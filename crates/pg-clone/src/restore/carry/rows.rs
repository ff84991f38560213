//! Copies the rows of carried tables while the live database takes no connections: what anybody was told is committed is
//! among them, and the live database is only read.

use std::time::Duration;

use backup_core::failure::{Remedy, Setting};
use backup_core::remedy;
use backup_core::units::counted;
use futures::TryStreamExt;
use serde::Serialize;

use crate::adapters::connection::{Server, Session};
use crate::adapters::sql::carried::{self, Found};
use crate::adapters::sql::copy_in::CopyIn;
use crate::adapters::sql::copy_out::CopyOut;
use crate::adapters::sql::{live_tables, sequences, sessions, transaction};
use crate::error::{PgError, PgResult};
use crate::ident::QualifiedName;
use crate::restore::data_only::{changes, tables};
use crate::restore::search_path::{SearchPath, may_need_search_path};
use crate::run::Run;
use crate::stored::detail::{RowData, TableDump, TableKind};

/// What is still safe when it fails.
pub(crate) const SAFE: &str = "the live database is unchanged and accepts connections";

/// How long it may take: nobody can use the database meanwhile.
const CARRY_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// How long to wait for a table of the copy, which nobody else uses.
const LOCK_TIMEOUT_MS: u32 = 30_000;

/// Tables to be carried over, as the live database defines them and the copy has them.
#[derive(Clone, Debug)]
pub(crate) struct CarryOver {
    tables: Vec<Found>,
}

/// A session in each of both databases, opened while they could still be entered.
#[derive(Debug)]
pub(crate) struct Carrying {
    tables: Vec<Found>,
    live: Session,
    copy: Session,
    pids: [i32; 2],
}

/// What was carried over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CarriedRows {
    /// The table, as `schema.table`.
    pub table: String,
    /// Its rows.
    pub rows: u64,
}

impl CarryOver {
    pub(super) fn new(tables: Vec<Found>) -> Self {
        Self { tables }
    }

    /// Enters both databases.
    pub(crate) async fn open(&self, server: &Server, live: &str, copy: &str) -> PgResult<Carrying> {
        let (live, copy) = (server.connect(live).await?, server.connect(copy).await?);
        for session in [&live, &copy] {
            carried::prepare(session).await?;
        }
        let pids = [sessions::own_pid(&live).await?, sessions::own_pid(&copy).await?];
        Ok(Carrying { tables: self.tables.clone(), live, copy, pids })
    }
}

impl Carrying {
    /// Its server processes, which must not be ended before it has.
    pub(crate) fn pids(&self) -> &[i32] {
        &self.pids
    }

    /// Copies everything, in one transaction of the copy, and leaves both databases.
    pub(crate) async fn carry(self, run: &Run) -> PgResult<Vec<CarriedRows>> {
        match tokio::time::timeout(CARRY_TIMEOUT, self.copy_anyhow(run)).await {
            Ok(copied) => copied.map_err(failed),
            Err(_) => Err(PgError::CarryOver {
                what: format!("carrying tables over took longer than {} min", CARRY_TIMEOUT.as_secs() / 60),
                help: SAFE.into(),
            }),
        }
    }

    /// By whichever search path it takes: what the tables compute may name others without their schema.
    async fn copy_anyhow(&self, run: &Run) -> PgResult<Vec<CarriedRows>> {
        match Box::pin(self.copy_all(run, SearchPath::Empty)).await {
            Err(error) if may_need_search_path(&error) => {
                for session in [&self.live, &self.copy] {
                    transaction::roll_back(session, "beginning to carry over again").await?;
                }
                Box::pin(self.copy_all(run, SearchPath::InUse)).await
            }
            other => other,
        }
    }

    async fn copy_all(&self, run: &Run, path: SearchPath) -> PgResult<Vec<CarriedRows>> {
        let Self { tables, live, copy, .. } = self;
        carried::begin_reading(live).await?;
        let names: Vec<QualifiedName> = tables.iter().map(|table| table.name.clone()).collect();
        if carried::read(live, &names).await?.into_iter().flatten().ne(tables.iter().cloned()) {
            return Err(PgError::CarryOver {
                what: "a table to carry over was changed or dropped during the restore".to_owned(),
                help: remedy![SAFE, ". Run the restore again"],
            });
        }
        let owned: Vec<QualifiedName> = tables.iter().flat_map(|table| table.sequences.clone()).collect();
        let states = carried::sequences(live, &owned).await?;
        live_tables::begin(copy, LOCK_TIMEOUT_MS).await?;
        let wanted: Vec<TableDump> = tables.iter().map(dumped).collect();
        let target = tables::read(copy, &wanted, &states, path).await?;
        live_tables::make(copy, "preparing the carried tables", &changes::loosen(&target)).await?;
        tables::empty(copy, "emptying the carried tables", &wanted, &target, path).await?;
        let mut carried = Vec::with_capacity(tables.len());
        path.enter(copy).await?;
        for table in tables {
            run.step("swap.carry", &table.name.label());
            carried.push(self.rows(table).await?);
        }
        path.leave(copy).await?;
        live_tables::make(copy, "setting the sequences", &changes::renew(&states)).await?;
        sequences::set(copy, &states).await?;
        path.enter(copy).await?;
        live_tables::check_constraints(copy).await?;
        path.leave(copy).await?;
        live_tables::make(copy, "putting triggers and foreign keys back", &changes::tighten(&target)).await?;
        run.step("swap.carry_commit", &counted(tables.len() as u64, "table", "tables"));
        transaction::commit(copy, "committing the carried rows").await?;
        Ok(carried)
    }

    async fn rows(&self, table: &Found) -> PgResult<CarriedRows> {
        let doing = format!("carrying over the rows of `{}`", table.name.label());
        let mut rows = CopyIn::into_table(&table.name, &table.columns, false).begin(&self.copy, doing.as_str()).await?;
        let read = CopyOut::of_table(&table.name, &table.columns, "").begin(&self.live, &doing).await?;
        let mut read = std::pin::pin!(read);
        while let Some(some) = read.try_next().await? {
            rows.send(some).await?;
        }
        Ok(CarriedRows { table: table.name.label(), rows: rows.finish().await? })
    }
}

/// The table as one that takes rows.
fn dumped(table: &Found) -> TableDump {
    let QualifiedName { schema, name } = table.name.clone();
    let (columns, data) = (table.columns.clone(), RowData::default());
    TableDump { schema, name, kind: TableKind::Table, columns, base: None, reading: None, data }
}

/// What the server refused, for somebody who wants to know what became of his database.
pub(crate) fn failed(error: PgError) -> PgError {
    /// SQLSTATE of `foreign_key_violation`.
    const KEY_BROKEN: &str = "23503";
    /// SQLSTATEs of `dependent_objects_still_exist` and of `feature_not_supported`, which `TRUNCATE` says of a table that
    /// others refer to.
    const NEEDED: [&str; 2] = ["2BP01", "0A000"];
    let PgError::Sql { doing, message, sqlstate, .. } = error else { return error };
    let help: Remedy = match sqlstate.as_str() {
        KEY_BROKEN => remedy![
            "its rows refer to rows that the dump does not have; carry over that table too, with ",
            Setting::CarryOver
        ],
        code if NEEDED.contains(&code) => remedy![
            "something in the dump needs the table; carry it over as well with ",
            Setting::CarryOver,
            " if it is a table, or drop it by a hook before the swap"
        ],
        _ => "the rows do not fit, or the role lacks a privilege".into(),
    };
    PgError::CarryOver { what: format!("{doing} failed: {message}"), help: help.and("; ").and(SAFE) }
}

#[cfg(test)]
mod tests {
    use backup_core::Failure;

    use super::*;

    #[test]
    fn a_refusal_says_what_helps_and_that_the_live_database_is_as_it_was() {
        let sql = |sqlstate: &str| PgError::Sql {
            doing: "emptying the carried tables".to_owned(),
            message: "no".to_owned(),
            sqlstate: sqlstate.to_owned(),
            help: None,
        };
        for (sqlstate, expected) in [("23503", "does not have"), ("2BP01", "needs the table"), ("42501", "privilege")] {
            let error = failed(sql(sqlstate));
            assert_eq!(error.to_string(), "emptying the carried tables failed: no");
            let help = error.remedy().unwrap().to_string();
            assert!(help.contains(expected) && help.ends_with(SAFE), "{help}");
        }
        assert!(matches!(failed(PgError::Interrupted), PgError::Interrupted));
    }
}
