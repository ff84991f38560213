//! The HTTP layer in front of a fake: latency, faults, the log, the control plane.

use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use super::caller::Caller;
use super::control;
use super::room::Room;
use super::service::{ApiError, Received, Reply, Route};
use crate::faults::Action;
use crate::wire::{BodyHarm, Harmed, WireBody, broken, full};

/// Answers a request; an error closes the connection without an answer.
async fn answer(room: &Room, request: Request<Incoming>) -> io::Result<Response<WireBody>> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    if path.starts_with(control::PATH) {
        let body = whole(body).await?;
        return Ok(control::answer(room, &format!("{} {path}", parts.method), &body).map(full));
    }
    let now = room.clock.tick();
    let caller = Caller::of(&parts.headers);
    let query = parts.uri.query().unwrap_or_default();
    let mut received = Received {
        method: parts.method,
        path,
        query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers: parts.headers,
        body: whole(body).await?,
        caller: caller.clone().unwrap_or_default(),
        now,
        fault: None,
    };
    let mut entry = room.log.begin(&received.caller, now, received.body.len() as u64);
    let route = room.service.route(&received);
    entry.call.op.clone_from(&route.op);
    entry.call.key.clone_from(&route.key);
    (entry.call.mutating, entry.call.dry_run) = (route.mutating, route.dry_run);
    let latency = room.latency();
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let target = format!("{} {}", received.caller.region, route.key);
    let action = room.script.action(&route.op, received.method.as_str(), &target);
    entry.call.fault = action.as_ref().map(|action| format!("{action:?}"));
    let result = match &action {
        Some(Action::DropBefore | Action::DropMidBody { .. }) => return Err(broken()),
        Some(Action::Late { ms }) => {
            carry_out_later(room, received, route, *ms);
            return Err(broken());
        }
        Some(Action::Status { status, code }) => Err(ApiError::scripted(*status, code, &received, &route)),
        _ if caller.is_none() => {
            Err(ApiError::new(403, "MissingAuthenticationToken", "The request is not signed by Signature Version 4"))
        }
        other => match forbidden(room, &received, &route) {
            Some(action) => Err(ApiError::denied(&received, &action)),
            None => {
                received.fault = other.clone();
                let done = room.service.handle(&received, &route).await;
                // Done first, as AWS goes on with what was sent when nobody waits for the answer any more.
                if let Some(Action::Delay { ms }) = other {
                    tokio::time::sleep(Duration::from_millis(*ms)).await;
                }
                done
            }
        },
    };
    let reply = result.unwrap_or_else(|error| {
        entry.call.code = Some(error.code.clone());
        room.service.refusal(&received, &error)
    });
    if matches!(action, Some(Action::LoseResponse)) {
        return Err(broken());
    }
    entry.call.status = reply.status().as_u16();
    entry.call.bytes_out = reply.body().len() as u64;
    Ok(sent(reply, action.as_ref()))
}

/// Does it when nobody waits for it any more.
fn carry_out_later(room: &Room, mut received: Received, route: Route, ms: u64) {
    let (service, clock) = (room.service.clone(), room.clock.clone());
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        received.now = clock.tick();
        let _nobody_hears = service.handle(&received, &route).await;
    });
}

/// The first action that the call takes and the policy in force does not allow.
fn forbidden(room: &Room, received: &Received, route: &Route) -> Option<String> {
    let own = format!("{}:{}", received.caller.service, route.op);
    let also = room.service.also_needs(received, route).into_iter().map(str::to_owned);
    std::iter::once(own).chain(also).find(|action| !room.allows(action))
}

/// The answer as it goes over the wire.
fn sent(mut reply: Reply, action: Option<&Action>) -> Response<WireBody> {
    reply.headers_mut().insert("x-amzn-requestid", HeaderValue::from_static("00000000-0000-4000-8000-000000000000"));
    let bytes = reply.body().len() as u64;
    let harm = match action {
        Some(Action::TruncateBody { bytes }) => BodyHarm::BreakAfter(*bytes),
        Some(Action::FlipLastByte) if bytes > 0 => BodyHarm::FlipAt(bytes - 1),
        _ => return reply.map(full),
    };
    reply.map(|body| Harmed::new(full(body), harm).boxed_unsync())
}

/// Bodies of this many bytes are put together in memory that is used again when nobody keeps them: whoever is measured beside
/// the fake would wait for the kernel to clear pages.
const LARGE_BYTES: usize = 1 << 20;

static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A large body; its memory is free again when the last of those who share it drops it.
struct Large(Vec<u8>);

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0);
        bytes.clear();
        SPARE.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
    }
}

async fn whole(mut body: Incoming) -> io::Result<Bytes> {
    let length = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
    if length.is_none_or(|bytes| bytes < LARGE_BYTES) {
        return Ok(body.collect().await.map_err(io::Error::other)?.to_bytes());
    }
    let mut large = Large(SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default());
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(io::Error::other)?.into_data() {
            large.0.extend_from_slice(&data);
        }
    }
    Ok(Bytes::from_owner(large))
}

/// Takes connections until it is dropped.
pub(super) async fn serve(listener: TcpListener, room: Arc<Room>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, for instance: what is open may close soon.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        // Small answers must not wait for the client's delayed acknowledgement.
        let _slower = stream.set_nodelay(true);
        let room = room.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let room = room.clone();
                async move { answer(&room, request).await }
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
