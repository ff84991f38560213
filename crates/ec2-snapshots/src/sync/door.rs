//! The destination, ready to be written to by one key.

use std::time::Duration;

use tokio::time::timeout;

use super::end::End;
use super::error::SyncError;
use super::script::{self, Task};
use crate::host::{Conversation, HostError};

/// How long a host may take to get ready.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// An open door. Dropping it closes it too.
#[derive(Debug)]
pub(super) struct Door {
    host: String,
    talk: Box<dyn Conversation>,
    host_keys: Vec<String>,
}

impl Door {
    /// Lets `key` in for `task`.
    pub(super) async fn open(to: &End, id: &str, key: &str, task: &Task) -> Result<Self, SyncError> {
        let host = to.shell.host().to_owned();
        let talk = to.shell.talk(&script::door(id, key, task)).await?;
        let Some(mut talk) = talk else { return Err(no_talk(host)) };
        let mut host_keys = Vec::new();
        while let Some(line) = next(&mut *talk, LIMIT).await {
            let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match word {
                "hostkey" => host_keys.push(rest.to_owned()),
                "open" => return Ok(Self { host, talk, host_keys }),
                "failed" => return Err(failed(host, rest, &mut *talk).await),
                _ => {}
            }
        }
        Err(SyncError::Door { host, said: talk.complaint().await })
    }

    /// The destination's keys, as known-hosts files have them after the name.
    pub(super) fn host_keys(&self) -> &[String] {
        &self.host_keys
    }

    /// Takes the key back.
    pub(super) async fn close(mut self) -> Result<(), SyncError> {
        self.talk.tell("").await;
        while let Some(line) = next(&mut *self.talk, LIMIT).await {
            if line.starts_with("done") {
                return Ok(());
            }
        }
        let said =
            format!("whether the temporary key was removed from `{}` is not known", "~root/.ssh/authorized_keys");
        Err(HostError::Unreachable { host: self.host, said }.into())
    }
}

/// The next line of our program; none after its end or `limit`.
pub(super) async fn next(talk: &mut dyn Conversation, limit: Duration) -> Option<String> {
    loop {
        let line = timeout(limit, talk.line()).await.ok().flatten()?;
        if let Some(line) = line.strip_prefix("lastgood ") {
            return Some(line.to_owned());
        }
    }
}

pub(super) fn no_talk(host: String) -> SyncError {
    HostError::Unreachable { host, said: "copies between hosts need `ssh`, and not Systems Manager".to_owned() }.into()
}

pub(super) async fn failed(host: String, rest: &str, talk: &mut dyn Conversation) -> SyncError {
    let (why, what) = rest.split_once(' ').unwrap_or((rest, ""));
    match why {
        "root" => HostError::NotRoot { host }.into(),
        "tool" => HostError::Tool { host, tool: what.to_owned() }.into(),
        "door" => SyncError::Door { host, said: what.to_owned() },
        _ => SyncError::Door { host, said: talk.complaint().await },
    }
}
