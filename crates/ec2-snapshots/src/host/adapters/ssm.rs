//! Programs on an instance through Systems Manager, which only answers once a program has ended.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::CommandInvocationStatus as Status;
use backup_core::aws::{RequestError, Settings};
use tokio::time::{Instant, sleep};

use crate::host::error::HostError;
use crate::host::script::Script;
use crate::host::shell::{Conversation, Shell};

/// AWS's document that runs commands with `sh`, as root.
const DOCUMENT: &str = "AWS-RunShellScript";

/// How long the agent may take to fetch a command (Systems Manager API reference, `SendCommand`: 30 s at least).
const DELIVERY_SECONDS: i32 = 30;

/// How often the result is asked for. The invocation exists a moment after the command was sent.
const POLL: Duration = Duration::from_millis(500);

/// The agent's answer ends after so many characters (same reference, `GetCommandInvocation`).
const ANSWER_CHARACTERS_MAX: usize = 24_000;

/// An instance whose agent is registered.
#[derive(Clone)]
pub struct Ssm {
    client: Client,
    instance: String,
}

impl Ssm {
    /// The instance `instance` in the region of `settings`.
    #[must_use]
    pub fn new(settings: &Settings, instance: impl Into<String>) -> Self {
        Self { client: Client::new(settings.sdk()), instance: instance.into() }
    }

    fn unreachable(&self, said: impl fmt::Display) -> HostError {
        HostError::Unreachable { host: self.instance.clone(), said: said.to_string() }
    }

    /// Sends the program. Not tried again when the answer is lost: it may be running.
    async fn send(&self, script: &Script, limit: Duration) -> Result<String, HostError> {
        if script.text().contains("{{") {
            return Err(self.unreachable("Systems Manager takes `{{` in a command for a parameter of its own"));
        }
        let lines = script.text().lines().map(str::to_owned).collect();
        let sent = self.client.send_command().document_name(DOCUMENT).instance_ids(&self.instance);
        let sent = sent.comment("lastgood").timeout_seconds(DELIVERY_SECONDS).parameters("commands", lines);
        let sent = sent.parameters("executionTimeout", vec![limit.as_secs().max(1).to_string()]).send().await;
        let sent = sent.map_err(|error| self.unreachable(RequestError::of(&error)))?;
        let id = sent.command().and_then(|command| command.command_id()).map(str::to_owned);
        id.ok_or_else(|| self.unreachable("Systems Manager gave the command no id"))
    }

    /// The answer once the program has ended; none while it runs.
    async fn ended(&self, command: &str) -> Result<Option<String>, HostError> {
        let asked = self.client.get_command_invocation().command_id(command).instance_id(&self.instance).send().await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_invocation_does_not_exist()) => {
                return Ok(None);
            }
            Err(error) => {
                let error = RequestError::of(&error);
                return if error.is_permanent() { Err(self.unreachable(error)) } else { Ok(None) };
            }
        };
        match answer.status() {
            None | Some(Status::Pending | Status::InProgress | Status::Delayed | Status::Cancelling) => Ok(None),
            // A program of ours tells how it ended; its exit code adds nothing.
            Some(Status::Success | Status::Failed) => Ok(answer.standard_output_content().map(str::to_owned)),
            Some(status) => Err(self.unreachable(format!("the command ended as `{}`", status.as_str()))),
        }
    }
}

impl fmt::Debug for Ssm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ssm").field("instance", &self.instance).finish_non_exhaustive()
    }
}

#[async_trait]
impl Shell for Ssm {
    fn host(&self) -> &str {
        &self.instance
    }

    async fn run(&self, script: &Script, limit: Duration) -> Result<String, HostError> {
        let command = self.send(script, limit).await?;
        let delivery = Duration::from_secs(u64::from(DELIVERY_SECONDS.unsigned_abs()));
        let until = Instant::now() + limit + delivery;
        while Instant::now() < until {
            sleep(POLL).await;
            match self.ended(&command).await? {
                Some(answer) if answer.chars().count() >= ANSWER_CHARACTERS_MAX => {
                    return Err(self.unreachable(
                        "its answer is longer than Systems Manager passes on; reach the host through ssh",
                    ));
                }
                Some(answer) => return Ok(answer),
                None => {}
            }
        }
        Err(self.unreachable(format!("it gave no answer within {} s", (limit + delivery).as_secs())))
    }

    async fn talk(&self, _: &Script) -> Result<Option<Box<dyn Conversation>>, HostError> {
        Ok(None)
    }
}
