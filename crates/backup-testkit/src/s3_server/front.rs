//! The HTTP layer in front of the S3 operations: latency, faults, the log, the control plane.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use http::header::{CONTENT_LENGTH, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::service::{S3Service, S3ServiceBuilder};

use super::api::{Accepted, Api, FolderByFolder, HideNewerThan, IgnoreConditions, Paging, UploadsBegan};
use super::backend::Backend;
use super::log::{Entry, Log};
use super::route::{Route, route};
use super::{ACCESS_KEY_ID, SECRET_ACCESS_KEY, control};
use crate::faults::{Action, Script};
use crate::wire::{BodyHarm, Harmed, WireBody, broken, full};

/// The peer without its listener.
pub(super) struct Front {
    pub(super) backend: Arc<Backend>,
    pub(super) script: Script,
    pub(super) log: Log,
    latency_us: AtomicU64,
    service: S3Service,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").field("script", &self.script).finish_non_exhaustive()
    }
}

impl Front {
    pub(super) fn new(backend: Backend, latency: Duration) -> Self {
        let backend = Arc::new(backend);
        let mut builder = S3ServiceBuilder::new(Api(backend.clone()));
        builder.set_auth(s3s::auth::SimpleAuth::from_single(ACCESS_KEY_ID, SECRET_ACCESS_KEY));
        let front = Self {
            backend,
            script: Script::default(),
            log: Log::new(),
            latency_us: AtomicU64::new(0),
            service: builder.build(),
        };
        front.set_latency(latency);
        front
    }

    pub(super) fn set_latency(&self, latency: Duration) {
        self.latency_us.store(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Answers a request; an error closes the connection without an answer.
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<WireBody>, io::Error> {
        if request.uri().path().starts_with(control::PATH) {
            return Ok(control::answer(self, request).await);
        }
        let Route { op, key } = route(request.method(), request.uri());
        let mut entry = self.log.begin(op, &key, content_length(request.headers()));
        let latency = self.latency_us.load(Ordering::Relaxed);
        if latency > 0 {
            tokio::time::sleep(Duration::from_micros(latency)).await;
        }
        let action = self.script.action(op, request.method().as_str(), &key);
        entry.call.fault = action.as_ref().map(|action| format!("{action:?}"));
        let response = self.handle(request, &key, action).await?;
        record(&mut entry, &response);
        Ok(response)
    }

    async fn handle(
        &self,
        mut request: Request<Incoming>,
        key: &str,
        action: Option<Action>,
    ) -> Result<Response<WireBody>, io::Error> {
        match &action {
            Some(Action::Status { status, code }) => return Ok(refused(request, *status, code).await),
            Some(Action::RefuseConditions { status, code }) if is_conditional(request.headers()) => {
                return Ok(refused(request, *status, code).await);
            }
            Some(Action::DropBefore) => return Err(broken()),
            Some(Action::DropMidBody { bytes }) => {
                return Err(read_some(request.into_body(), *bytes).await);
            }
            Some(Action::Delay { ms }) => tokio::time::sleep(Duration::from_millis(*ms)).await,
            Some(Action::IgnoreConditions) => drop(request.extensions_mut().insert(IgnoreConditions)),
            Some(Action::HideNewerThan { ms }) => {
                request.extensions_mut().insert(HideNewerThan(Duration::from_millis(*ms)));
            }
            Some(Action::Listing { entries, fault }) => {
                request.extensions_mut().insert(Paging { entries: *entries, fault: *fault });
            }
            Some(Action::FolderByFolder) => drop(request.extensions_mut().insert(FolderByFolder)),
            Some(Action::UploadsBegan { second }) => {
                request.extensions_mut().insert(UploadsBegan(SystemTime::UNIX_EPOCH + Duration::from_secs(*second)));
            }
            Some(Action::RivalPut { body }) => self.backend.store(key, body.clone().into()),
            _ => {}
        }
        let mut response = self
            .service
            .call(request.map(s3s::Body::from))
            .await
            .map_err(|error| io::Error::other(format!("{error:?}")))?;
        if response.extensions().get::<Accepted>().is_some() {
            *response.status_mut() = StatusCode::ACCEPTED;
        }
        let bytes = content_length(response.headers());
        let harm = match action {
            Some(Action::LoseResponse) => return Err(broken()),
            Some(Action::TruncateBody { bytes }) => Some(BodyHarm::BreakAfter(bytes)),
            Some(Action::FlipLastByte) if bytes > 0 => Some(BodyHarm::FlipAt(bytes - 1)),
            _ => None,
        };
        Ok(response.map(|body| body.map_err(io::Error::other)).map(|body| match harm {
            None => body.boxed_unsync(),
            Some(harm) => Harmed::new(body, harm).boxed_unsync(),
        }))
    }
}

fn record(entry: &mut Entry<'_>, response: &Response<WireBody>) {
    entry.call.status = response.status().as_u16();
    entry.call.bytes_out = content_length(response.headers());
}

fn content_length(headers: &HeaderMap) -> u64 {
    headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or_default()
}

/// Reads about `bytes` bytes and breaks off.
async fn read_some(mut body: Incoming, bytes: u64) -> io::Error {
    let mut seen = 0;
    while seen < bytes
        && let Some(Ok(frame)) = body.frame().await
    {
        seen += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
    broken()
}

fn is_conditional(headers: &HeaderMap) -> bool {
    headers.contains_key(IF_MATCH) || headers.contains_key(IF_NONE_MATCH)
}

async fn refused(request: Request<Incoming>, status: u16, code: &str) -> Response<WireBody> {
    // An answer before the body was read would reset the connection and be lost.
    drop(request.into_body().collect().await);
    refusal(status, code)
}

/// An error as S3 writes it.
fn refusal(status: u16, code: &str) -> Response<WireBody> {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>as scripted</Message></Error>"
    );
    let mut response = Response::new(full(xml));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// Takes connections until it is dropped.
pub(super) async fn serve(listener: TcpListener, front: Arc<Front>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, for instance: what is open may close soon.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        // Small answers must not wait for the client's delayed acknowledgement.
        let _slower = stream.set_nodelay(true);
        let front = front.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let front = front.clone();
                async move { front.answer(request).await }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
            // The client has gone, or a fault has closed the connection.
            drop(connection);
        });
    }
}
