//! The three services behind one address, told apart by the signature's scope.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use backup_core::clock::{Clock as _, Timestamp};

use super::seed::Seed;
use super::state::State;
use super::{actions, control, ebs, ssm, xml};
use crate::aws_fake::{ApiError, Received, Reply, Route, Service, VirtualClock, json_error};

/// The world, and what it began with.
#[derive(Debug)]
pub(super) struct Services {
    seed: Seed,
    state: Arc<Mutex<State>>,
}

impl Services {
    pub(super) fn new(seed: Seed, clock: &VirtualClock) -> Self {
        let state = Arc::new(Mutex::new(seed.world(clock.now())));
        Self { seed, state }
    }

    pub(super) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        with(&self.state, change)
    }
}

fn with<T>(state: &Mutex<State>, change: impl FnOnce(&mut State) -> T) -> T {
    change(&mut state.lock().unwrap_or_else(PoisonError::into_inner))
}

#[async_trait]
impl Service for Services {
    fn route(&self, received: &Received) -> Route {
        match received.caller.service.as_str() {
            "ebs" => ebs::route(received),
            "ssm" => ssm::route(received),
            _ => actions::route(received),
        }
    }

    /// "To tag a resource on creation, users must have permissions to use the action that creates the resource … and …
    /// ec2:CreateTags" (EC2 User Guide, "Grant permission to tag Amazon EC2 resources during creation").
    fn also_needs(&self, received: &Received, route: &Route) -> Vec<&'static str> {
        let tags = match received.caller.service.as_str() {
            "ebs" => route.op == "StartSnapshot" && ebs::has_tags(received),
            "ec2" => actions::has_tags(received),
            _ => false,
        };
        let parameter = received.caller.service == "ec2" && actions::names_a_parameter(received);
        [tags.then_some("ec2:CreateTags"), parameter.then_some("ssm:GetParameters")].into_iter().flatten().collect()
    }

    async fn handle(&self, received: &Received, route: &Route) -> Result<Reply, ApiError> {
        match received.caller.service.as_str() {
            "ebs" => self.with(|state| ebs::handle(state, received, route)).map(ebs::finish),
            "ssm" => {
                let (reply, job) = self.with(|state| ssm::handle(state, received, route))?;
                if let Some(job) = job {
                    let state = self.state.clone();
                    tokio::spawn(async move {
                        let ended = ssm::run(job).await;
                        with(&state, |state| ssm::note(state, ended));
                    });
                }
                Ok(reply)
            }
            "ec2" => self.with(|state| actions::handle(state, received)),
            other => Err(ApiError::new(
                403,
                "SignatureDoesNotMatch",
                format!("Credential should be scoped to a service of this fake, not to '{other}'."),
            )),
        }
    }

    fn refusal(&self, received: &Received, error: &ApiError) -> Reply {
        match received.caller.service.as_str() {
            "ebs" => ebs::refusal(error),
            "ssm" => json_error(error),
            _ => xml::error(error),
        }
    }

    fn obey(&self, order: &str, body: &[u8], now: Timestamp) -> Option<Result<serde_json::Value, String>> {
        self.with(|state| control::obey(state, order, body, now))
    }

    fn reset(&self, now: Timestamp) {
        self.with(|state| *state = self.seed.world(now));
    }
}
