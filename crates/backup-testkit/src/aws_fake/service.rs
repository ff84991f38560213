//! What a fake of a service is: it names a request's action, answers it, and words its errors.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use backup_core::clock::Timestamp;
use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};

use super::caller::Caller;
use crate::faults::Action;

/// An answer, whole.
pub type Reply = Response<Bytes>;

/// A request, whole.
#[derive(Clone, Debug)]
pub struct Received {
    /// The HTTP method.
    pub method: Method,
    /// The path, still percent-encoded.
    pub path: String,
    /// The query's fields in order, decoded.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Who calls, and which region.
    pub caller: Caller,
    /// When, by the fake's clock.
    pub now: Timestamp,
    /// What is scripted for it beyond what the wire can do: [`Action::HideNewerThan`] or [`Action::Listing`].
    pub fault: Option<Action>,
}

impl Received {
    /// The first field of the query with this name.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// How new something must be to be hidden from this listing, as scripted.
    #[must_use]
    pub fn hides_newer_than(&self) -> Option<Duration> {
        match self.fault {
            Some(Action::HideNewerThan { ms }) => Some(Duration::from_millis(ms)),
            _ => None,
        }
    }
}

/// Which action a request is, and what it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The action's name in the service's API, such as `CreateSnapshots`; faults are scripted by it.
    pub op: String,
    /// Ids in the order of the request, with spaces between them; faults can be scripted by a part of it, which may
    /// also be the region, which stands first.
    pub key: String,
    /// Whether it changes something when it succeeds.
    pub mutating: bool,
    /// Whether it is a dry run of the API.
    pub dry_run: bool,
}

/// An error as a service answers with it, before it is in the words of its protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// The code, such as `InvalidSnapshot.NotFound`.
    pub code: String,
    /// What is said.
    pub message: String,
    /// What else the body says, such as `("Reason", "INVALID_BLOCK_TOKEN")`.
    pub fields: Vec<(&'static str, String)>,
}

impl ApiError {
    /// An error of the status `status`.
    #[must_use]
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), fields: Vec::new() }
    }

    /// With one more field in its body.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.fields.push((name, value.to_owned()));
        self
    }

    /// The error of a caller who has no right to `action`, which says so as IAM does: `UnauthorizedOperation` of EC2,
    /// `AccessDeniedException` of others.
    pub(super) fn denied(received: &Received, action: &str) -> Self {
        let code = if received.caller.service == "ec2" { "UnauthorizedOperation" } else { "AccessDeniedException" };
        Self::new(403, code, Self::denial(received, action))
    }

    fn denial(received: &Received, action: &str) -> String {
        format!(
            "You are not authorized to perform this operation. User: arn:aws:iam::{}:user/testkit is not authorized to \
             perform: {action} because no identity-based policy allows the {action} action. Encoded authorization \
             failure message: c2NyaXB0ZWQ",
            received.caller.account,
        )
    }

    /// The error that a fault scripted by status and code is; one that refuses an action says which, as IAM does.
    pub(super) fn scripted(status: u16, code: &str, received: &Received, route: &Route) -> Self {
        let message = match code {
            "UnauthorizedOperation" | "AccessDeniedException" | "AccessDenied" => {
                Self::denial(received, &format!("{}:{}", received.caller.service, route.op))
            }
            "RequestLimitExceeded" => "Request limit exceeded.".to_owned(),
            _ => "as scripted".to_owned(),
        };
        Self::new(status, code, message)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.code, self.message)
    }
}

/// A fake of one or several services.
#[async_trait]
pub trait Service: Send + Sync + 'static {
    /// Which action the request is; one that is none of the fake's has an `op` that says so.
    fn route(&self, received: &Received) -> Route;

    /// The rights that it takes beside the one to call the action, such as `ec2:CreateTags`.
    fn also_needs(&self, _received: &Received, _route: &Route) -> Vec<&'static str> {
        Vec::new()
    }

    /// Does it.
    ///
    /// # Errors
    /// What the service would refuse.
    async fn handle(&self, received: &Received, route: &Route) -> Result<Reply, ApiError>;

    /// An error in the words of the protocol that the request is in.
    fn refusal(&self, received: &Received, error: &ApiError) -> Reply;

    /// An order of the fake's own control plane, such as `POST /_ctl/ec2/world`; `None` if it knows no such order.
    ///
    /// # Errors
    /// What is wrong with the order.
    fn obey(&self, order: &str, body: &[u8], now: Timestamp) -> Option<Result<serde_json::Value, String>>;

    /// Forgets everything, as if just started.
    fn reset(&self, now: Timestamp);
}

/// An answer with this body.
#[must_use]
pub fn reply(status: u16, content_type: &str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(body.into());
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(content_type) = content_type.parse() {
        reply.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
    }
    reply
}

/// An error as services that speak JSON word it: the code in `x-amzn-ErrorType`, and fields.
#[must_use]
pub fn json_error(error: &ApiError) -> Reply {
    let mut body = serde_json::Map::new();
    body.insert("__type".to_owned(), error.code.clone().into());
    body.insert("message".to_owned(), error.message.clone().into());
    for (name, value) in &error.fields {
        body.insert((*name).to_owned(), value.clone().into());
    }
    let mut reply = reply(error.status, "application/json", serde_json::Value::Object(body).to_string());
    if let Ok(code) = error.code.parse() {
        reply.headers_mut().insert("x-amzn-errortype", code);
    }
    reply
}
