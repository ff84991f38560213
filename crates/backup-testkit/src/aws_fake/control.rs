//! The control plane: what tests in other processes do to a fake, as JSON over HTTP, unsigned.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `POST /_ctl/faults` | a list of [`Rule`]s, added; an empty list forgets all | `{}` |
//! | `POST /_ctl/latency` | `{"ms": 20}`, added to every request | `{}` |
//! | `POST /_ctl/clock` | any of `{"set": "2026-11-21T03:00:00Z", "advance_s": 60, "rate": 0, "step_ms": 500}` | `{"now": …}` |
//! | `POST /_ctl/policy` | a policy of IAM, or `null`: only actions that it allows are carried out | `{}` |
//! | `GET /_ctl/log` | | a list of [`super::Call`]s |
//! | `POST /_ctl/log/clear` | | `{}`; the calls so far are forgotten |
//! | `GET /_ctl/state` | | `{"now": …, "peak_in_flight": …}` |
//! | `POST /_ctl/reset` | | `{}`; everything but the clock is forgotten |
//! | anything else | | what the fake itself knows, or 404 |

use std::time::Duration;

use backup_core::clock::{Clock as _, Timestamp};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::room::Room;
use super::service::{Reply, reply};
use crate::faults::Rule;
use crate::iam::Policy;

/// Where the control plane is.
pub const PATH: &str = "/_ctl/";

#[derive(Deserialize)]
struct LatencyOrder {
    ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockOrder {
    set: Option<Timestamp>,
    advance_s: Option<u64>,
    rate: Option<u32>,
    step_ms: Option<u64>,
}

/// Answers a request of the control plane.
pub(super) fn answer(room: &Room, order: &str, body: &Bytes) -> Reply {
    match obey(room, order, body) {
        Some(Ok(value)) => reply(200, "application/json", value.to_string()),
        Some(Err(error)) => reply(400, "application/json", json!({ "error": error }).to_string()),
        None => reply(404, "application/json", json!({ "error": format!("no such order: {order}") }).to_string()),
    }
}

/// Does what is asked; `None` if there is no such order.
fn obey(room: &Room, order: &str, body: &[u8]) -> Option<Result<Value, String>> {
    let done = || Ok(json!({}));
    Some(match order {
        "POST /_ctl/faults" => read(body).and_then(|rules: Vec<Rule>| {
            if rules.is_empty() {
                room.script.clear();
            }
            room.add_faults(rules)?;
            done()
        }),
        "POST /_ctl/latency" => read(body).and_then(|LatencyOrder { ms }| {
            room.set_latency(Duration::from_millis(ms));
            done()
        }),
        "POST /_ctl/clock" => read(body).map(|order: ClockOrder| {
            set_clock(room, &order);
            json!({ "now": room.clock.now() })
        }),
        "POST /_ctl/policy" => read(body).and_then(|policy: Option<Policy>| {
            room.set_policy(policy);
            done()
        }),
        "GET /_ctl/log" => serde_json::to_value(room.log.calls()).map_err(|error| error.to_string()),
        "POST /_ctl/log/clear" => {
            room.log.clear();
            done()
        }
        "GET /_ctl/state" => Ok(json!({ "now": room.clock.now(), "peak_in_flight": room.log.peak_in_flight() })),
        "POST /_ctl/reset" => {
            room.reset();
            done()
        }
        _ => return room.service.obey(order, body, room.clock.now()),
    })
}

fn set_clock(room: &Room, order: &ClockOrder) {
    if let Some(rate) = order.rate {
        room.clock.set_rate(rate);
    }
    if let Some(now) = order.set {
        room.clock.set(now);
    }
    if let Some(seconds) = order.advance_s {
        room.clock.advance(Duration::from_secs(seconds));
    }
    if let Some(ms) = order.step_ms {
        room.clock.set_step(Duration::from_millis(ms));
    }
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}
