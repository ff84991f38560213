//! A strict fake of one queue of Amazon SQS: what is received is hidden for a while, and comes again unless it is deleted.
//!
//! It speaks the JSON protocol, refuses more than ten messages and more than 20 seconds of waiting ("ReceiveMessage"), takes
//! only the receipt of the latest reception ("DeleteMessage"), and hides messages by the clock of [`crate::aws_fake`]. It does
//! not wait for messages: none can come while a test stands still.

use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use backup_core::clock::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::aws_fake::{
    ApiError, FakeOptions, FakeServer, Received, Reply, Route, Service, environment, json_error, reply,
};

/// The service that the fake answers for, as in the variable that names its endpoint.
pub const SERVICES: [&str; 1] = ["SQS"];

/// How long a received message is hidden ("Amazon SQS visibility timeout").
pub const HIDDEN_FOR: SignedDuration = SignedDuration::from_secs(30);

/// Most messages of a request.
const BATCH_MAX: u64 = 10;

/// The longest wait of a request, in seconds.
const WAIT_MAX_S: u64 = 20;

#[derive(Clone, Debug)]
struct Message {
    id: String,
    body: String,
    receipt: Option<String>,
    hidden_until: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct State {
    messages: Vec<Message>,
    made: u64,
}

#[derive(Debug, Default)]
struct Queue(Mutex<State>);

/// Where messages are sent to: a topic's subscription has one.
#[derive(Clone, Debug)]
pub struct Inbox(Arc<Queue>);

impl Inbox {
    /// Sends a message.
    pub fn send(&self, body: impl Into<String>) {
        self.0.with(|state| {
            state.made += 1;
            let id = format!("{:08}-0000-4000-8000-000000000000", state.made);
            state.messages.push(Message { id, body: body.into(), receipt: None, hidden_until: None });
        });
    }
}

/// A running fake; dropping it stops it. Clock, faults, latency and the log are those of [`FakeServer`].
#[derive(Debug)]
pub struct SqsFake {
    server: FakeServer,
    queue: Arc<Queue>,
}

impl SqsFake {
    /// Starts a fake with an empty queue.
    ///
    /// # Errors
    /// If the port is taken.
    pub fn start(options: &FakeOptions) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let server = FakeServer::start(options, |_| queue.clone())?;
        Ok(Self { server, queue })
    }

    /// The address of the queue.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/111111111111/retrievals", self.endpoint())
    }

    /// The environment in which an AWS client of this account finds the fake, and nothing of the machine's own.
    #[must_use]
    pub fn environment(&self, account: &str, region: &str) -> Vec<(String, String)> {
        environment(self.endpoint(), &SERVICES, account, region)
    }

    /// Somebody sends a message.
    pub fn send(&self, body: impl Into<String>) {
        self.inbox().send(body);
    }

    /// Where others send messages to it.
    #[must_use]
    pub fn inbox(&self) -> Inbox {
        Inbox(self.queue.clone())
    }

    /// What is in the queue, hidden or not.
    #[must_use]
    pub fn bodies(&self) -> Vec<String> {
        self.queue.with(|state| state.messages.iter().map(|message| message.body.clone()).collect())
    }
}

impl Deref for SqsFake {
    type Target = FakeServer;

    fn deref(&self) -> &FakeServer {
        &self.server
    }
}

impl Queue {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn receive(state: &mut State, asked: &Value, now: Timestamp) -> Result<Value, ApiError> {
    let number = |name: &str, default: u64| asked.get(name).map_or(Some(default), Value::as_u64).unwrap_or(u64::MAX);
    let (most, wait) = (number("MaxNumberOfMessages", 1), number("WaitTimeSeconds", 0));
    if !(1..=BATCH_MAX).contains(&most) || wait > WAIT_MAX_S {
        let message = format!("Value {most} for MaxNumberOfMessages or {wait} for WaitTimeSeconds is invalid");
        return Err(ApiError::new(400, "InvalidParameterValue", message));
    }
    let made = &mut state.made;
    let visible = state.messages.iter_mut().filter(|message| message.hidden_until.is_none_or(|until| until <= now));
    let received: Vec<Value> = visible
        .take(usize::try_from(most).unwrap_or_default())
        .map(|message| {
            *made += 1;
            let receipt = format!("receipt-{made}");
            message.receipt = Some(receipt.clone());
            message.hidden_until = Some(now + HIDDEN_FOR);
            json!({ "MessageId": message.id, "ReceiptHandle": receipt, "Body": message.body })
        })
        .collect();
    // An answer without messages has no list at all.
    Ok(if received.is_empty() { json!({}) } else { json!({ "Messages": received }) })
}

fn delete(state: &mut State, asked: &Value) -> Result<Value, ApiError> {
    let entries = asked.get("Entries").and_then(Value::as_array).cloned().unwrap_or_default();
    if entries.is_empty() || entries.len() as u64 > BATCH_MAX {
        return Err(ApiError::new(400, "TooManyEntriesInBatchRequest", "1 to 10 entries can be deleted at once"));
    }
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (id, receipt) = (text("Id"), text("ReceiptHandle"));
        let before = state.messages.len();
        state.messages.retain(|message| message.receipt.as_deref() != Some(receipt.as_str()));
        match state.messages.len() < before {
            true => done.push(json!({ "Id": id })),
            false => failed.push(json!({ "Id": id, "Code": "ReceiptHandleIsInvalid", "SenderFault": true })),
        }
    }
    Ok(json!({ "Successful": done, "Failed": failed }))
}

#[async_trait]
impl Service for Queue {
    fn route(&self, received: &Received) -> Route {
        let target = received.header("x-amz-target").unwrap_or_default();
        let op = target.strip_prefix("AmazonSQS.").unwrap_or("Other").to_owned();
        Route { mutating: op != "ReceiveMessage", op, key: received.caller.region.clone(), dry_run: false }
    }

    async fn handle(&self, received: &Received, route: &Route) -> Result<Reply, ApiError> {
        let asked: Value = serde_json::from_slice(&received.body)
            .map_err(|error| ApiError::new(400, "InvalidParameterValue", error.to_string()))?;
        let url = asked.get("QueueUrl").and_then(Value::as_str).unwrap_or_default();
        if !url.ends_with("/111111111111/retrievals") {
            return Err(ApiError::new(400, "QueueDoesNotExist", "The specified queue does not exist."));
        }
        let answer = self.with(|state| match route.op.as_str() {
            "ReceiveMessage" => receive(state, &asked, received.now),
            "DeleteMessageBatch" => delete(state, &asked),
            _ => Err(ApiError::new(400, "InvalidAction", "There is no such action")),
        })?;
        Ok(reply(200, "application/x-amz-json-1.0", answer.to_string()))
    }

    fn refusal(&self, _received: &Received, error: &ApiError) -> Reply {
        json_error(error)
    }

    fn obey(&self, _order: &str, _body: &[u8], _now: Timestamp) -> Option<Result<Value, String>> {
        None
    }

    fn reset(&self, _now: Timestamp) {
        self.with(|state| *state = State::default());
    }
}
