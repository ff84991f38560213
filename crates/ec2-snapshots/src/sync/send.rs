//! The source, which sends.

use std::time::Duration;

use super::door::{LIMIT, failed, next, no_talk};
use super::end::End;
use super::error::SyncError;
use super::script::{self, Task};
use crate::host::Conversation;

/// `rsync`'s code for files that vanished while they were read (`rsync(1)`): the only one beside 0 that is no failure.
pub(super) const RSYNC_VANISHED: i32 = 24;

/// The longest copy: a volume of 16 TiB at 30 MiB/s.
const SEND_LIMIT: Duration = Duration::from_secs(7 * 24 * 3600);

/// How it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) code: i32,
    pub(super) sent_sha256: Option<String>,
    pub(super) stored_sha256: Option<String>,
}

/// A copy under way. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Sending {
    host: String,
    talk: Box<dyn Conversation>,
    files: bool,
}

impl Sending {
    pub(super) async fn start(from: &End, to: &End, id: &str, task: &Task) -> Result<Self, SyncError> {
        let host = from.shell.host().to_owned();
        let talk = from.shell.talk(&script::send(id, &to.address, to.port, task)).await?;
        let Some(talk) = talk else { return Err(no_talk(host)) };
        Ok(Self { host, talk, files: matches!(task, Task::Files { .. }) })
    }

    /// The public key that the source made for this copy.
    pub(super) async fn key(&mut self) -> Result<String, SyncError> {
        while let Some(line) = next(&mut *self.talk, LIMIT).await {
            let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match word {
                "key" => return Ok(rest.to_owned()),
                "failed" => return Err(failed(self.host.clone(), rest, &mut *self.talk).await),
                _ => {}
            }
        }
        Err(self.broken(-1).await)
    }

    /// Begins, knowing the destination by its keys.
    pub(super) async fn go(&mut self, host_keys: &[String]) -> Result<(), SyncError> {
        for key in host_keys {
            self.talk.tell(key).await;
        }
        self.talk.tell("").await;
        Ok(())
    }

    /// Waits for the end.
    pub(super) async fn sent(&mut self) -> Result<Sent, SyncError> {
        let mut sent = Sent::default();
        while let Some(line) = next(&mut *self.talk, SEND_LIMIT).await {
            let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match word {
                "digests" => {
                    let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
                    let (one, other) = rest.split_once(' ').unwrap_or((rest, ""));
                    (sent.sent_sha256, sent.stored_sha256) = (filled(one), filled(other));
                }
                "sent" => {
                    sent.code = rest.parse().unwrap_or(-1);
                    let is_good = sent.code == 0 || (self.files && sent.code == RSYNC_VANISHED);
                    return if is_good { Ok(sent) } else { Err(self.broken(sent.code).await) };
                }
                _ => {}
            }
        }
        Err(self.broken(-1).await)
    }

    async fn broken(&mut self, code: i32) -> SyncError {
        SyncError::Send { host: self.host.clone(), code, said: self.talk.complaint().await }
    }
}
