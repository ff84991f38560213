//! The rules of the fake, each with the page that it is from; asked without a network.

mod blocks;
mod copies;
mod machines;
mod others;
mod pages;
mod snapshots;
mod writing;

use std::time::Duration;

use backup_core::clock::Clock as _;
use bytes::Bytes;
use http::{HeaderMap, Method};

use super::seed::{ACCOUNT, Seed};
use super::service::Services;
use super::{Ending, Settings, actions, ebs};
use crate::aws_fake::{ApiError, Caller, Received, Reply, VirtualClock};
use crate::faults::Action;

const SHOP: &str = "i-0aaaaaaaaaaaaaaa1";
const ROOT: &str = "vol-0aaaaaaaaaaaaaa11";
const DATA: &str = "vol-0aaaaaaaaaaaaaa12";
const MAIL_VOLUME: &str = "vol-0bbbbbbbbbbbbbb11";

struct World {
    services: Services,
    clock: VirtualClock,
    region: &'static str,
    account: &'static str,
}

impl World {
    /// The small world; its clock stands still.
    fn new() -> Self {
        Self::of(Seed::small())
    }

    fn of(seed: Seed) -> Self {
        let clock = VirtualClock::at("2026-11-21T03:00:00Z".parse().unwrap());
        clock.set_rate(0);
        clock.set("2026-11-21T03:00:00Z".parse().unwrap());
        Self { services: Services::new(seed, &clock), clock, region: "us-east-1", account: ACCOUNT }
    }

    fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        self.services.with(|state| change(&mut state.settings));
        self
    }

    fn endings(&self, endings: Vec<Ending>) {
        self.services.with(|state| super::control::add(state, endings));
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn received(&self, service: &str, method: Method, path: &str, body: Bytes) -> Received {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Received {
            method,
            path: path.to_owned(),
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers: HeaderMap::new(),
            body,
            caller: Caller {
                access_key_id: self.account.to_owned(),
                account: self.account.to_owned(),
                region: self.region.to_owned(),
                service: service.to_owned(),
            },
            now: self.clock.now(),
            fault: None,
        }
    }

    /// A call of EC2: its XML, or its error.
    fn ec2(&self, form: &str) -> Result<String, ApiError> {
        self.ec2_with(form, None)
    }

    fn ec2_with(&self, form: &str, fault: Option<Action>) -> Result<String, ApiError> {
        let mut received = self.received("ec2", Method::POST, "/", Bytes::from(form.to_owned()));
        received.fault = fault;
        let reply = self.services.with(|state| actions::handle(state, &received))?;
        Ok(String::from_utf8_lossy(reply.body()).into_owned())
    }

    /// The code with which a call of EC2 is refused.
    fn code(&self, form: &str) -> String {
        match self.ec2(form) {
            Err(error) => error.code,
            Ok(xml) => panic!("{form}: {xml}"),
        }
    }

    /// The id of a new snapshot of a volume, complete.
    fn snapshot(&self, volume: &str) -> String {
        let id = value(&self.ec2(&format!("Action=CreateSnapshot&VolumeId={volume}")).unwrap(), "snapshotId");
        self.pass(60);
        id
    }

    /// A call of EBS direct.
    fn ebs(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Result<Reply, ApiError> {
        let mut received = self.received("ebs", method, path, body);
        received.headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let route = ebs::route(&received);
        self.services.with(|state| ebs::handle(state, &received, &route)).map(ebs::finish)
    }

    fn get(&self, path: &str) -> Result<serde_json::Value, ApiError> {
        let reply = self.ebs(Method::GET, path, &[], Bytes::new())?;
        Ok(serde_json::from_slice(reply.body()).unwrap())
    }

    /// The reason for which a GET of EBS direct is refused.
    fn reason(&self, path: &str) -> String {
        match self.get(path) {
            Err(error) => reason(&error),
            Ok(json) => panic!("{path}: {json}"),
        }
    }
}

fn reason(error: &ApiError) -> String {
    let found = error.fields.iter().find(|(name, _)| *name == "Reason");
    found.map_or_else(|| error.code.clone(), |(_, reason)| reason.clone())
}

/// The texts of all elements of this name.
fn values(xml: &str, name: &str) -> Vec<String> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&begin).skip(1).filter_map(|rest| Some(rest.split_once(&end)?.0.to_owned())).collect()
}

fn value(xml: &str, name: &str) -> String {
    values(xml, name).first().cloned().unwrap_or_else(|| panic!("no {name} in {xml}"))
}
