//! A freeze from its beginning to its end.

use backup_core::failure::Remedy;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::error::FreezeError;
use super::hooks::Hooks;
use super::plan::{FrozenMount, plan};
use super::said::{Said, failure};
use super::script::{self, Freeze};
use super::survey::Survey;
use crate::host::{Conversation, HostError, Shell};

/// How long file systems stay frozen at most: several times what `CreateSnapshots` takes to answer.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The longest deadline. From 120 s on the kernel reports tasks as hung, and services give up.
pub const DEADLINE_MAX: Duration = Duration::from_secs(120);

/// How long looking at a host may take, and how long programs may take beside what they wait for.
const GRACE: Duration = Duration::from_secs(60);

/// What to freeze.
#[derive(Clone, Debug)]
pub struct Request {
    /// The file systems, as [`plan`] ordered them.
    pub mounts: Vec<FrozenMount>,
    /// From the first freeze to the forced thaw: whole seconds, up to [`DEADLINE_MAX`].
    pub deadline: Duration,
    /// What runs around it.
    pub hooks: Hooks,
    /// Who freezes, for people who find the record.
    pub by: String,
}

/// Looks at the host. `asked` are mount points.
///
/// # Errors
/// [`FreezeError::Host`].
pub async fn survey(shell: &dyn Shell, asked: &[String]) -> Result<Survey, FreezeError> {
    let answer = shell.run(&script::survey(asked, &shell.kept()), GRACE).await?;
    let survey = Survey::parse(&answer);
    if survey.is_whole {
        return Ok(survey);
    }
    let last = answer.lines().last().unwrap_or_default();
    Err(HostError::Unreachable { host: shell.host().to_owned(), said: format!("its answer ends with `{last}`") }.into())
}

impl Request {
    /// Looks at the host and decides what freezing `asked` means; nothing is frozen yet.
    ///
    /// # Errors
    /// [`FreezeError::Refused`] with every reason against it; [`FreezeError::Usage`]; [`FreezeError::Host`].
    pub async fn of(
        shell: &dyn Shell,
        asked: &[String],
        deadline: Duration,
        hooks: Hooks,
        by: String,
    ) -> Result<Self, FreezeError> {
        if deadline.as_secs() == 0 || deadline > DEADLINE_MAX {
            let (max, given) = (DEADLINE_MAX.as_secs(), deadline.as_secs_f64());
            return Err(FreezeError::Usage {
                what: format!("a freeze may last 1 to {max} s, and not {given} s"),
                help: Remedy::default(),
            });
        }
        hooks.check()?;
        let survey = survey(shell, asked).await?;
        if !survey.is_root {
            return Err(HostError::NotRoot { host: shell.host().to_owned() }.into());
        }
        let mounts = plan(&survey).map_err(|refusals| FreezeError::Refused { refusals })?;
        Ok(Self { mounts, deadline, hooks, by })
    }
}

/// File systems that are frozen. Dropping it frees them too, though nobody hears how that went.
#[derive(Debug)]
pub struct Held {
    shell: Arc<dyn Shell>,
    id: String,
    talk: Option<Box<dyn Conversation>>,
    since: Instant,
    deadline: Duration,
}

/// What became of a freeze.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thawed {
    /// Whether everything was frozen until it was thawed: no watchdog was quicker.
    pub held: bool,
    /// From everything being frozen to everything being thawed, as far as we saw it.
    pub window: Duration,
    /// Whether the hook after the freeze failed.
    pub hook_failed: bool,
}

impl Held {
    /// Freezes what `request` says.
    ///
    /// # Errors
    /// [`FreezeError`]: nothing of ours is frozen then, or the watchdog frees it within the deadline.
    pub async fn freeze(shell: Arc<dyn Shell>, request: &Request) -> Result<Self, FreezeError> {
        let id = uuid::Uuid::now_v7().simple().to_string();
        let limit = request.hooks.limit + request.deadline + GRACE;
        let mut freeze = Freeze {
            id: &id,
            by: &request.by,
            mounts: &request.mounts,
            deadline: request.deadline,
            hooks: &request.hooks,
            leave: false,
        };
        let talk = shell.talk(&script::hold(&freeze)).await?;
        let Some(mut talk) = talk else {
            freeze.leave = true;
            let answer = shell.run(&script::hold(&freeze), limit).await?;
            frozen(shell.host(), &answer)?;
            return Ok(Self { shell, id, talk: None, since: Instant::now(), deadline: request.deadline });
        };
        begin(shell.host(), &mut *talk, limit).await?;
        Ok(Self { shell, id, talk: Some(talk), since: Instant::now(), deadline: request.deadline })
    }

    /// How long until the watchdog thaws.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.deadline.saturating_sub(self.since.elapsed())
    }

    /// Thaws everything.
    ///
    /// # Errors
    /// [`FreezeError::Stuck`] if something may still be frozen; [`FreezeError::Lost`] if nobody could be told, and the
    /// watchdog has to do it.
    pub async fn thaw(mut self) -> Result<Thawed, FreezeError> {
        match self.talk.take() {
            Some(talk) => self.end(talk).await,
            None => self.release().await,
        }
    }

    async fn end(self, mut talk: Box<dyn Conversation>) -> Result<Thawed, FreezeError> {
        talk.tell("").await;
        let mut ended = Thawed { held: true, window: Duration::ZERO, hook_failed: false };
        let mut stuck = None;
        let host = self.shell.host().to_owned();
        loop {
            let Ok(Some(line)) = timeout(super::HOOK_LIMIT_MAX + GRACE, talk.line()).await else {
                return Err(FreezeError::Lost { host, seconds: self.left().as_secs() + 1 });
            };
            match Said::parse(&line) {
                Some(Said::Thawed) => ended.window = self.since.elapsed(),
                Some(Said::Late) => ended.held = false,
                Some(Said::Stuck(text)) => stuck = Some(text),
                Some(Said::HookAfter) => ended.hook_failed = true,
                Some(Said::Done) => break,
                Some(Said::Frozen | Said::Failed { .. }) | None => {}
            }
        }
        match stuck {
            Some(text) => Err(still_frozen(host, &text)),
            None => Ok(ended),
        }
    }

    async fn release(self) -> Result<Thawed, FreezeError> {
        let lost = |_| FreezeError::Lost { host: self.shell.host().to_owned(), seconds: self.left().as_secs() + 1 };
        let found = super::thaw::thawed_by(&*self.shell, Some(&self.id)).await.map_err(lost)?;
        let window = self.since.elapsed();
        if let Some(stuck) = found.iter().find(|found| found.verdict == super::Verdict::Stuck) {
            return Err(still_frozen(self.shell.host().to_owned(), &stuck.what));
        }
        let held = !found.is_empty() && found.iter().all(|found| found.verdict != super::Verdict::Clean);
        Ok(Thawed { held, window, hook_failed: false })
    }
}

fn still_frozen(host: String, text: &str) -> FreezeError {
    let (what, said) = text.rsplit_once(": ").unwrap_or((text, "no reason was given"));
    FreezeError::Stuck { host, what: format!("`{what}`"), said: said.to_owned() }
}

/// Waits for the word that everything is frozen.
async fn begin(host: &str, talk: &mut dyn Conversation, limit: Duration) -> Result<(), FreezeError> {
    loop {
        let Ok(line) = timeout(limit, talk.line()).await else {
            return Err(FreezeError::Lost { host: host.to_owned(), seconds: 0 });
        };
        let Some(line) = line else {
            return Err(HostError::Unreachable { host: host.to_owned(), said: talk.complaint().await }.into());
        };
        match Said::parse(&line) {
            Some(Said::Frozen) => return Ok(()),
            Some(Said::Failed { why, what }) => {
                // To its end: what was frozen before the failure is thawed by then.
                while let Ok(Some(line)) = timeout(GRACE, talk.line()).await {
                    if Said::parse(&line) == Some(Said::Done) {
                        break;
                    }
                }
                let complaint = talk.complaint().await;
                return Err(failure(host, &why, &what, || complaint));
            }
            _ => {}
        }
    }
}

/// The same of a program that has ended.
fn frozen(host: &str, answer: &str) -> Result<(), FreezeError> {
    for said in answer.lines().filter_map(Said::parse) {
        match said {
            Said::Frozen => return Ok(()),
            Said::Failed { why, what } => {
                return Err(failure(host, &why, &what, || "see the output of the command".to_owned()));
            }
            _ => {}
        }
    }
    let last = answer.lines().last().unwrap_or("nothing").to_owned();
    Err(HostError::Unreachable { host: host.to_owned(), said: format!("it answered `{last}`") }.into())
}
