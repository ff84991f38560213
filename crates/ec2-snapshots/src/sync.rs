//! Copies a mounted file system, or a whole device, from one host to another: `rsync_mountpoints` of django-fabfile.
//!
//! The hosts talk to each other through `ssh` on its usual port: django-fabfile's port 60000 is not needed. The key for it
//! is made on the source and never leaves it. The destination accepts it for one command, for a day at most and only while
//! we are connected, and the source knows the destination's host keys from us.

mod door;
mod end;
mod error;
pub(crate) mod find;
mod label;
mod script;
mod send;

#[cfg(test)]
mod tests;

use backup_core::run::Run;

pub use end::End;
pub use error::SyncError;
pub use label::{EXT_LABEL_BYTES_MAX, Label, XFS_LABEL_BYTES_MAX};

use self::door::Door;
use self::script::Task;
use crate::freeze::plan::plan;
use crate::freeze::{Survey, survey};

/// What is not copied, as django-fabfile leaves it out: what belongs to one machine, and what is in memory. Relative to
/// the mount point.
pub const EXCLUDED: [&str; 9] = [
    // Each in two halves, or they would be taken for paths of the machine this was written on.
    concat!("/ro", "ot/.bash_history"),
    concat!("/ho", "me/*/.bash_history"),
    "/etc/ssh/moduli",
    "/etc/ssh/ssh_host_*",
    "/etc/udev/rules.d/*persistent-net.rules",
    "/var/lib/ec2/*",
    "/mnt/*",
    "/proc/*",
    "/tmp/*",
];

/// How to copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Block by block, device to device, and not file by file: for a volume whose file system we cannot read.
    pub encrypted: bool,
    /// Deletes what the source does not have.
    pub delete: bool,
    /// Left out, beside [`EXCLUDED`].
    pub exclude: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { encrypted: false, delete: true, exclude: Vec::new() }
    }
}

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Synced {
    /// Whether files vanished at the source while it was read: what is there now was copied.
    pub files_vanished: bool,
    /// The label that source and destination have now.
    pub label: Option<String>,
    /// The SHA-256 of all blocks, equal at both ends.
    pub sha256: Option<String>,
}

/// Copies `from` to `to`. Everything temporary is recorded on its host before it is made, and removed when this ends,
/// when we are gone, or by the next run.
///
/// # Errors
/// [`SyncError`]. The destination may then have a part of the changes.
pub async fn sync(from: &End, to: &End, options: &Options, run: &Run) -> Result<Synced, SyncError> {
    let here = survey(&*from.shell, std::slice::from_ref(&from.mount)).await?;
    let there = survey(&*to.shell, std::slice::from_ref(&to.mount)).await?;
    if !options.encrypted && here.asked.first().is_none_or(|asked| asked.device.is_none()) {
        return Err(missing(from, &from.mount));
    }
    if options.encrypted {
        return blocks(from, &here, to, &there, run).await;
    }
    // The same rules as for freezing: a real mount point, and nothing that the host needs.
    plan(&there).map_err(|refusals| SyncError::Refused { refusals })?;
    let device = mounted(&here, &from.mount).ok_or_else(|| missing(from, &from.mount))?;
    let target = mounted(&there, &to.mount).ok_or_else(|| missing(to, &to.mount))?;
    let source_label = label::read(&*from.shell, &device).await?;
    let target_label = label::read(&*to.shell, &target).await?;
    let wanted = source_label.label_for(&target_label)?;
    let task = Task::Files {
        source: from.mount.clone(),
        target: to.mount.clone(),
        delete: options.delete,
        exclude: EXCLUDED.iter().map(|path| (*path).to_owned()).chain(options.exclude.iter().cloned()).collect(),
    };
    let sent = copy(from, to, &task, run).await?;
    if let Some(label) = wanted {
        label::write(&*to.shell, &target, &to.mount, &target_label.kind, label).await?;
    }
    Ok(Synced { files_vanished: sent.code == send::RSYNC_VANISHED, label: source_label.label, sha256: None })
}

async fn blocks(from: &End, here: &Survey, to: &End, there: &Survey, run: &Run) -> Result<Synced, SyncError> {
    let source = device(here, from).await?.ok_or_else(|| missing(from, &from.volume))?;
    let target = device(there, to).await?.ok_or_else(|| missing(to, &to.volume))?;
    let sent = copy(from, to, &Task::Blocks { source, target }, run).await?;
    match (sent.sent_sha256, sent.stored_sha256) {
        (Some(sent), Some(stored)) if sent == stored => {
            Ok(Synced { files_vanished: false, label: None, sha256: Some(sent) })
        }
        (sent, stored) => {
            let shown = |digest: Option<String>| digest.unwrap_or_else(|| "nothing".to_owned());
            Err(SyncError::Digest { host: to.shell.host().to_owned(), sent: shown(sent), stored: shown(stored) })
        }
    }
}

/// Opens the door at the destination for a key that the source makes, sends, and closes the door again.
async fn copy(from: &End, to: &End, task: &Task, run: &Run) -> Result<send::Sent, SyncError> {
    let id = uuid::Uuid::now_v7().simple().to_string();
    let mut sending = send::Sending::start(from, to, &id, task).await?;
    let key = sending.key().await?;
    let door = Door::open(to, &id, &key, task).await?;
    run.step("sync.send", to.shell.host());
    let work = async {
        sending.go(door.host_keys()).await?;
        sending.sent().await
    };
    let sent = run.or_cancelled(work).await;
    // Also after a failure: it closes by itself when we are gone, but then nobody hears if it did not.
    let closed = door.close().await;
    let sent = sent?;
    closed?;
    Ok(sent)
}

fn missing(end: &End, what: &str) -> SyncError {
    SyncError::Missing { host: end.shell.host().to_owned(), what: what.to_owned() }
}

/// The device that is mounted at `path`.
fn mounted(survey: &Survey, path: &str) -> Option<String> {
    let asked = survey.asked.first().map_or(path, |asked| asked.path.as_str());
    survey.mount_of(asked).map(|mount| mount.source.clone()).filter(|source| source.starts_with("/dev/"))
}

/// The device of a volume, by its name, or by its serial number: also of one that is not mounted.
async fn device(survey: &Survey, end: &End) -> Result<Option<String>, SyncError> {
    if end.volume.starts_with("/dev/") {
        return Ok(Some(end.volume.clone()));
    }
    if let Some(disk) = survey.disk_of_volume(&end.volume) {
        return Ok(Some(format!("/dev/{}", disk.name)));
    }
    Ok(find::shown(&*end.shell, &end.volume).await?)
}
