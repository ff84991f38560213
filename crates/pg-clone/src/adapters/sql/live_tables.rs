//! What is done to the tables of a live database so that they take rows, and undone.

use crate::adapters::connection::Session;
use crate::adapters::sql::session_settings::READING;
use crate::error::{PgError, PgResult};
use crate::ident::{QualifiedName, quote_ident};

/// Statements sent at once.
const BATCH: usize = 500;

/// One change of tables or sequences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Keeps everybody else from the tables: whoever read one between its old rows and its new ones would see none.
    Lock(Vec<QualifiedName>),
    /// No trigger of the user's fires.
    DisableTriggers(QualifiedName),
    /// A trigger fires again, as it did.
    EnableTrigger { table: QualifiedName, trigger: String, firing: Firing },
    /// Whether a foreign key may be checked at the end.
    SetDeferrable { table: QualifiedName, key: String, deferrable: bool },
    /// Whatever may be checked at the end is.
    DeferConstraints,
    /// Some rows go, or all one by one; the condition comes with its `WHERE`.
    Delete { table: QualifiedName, condition: String },
    /// All rows go, of `alone` without what is below them, of `whole` with it; and with `cascade` of every table that refers
    /// to them.
    Truncate { alone: Vec<QualifiedName>, whole: Vec<QualifiedName>, cascade: bool },
    /// A sequence gets a new file: `setval` alone would outlive a rollback.
    RestartSequence(QualifiedName),
}

/// In which sessions a trigger fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Firing {
    /// In all but replicas'.
    Origin,
    /// In replicas' alone.
    Replica,
    /// In all.
    Always,
}

impl Firing {
    /// By `pg_trigger.tgenabled`.
    pub(crate) fn of_catalogue(enabled: &str) -> Self {
        match enabled {
            "A" => Self::Always,
            "R" => Self::Replica,
            _ => Self::Origin,
        }
    }
}

impl Change {
    /// The statement that makes it.
    pub(crate) fn statement(&self) -> String {
        match self {
            Self::Lock(tables) => format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", all_alone(tables).join(", ")),
            Self::DisableTriggers(table) => format!("ALTER TABLE {} DISABLE TRIGGER USER", alone(table)),
            Self::EnableTrigger { table, trigger, firing } => {
                let how = match firing {
                    Firing::Origin => "ENABLE",
                    Firing::Replica => "ENABLE REPLICA",
                    Firing::Always => "ENABLE ALWAYS",
                };
                format!("ALTER TABLE {} {how} TRIGGER {}", alone(table), quote_ident(trigger))
            }
            Self::SetDeferrable { table, key, deferrable } => {
                let to = if *deferrable { "DEFERRABLE" } else { "NOT DEFERRABLE" };
                format!("ALTER TABLE {} ALTER CONSTRAINT {} {to}", table.quoted(), quote_ident(key))
            }
            Self::DeferConstraints => "SET CONSTRAINTS ALL DEFERRED".to_owned(),
            Self::Delete { table, condition } => {
                let condition = if condition.is_empty() { String::new() } else { format!(" {condition}") };
                format!("DELETE FROM {}{condition}", alone(table))
            }
            Self::Truncate { alone, whole, cascade } => {
                let tables: Vec<String> =
                    all_alone(alone).into_iter().chain(whole.iter().map(QualifiedName::quoted)).collect();
                format!("TRUNCATE {}{}", tables.join(", "), if *cascade { " CASCADE" } else { "" })
            }
            Self::RestartSequence(sequence) => format!("ALTER SEQUENCE {} RESTART", sequence.quoted()),
        }
    }
}

fn alone(table: &QualifiedName) -> String {
    format!("ONLY {}", table.quoted())
}

fn all_alone(tables: &[QualifiedName]) -> Vec<String> {
    tables.iter().map(alone).collect()
}

/// Begins the transaction in which everything happens. As durable as everybody's: these rows are no copy that could be made
/// again. In the database's own time zone: what has none and goes into a column with one is meant so.
pub(crate) async fn begin(session: &Session, lock_timeout_ms: u32) -> PgResult<()> {
    let begin = format!(
        "{READING}; RESET timezone; RESET synchronous_commit; BEGIN; SET LOCAL lock_timeout = {lock_timeout_ms}"
    );
    session.batch_execute(&begin).await.map_err(|error| PgError::sql("beginning the transaction", error))
}

/// From here on no foreign key of the rows that are loaded is checked, as for a replica: only superusers may say so.
pub(crate) async fn leave_unchecked(session: &Session) -> PgResult<()> {
    set_role(session, "replica").await
}

/// From here on foreign keys hold.
pub(crate) async fn check_again(session: &Session) -> PgResult<()> {
    set_role(session, "DEFAULT").await
}

async fn set_role(session: &Session, role: &str) -> PgResult<()> {
    let set = format!("SET LOCAL session_replication_role TO {role}");
    session.batch_execute(&set).await.map_err(|error| PgError::sql("leaving foreign keys unchecked", error))
}

/// Makes all the changes, in order; `doing` is what an error says was done.
pub(crate) async fn make(session: &Session, doing: &str, changes: &[Change]) -> PgResult<()> {
    for batch in changes.chunks(BATCH) {
        let statements: Vec<String> = batch.iter().map(Change::statement).collect();
        session.batch_execute(&statements.join("; ")).await.map_err(|error| PgError::sql(doing, error))?;
    }
    Ok(())
}

/// Checks what was to be checked at the end.
pub(crate) async fn check_constraints(session: &Session) -> PgResult<()> {
    session
        .batch_execute("SET CONSTRAINTS ALL IMMEDIATE")
        .await
        .map_err(|error| PgError::sql("checking the foreign keys", error))
}
