//! The fake's own orders.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `POST /_ctl/ec2/world` | [`Seed`]: the world is replaced by it | `{}` |
//! | `GET /_ctl/ec2/world` | | everything there is, as far as tests ask for it |
//! | `POST /_ctl/ec2/settings` | some of [`super::Settings`] | `{}` |
//! | `POST /_ctl/ec2/endings` | a list of [`Ending`]s, added; an empty list forgets all | `{}` |
//! | `POST /_ctl/ec2/write` | `{"region": …, "volume": …, "content": …, "discard": [3]}`: blocks of a volume (or `"snapshot"`) are replaced | `{}` |
//! | `POST /_ctl/ec2/damage` | `{"region": …, "snapshot": …, "block": 3}`: it is served with one bit changed, and the checksum of before | `{}` |
//! | `POST /_ctl/ec2/instance` | `{"region": …, "instance": …, "stopped": true, "address": …}` | `{}` |

use serde::Deserialize;
use serde_json::{Value, json};

use super::content::Fill;
use super::seed::Seed;
use super::settings::Ending;
use super::state::State;
use backup_core::clock::Timestamp;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Write {
    region: String,
    volume: Option<String>,
    snapshot: Option<String>,
    #[serde(default)]
    content: Fill,
    #[serde(default)]
    discard: Vec<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Damage {
    region: String,
    snapshot: String,
    block: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    region: String,
    instance: String,
    stopped: Option<bool>,
    address: Option<String>,
}

/// Does what is asked; `None` if there is no such order.
pub(super) fn obey(state: &mut State, order: &str, body: &[u8], now: Timestamp) -> Option<Result<Value, String>> {
    Some(
        match order {
            "POST /_ctl/ec2/world" => read(body).map(|seed: Seed| *state = seed.world(now)),
            "GET /_ctl/ec2/world" => return Some(Ok(shown(state, now))),
            "POST /_ctl/ec2/settings" => read(body).and_then(|changes: Value| {
                state.settings = state.settings.changed(&changes)?;
                Ok(())
            }),
            "POST /_ctl/ec2/endings" => read(body).map(|endings: Vec<Ending>| add(state, endings)),
            "POST /_ctl/ec2/write" => read(body).and_then(|order: Write| write(state, &order)),
            "POST /_ctl/ec2/damage" => read(body).and_then(|order: Damage| damage(state, &order)),
            "POST /_ctl/ec2/instance" => read(body).and_then(|order: Change| change(state, order)),
            _ => return None,
        }
        .map(|()| json!({})),
    )
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

pub(super) fn add(state: &mut State, endings: Vec<Ending>) {
    if endings.is_empty() {
        state.endings.clear();
    }
    state.endings.extend(endings.into_iter().map(|ending| (ending, 0)));
}

fn write(state: &mut State, order: &Write) -> Result<(), String> {
    let region = state.region(&order.region).map_err(|error| error.to_string())?;
    let content = match (&order.volume, &order.snapshot) {
        (Some(id), None) => region.volumes.get_mut(id).map(|volume| &mut volume.content),
        (None, Some(id)) => region.snapshots.get_mut(id).map(|snapshot| &mut snapshot.content),
        _ => return Err("either a volume or a snapshot is written".to_owned()),
    };
    let content = content.ok_or("there is no such thing")?;
    order.content.write(content);
    for index in &order.discard {
        content.discard(*index);
    }
    Ok(())
}

fn damage(state: &mut State, order: &Damage) -> Result<(), String> {
    let region = state.region(&order.region).map_err(|error| error.to_string())?;
    let snapshot = region.snapshots.get_mut(&order.snapshot).ok_or("there is no such snapshot")?;
    if snapshot.content.get(order.block).is_none() {
        return Err("it has no such block".to_owned());
    }
    snapshot.damaged.insert(order.block);
    Ok(())
}

fn change(state: &mut State, order: Change) -> Result<(), String> {
    let region = state.region(&order.region).map_err(|error| error.to_string())?;
    let instance = region.instances.get_mut(&order.instance).ok_or("there is no such instance")?;
    if let Some(stopped) = order.stopped {
        instance.stopped = stopped;
    }
    if order.address.is_some() {
        instance.address = order.address;
    }
    Ok(())
}

fn shown(state: &State, now: Timestamp) -> Value {
    let regions = state.regions.iter().map(|(name, region)| {
        let snapshots = region.snapshots.values().map(|own| {
            (own.id.clone(), json!({
                "owner": own.owner, "volume": own.volume, "state": own.state(now), "start": own.start, "tags": own.tags,
                "description": own.description, "binned": own.binned.is_some(), "copy": own.copy,
                "blocks": own.content.len(),
            }))
        });
        let volumes = region.volumes.values().map(|own| {
            let instance = own.attached.as_ref().map(|attached| attached.instance.clone());
            (own.id.clone(), json!({ "size": own.size, "instance": instance, "tags": own.tags }))
        });
        let instances = region
            .instances
            .values()
            .map(|own| (own.id.clone(), json!({ "state": own.state(now).0, "tags": own.tags })));
        let value = json!({
            "snapshots": snapshots.collect::<serde_json::Map<_, _>>(),
            "volumes": volumes.collect::<serde_json::Map<_, _>>(),
            "instances": instances.collect::<serde_json::Map<_, _>>(),
            "images": region.images.keys().collect::<Vec<_>>(),
            "keys": region.keys.keys().collect::<Vec<_>>(),
            "groups": region.groups.keys().collect::<Vec<_>>(),
        });
        (name.clone(), value)
    });
    Value::Object(regions.collect())
}
