//! The control plane: what tests in other processes do to the peer, as JSON over HTTP, unsigned.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `POST /_ctl/faults` | a list of [`Rule`]s, added; an empty list forgets all | `{}` |
//! | `POST /_ctl/latency` | `{"ms": 20}`, added to every request | `{}` |
//! | `POST /_ctl/clock` | `{"advance_s": 18000}`: moves the clock of retrievals from cold storage on | `{}` |
//! | `GET /_ctl/log` | | a list of [`super::Call`]s |
//! | `GET /_ctl/state` | | [`PeerState`] |
//! | `GET /_ctl/keys` | | the keys of the first bucket's objects |
//! | `POST /_ctl/damage` | `{"key": …, "action": "flip", "offset": 3}`: [`Damage`] | `{}`, or 404 |
//! | `POST /_ctl/reset` | | `{}`; everything is forgotten |

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};

use super::body::{Body, Segment};
use super::front::Front;
use crate::faults::Rule;
use crate::wire::{WireBody, full};

/// Where the control plane is.
pub const PATH: &str = "/_ctl/";

/// What the peer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerState {
    /// Objects in all buckets.
    pub objects: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Uploads in parts begun and neither completed nor aborted.
    pub unfinished: usize,
    /// Most requests that were being answered at once.
    pub peak_in_flight: u64,
}

/// Harm to a stored object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Damage {
    /// One bit of the byte at this position is changed; a negative position counts from the end.
    Flip {
        /// The position.
        offset: i64,
    },
    /// So many bytes are cut off its end.
    Truncate {
        /// Bytes.
        bytes: u64,
    },
    /// This text is put behind its end.
    Append {
        /// The text.
        text: String,
    },
    /// It is gone.
    Delete,
}

#[derive(Deserialize)]
struct DamageOrder {
    key: String,
    #[serde(flatten)]
    damage: Damage,
}

#[derive(Deserialize)]
struct ClockOrder {
    advance_s: u64,
}

#[derive(Deserialize)]
struct LatencyOrder {
    ms: u64,
}

pub(super) fn state(front: &Front) -> PeerState {
    let (objects, bytes, unfinished) = front.backend.totals();
    PeerState { objects, bytes, unfinished, peak_in_flight: front.log.peak_in_flight() }
}

pub(super) fn reset(front: &Front) {
    front.backend.clear();
    front.script.clear();
    front.set_latency(Duration::ZERO);
    front.log.clear();
}

pub(super) fn damage(front: &Front, key: &str, damage: &Damage) -> bool {
    let folder = front.backend.folder.clone();
    front.backend.first(|bucket| {
        if *damage == Damage::Delete {
            return bucket.objects.remove(key).is_some();
        }
        let Some(object) = bucket.objects.get_mut(key) else { return false };
        let harmed = object.body.read().ok().and_then(|body| harmed(&body, damage));
        match harmed.and_then(|body| Segment::new(body, folder.as_deref()).ok()) {
            None => false,
            Some(segment) => {
                object.body = Body { segments: vec![segment] };
                true
            }
        }
    })
}

/// The body with its harm; `None` if it cannot be done to it.
fn harmed(body: &Bytes, damage: &Damage) -> Option<Bytes> {
    match damage {
        Damage::Flip { offset } => {
            let offset = if *offset < 0 { i64::try_from(body.len()).ok()? + offset } else { *offset };
            let mut body = BytesMut::from(&body[..]);
            *body.get_mut(usize::try_from(offset).ok()?)? ^= 1;
            Some(body.freeze())
        }
        Damage::Truncate { bytes } => Some(body.slice(..body.len().checked_sub(usize::try_from(*bytes).ok()?)?)),
        Damage::Append { text } => Some([body, text.as_bytes()].concat().into()),
        Damage::Delete => None,
    }
}

/// Answers a request of the control plane.
pub(super) async fn answer(front: &Front, request: Request<Incoming>) -> Response<WireBody> {
    let order = format!("{} {}", request.method(), request.uri().path());
    let body = match request.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return reply(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    match obey(front, &order, &body) {
        Ok(Some(json)) => reply(StatusCode::OK, &json),
        Ok(None) => reply(StatusCode::NOT_FOUND, "{}"),
        Err(error) => reply(StatusCode::BAD_REQUEST, &format!("{{\"error\": {:?}}}", error.to_string())),
    }
}

fn reply(status: StatusCode, json: &str) -> Response<WireBody> {
    let mut response = Response::new(full(json.to_owned()));
    *response.status_mut() = status;
    response
}

/// Does what is asked; `None` if there is no such thing.
fn obey(front: &Front, order: &str, body: &[u8]) -> serde_json::Result<Option<String>> {
    let done = || Ok(Some("{}".to_owned()));
    match order {
        "POST /_ctl/faults" => {
            let rules: Vec<Rule> = serde_json::from_slice(body)?;
            if rules.is_empty() {
                front.script.clear();
            }
            front.script.add(rules);
            done()
        }
        "POST /_ctl/latency" => {
            let LatencyOrder { ms } = serde_json::from_slice(body)?;
            front.set_latency(Duration::from_millis(ms));
            done()
        }
        "POST /_ctl/clock" => {
            let ClockOrder { advance_s } = serde_json::from_slice(body)?;
            front.backend.advance(Duration::from_secs(advance_s));
            done()
        }
        "GET /_ctl/log" => serde_json::to_string(&front.log.calls()).map(Some),
        "GET /_ctl/state" => serde_json::to_string(&state(front)).map(Some),
        "GET /_ctl/keys" => serde_json::to_string(&front.backend.keys()).map(Some),
        "POST /_ctl/damage" => {
            let order: DamageOrder = serde_json::from_slice(body)?;
            if damage(front, &order.key, &order.damage) { done() } else { Ok(None) }
        }
        "POST /_ctl/reset" => {
            reset(front);
            done()
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_what_it_is_called() {
        let body = Bytes::from_static(b"abc");
        assert_eq!(harmed(&body, &Damage::Flip { offset: 0 }).unwrap(), "`bc");
        assert_eq!(harmed(&body, &Damage::Flip { offset: -1 }).unwrap(), "abb");
        assert_eq!(harmed(&body, &Damage::Flip { offset: 3 }), None);
        assert_eq!(harmed(&body, &Damage::Truncate { bytes: 1 }).unwrap(), "ab");
        assert_eq!(harmed(&body, &Damage::Truncate { bytes: 4 }), None);
        assert_eq!(harmed(&body, &Damage::Append { text: "d".to_owned() }).unwrap(), "abcd");
    }
}
