//! Tests hooks on a scratch database, which is dropped afterwards.

use std::time::Instant;

use serde::Serialize;
use tracing::Instrument;
use uuid::Uuid;

use crate::adapters::connection::Server;
use crate::error::{PgError, PgResult};
use crate::hook::run::{HookFailure, HookReport, run_all};
use crate::hook::scene::Scene;
use crate::hook::{DUMP_POINTS, Hooks, RESTORE_POINTS};
use crate::live::target_lock::TargetLock;
use crate::live::temporary::Temporary;
use crate::run::Run;

/// What came of trying hooks. Nothing was switched, and the scratch database is gone.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Trial {
    /// The dump the scratch database was made of; without one it was empty.
    pub key: Option<String>,
    /// What ran well, in order.
    pub hooks: Vec<HookReport>,
    /// The one that failed; those after it did not run.
    pub failure: Option<HookFailure>,
    /// Seconds it took.
    pub seconds: f64,
}

impl Trial {
    /// The trial that ended with `ended`. What is no hook's failure stays an error.
    pub(crate) fn new(
        key: Option<&str>,
        hooks: Vec<HookReport>,
        ended: PgResult<()>,
        begun: Instant,
    ) -> PgResult<Self> {
        let failure = match ended {
            Ok(()) => None,
            Err(PgError::Hook { point, hook, how, help }) => Some(HookFailure { point, hook, what: how, help }),
            Err(other) => return Err(other),
        };
        Ok(Self { key: key.map(ToOwned::to_owned), hooks, failure, seconds: begun.elapsed().as_secs_f64() })
    }
}

/// A name that no database has, for the lock and the mark of a scratch database: trials do not wait for each other, and
/// what a killed one leaves is found by [`crate::live::recover`].
pub(crate) fn scratch_target() -> String {
    format!("hooks test {}", Uuid::now_v7().simple())
}

/// Runs every hook, those of dumps first, on an empty scratch database. They are told that it is about `target`.
///
/// # Errors
/// What the server says, such as a missing CREATEDB privilege. A hook's failure is part of the result.
pub async fn try_on_empty(server: &Server, target: &str, hooks: &Hooks, run: &Run) -> PgResult<Trial> {
    Box::pin(on_empty(server, target, hooks, run).instrument(tracing::info_span!("hooks", target))).await
}

async fn on_empty(server: &Server, target: &str, hooks: &Hooks, run: &Run) -> PgResult<Trial> {
    hooks.check(&DUMP_POINTS)?;
    hooks.check(&RESTORE_POINTS)?;
    let begun = Instant::now();
    run.step("hooks.create", target);
    let lock = run.or_cancelled(TargetLock::acquire(server, &scratch_target())).await?;
    let temporary = Temporary::create(&lock, "none", None).await?;
    let scene = Scene { server, database: temporary.name(), target, key: None, run };
    let mut reports = Vec::new();
    let mut ended = Ok(());
    for point in DUMP_POINTS.into_iter().chain(RESTORE_POINTS) {
        ended = Box::pin(run_all(hooks, point, &scene, &mut reports)).await;
        if ended.is_err() {
            break;
        }
    }
    temporary.give_up(server, false, run).await;
    Trial::new(None, reports, ended, begun)
}
