//! EC2 by the AWS SDK: one request for each call of a port, never repeated here.

mod failure;
mod machines;
mod read;
mod region;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ec2::Client;
use aws_smithy_types::timeout::TimeoutConfig;
use backup_core::aws::{CONNECT_TIMEOUT, REPLY_TIMEOUT, Settings};

use self::failure::failed;
use self::region::AwsRegion;
use crate::model::Region;
use crate::ports::{CallResult, Cloud, Ec2, Machines};

/// A whole attempt, body included: a page of a thousand snapshots is a megabyte. Without it a connection that trickles
/// would never end.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(90);

/// Where the list of regions is asked for if no region is configured: it has always been enabled for everybody.
const REGION_FALLBACK: &str = "us-east-1";

/// EC2 as the AWS environment or a program says: credentials, endpoint, and a region to ask for the others.
#[derive(Debug)]
pub struct AwsCloud {
    settings: Settings,
    clients: Mutex<BTreeMap<Region, Arc<AwsRegion>>>,
}

impl AwsCloud {
    /// By the usual AWS environment and profile. Only a machine's metadata service may be asked for something.
    pub async fn load() -> Self {
        Self::new(Settings::load(None).await)
    }

    /// By `settings`.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, clients: Mutex::default() }
    }

    /// What clients of other services are made from.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The region that is configured.
    #[must_use]
    pub fn configured_region(&self) -> Option<Region> {
        self.settings.region()?.parse().ok()
    }

    fn client(&self, region: &Region) -> Arc<AwsRegion> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let made = clients.entry(region.clone()).or_insert_with(|| {
            let settings = self.settings.in_region(region.as_str());
            let config = aws_sdk_ec2::config::Builder::from(settings.sdk()).timeout_config(timeouts()).build();
            Arc::new(AwsRegion { name: region.clone(), client: Client::from_conf(config) })
        });
        Arc::clone(made)
    }
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(REPLY_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(ATTEMPT_TIMEOUT)
        .build()
}

#[async_trait]
impl Cloud for AwsCloud {
    async fn regions(&self) -> CallResult<Vec<Region>> {
        let home = self.configured_region().unwrap_or_else(|| Region::constant(REGION_FALLBACK));
        let client = self.client(&home);
        let answer = client.client.describe_regions().send().await;
        let answer = answer.map_err(|error| failed("ec2:DescribeRegions", &home, &error))?;
        let names = answer.regions().iter().filter_map(|region| region.region_name());
        Ok(names.filter_map(|name| name.parse().ok()).collect())
    }

    fn region(&self, region: &Region) -> Arc<dyn Ec2> {
        self.client(region)
    }

    fn machines(&self, region: &Region) -> Arc<dyn Machines> {
        self.client(region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fallback_is_a_region() {
        assert_eq!(REGION_FALLBACK.parse::<Region>().unwrap(), Region::constant(REGION_FALLBACK));
    }
}
