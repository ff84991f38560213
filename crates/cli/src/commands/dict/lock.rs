//! A lock on a file that a program of another kind takes too, such as a service in Python with DictDB: `fcntl.flock`.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use backup_core::local_file;
use backup_core::lock_holder::holder;
use dictstore_backup::DictError;
use tokio::time::Instant;

use crate::args::dict::Lock;
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// How long another program may hold it: a service writes a backup in seconds.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// How long a wait may go unseen.
const SEEN_AFTER: Duration = Duration::from_secs(2);

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
    let (begun, mut is_seen) = (Instant::now(), false);
    loop {
        let tried = match kind {
            Kind::Shared => file.try_lock_shared(),
            Kind::Exclusive => file.try_lock(),
        };
        match tried {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) if begun.elapsed() >= WAIT_MAX => {
                let (holder, seconds) = (holder(&file), WAIT_MAX.as_secs());
                return Err(DictError::Locked { file: path.display().to_string(), holder, seconds }.into());
            }
            Err(TryLockError::WouldBlock) => {}
        }
        if begun.elapsed() >= SEEN_AFTER && !std::mem::replace(&mut is_seen, true) {
            context.printer.warn(&format!(
                "waiting for the lock of `{}`, which {} holds; for at most {} s",
                path.display(),
                holder(&file),
                WAIT_MAX.as_secs()
            ));
        }
        let pause = async {
            tokio::time::sleep(TRY_EVERY).await;
            Ok(())
        };
        context.or_cancelled(pause).await?;
    }
}

/// Only its lock matters. One that may only be read can be locked too, and one that a link leads to, as for other programs.
fn open(path: &Path) -> std::io::Result<File> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let opened = local_file::open(OpenOptions::new().create(true).append(true), &path);
    opened.or_else(|_| local_file::open(OpenOptions::new().read(true), &path))
}
