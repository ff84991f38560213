//! A lock on a file that a program of another kind takes too, such as a service in Python with DictDB: `fcntl.flock`.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use dictstore_backup::DictError;
use tokio::time::Instant;

use crate::args::dict::Lock;
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// How long another program may hold it: a service writes a backup in seconds.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// How often it is tried.
const TRY_EVERY: Duration = Duration::from_millis(50);

/// Whether others may hold it at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Others may, who only read.
    Shared,
    /// Nobody else may.
    Exclusive,
}

/// Takes the lock, if one is named. It is given back when what is returned is dropped, and by the system if the process dies.
///
/// # Errors
/// [`DictError::Locked`] if somebody else has it for too long; if the file cannot be opened.
pub(super) async fn take(lock: &Lock, kind: Kind, context: &Context) -> CliResult<Option<File>> {
    let Some(path) = &lock.lock else { return Ok(None) };
    let failed = |source| CliError::Output { action: format!("lock `{}`", path.display()), source };
    let file = open(path).map_err(failed)?;
    let begun = Instant::now();
    loop {
        let tried = match kind {
            Kind::Shared => file.try_lock_shared(),
            Kind::Exclusive => file.try_lock(),
        };
        match tried {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) if begun.elapsed() >= WAIT_MAX => {
                let (file, seconds) = (path.display().to_string(), WAIT_MAX.as_secs());
                return Err(DictError::Locked { file, seconds }.into());
            }
            Err(TryLockError::WouldBlock) => {}
        }
        let pause = async {
            tokio::time::sleep(TRY_EVERY).await;
            Ok(())
        };
        context.or_cancelled(pause).await?;
    }
}

/// Only its lock matters. One that may only be read can be locked too.
fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path).or_else(|_| File::open(path))
}
