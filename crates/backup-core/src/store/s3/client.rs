//! The client: from the usual AWS environment, with time limits and without retries of its own.

use std::time::Duration;

use aws_config::meta::region::RegionProviderChain;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    BehaviorVersion, Builder, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedCredentialsProvider,
};

use crate::secret::Secret;

/// A connection that takes longer is to an endpoint that is not there.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A reply to a request without body begins within this: several times what S3 takes to assemble a large upload before
/// it sends the first byte of its answer.
pub const REPLY_TIMEOUT: Duration = Duration::from_secs(60);

/// The slowest line a body is sent over before the request is given up: at 32 KiB/s a backup is beyond help.
const SLOWEST_BYTES_PER_SECOND: usize = 32 * 1024;

/// The region asked for where none is configured: endpoints other than Amazon's do not care, Amazon's names the right one.
const REGION_FALLBACK: &str = "us-east-1";

/// Variables that name an endpoint other than Amazon's.
const ENDPOINT_VARIABLES: [&str; 2] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];

/// A server that speaks S3, and credentials for it, given by a program instead of the environment.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `http://host:port`.
    pub url: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The key id that requests are signed with.
    pub access_key_id: String,
    /// The secret that belongs to it.
    pub secret_access_key: Secret,
}

/// Everything from the environment, but for `given` credentials.
pub(super) async fn from_environment(bucket: &str, given: Option<&crate::location::Credentials>) -> Client {
    let region = RegionProviderChain::default_provider().or_else(REGION_FALLBACK);
    let shared = aws_config::defaults(BehaviorVersion::latest()).region(region).load().await;
    let foreign = shared.endpoint_url().is_some()
        || ENDPOINT_VARIABLES.iter().any(|name| std::env::var_os(name).is_some_and(|url| !url.is_empty()));
    // A dot in the bucket's name breaks the certificate of `bucket.endpoint`.
    let path_style = foreign || bucket.contains('.');
    let mut config = Builder::from(&shared);
    if let Some(given) = given {
        config.set_credentials_provider(Some(SharedCredentialsProvider::new(static_credentials(
            given.access_key_id.expose(),
            &given.secret_access_key,
            given.session_token.as_ref(),
        ))));
    }
    Client::from_conf(ours(config).force_path_style(path_style).build())
}

pub(super) fn of_endpoint(endpoint: &Endpoint) -> Client {
    let credentials = static_credentials(&endpoint.access_key_id, &endpoint.secret_access_key, None);
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(&endpoint.url)
        .region(Region::new(endpoint.region.clone()))
        .credentials_provider(credentials);
    Client::from_conf(ours(config).force_path_style(true).build())
}

fn static_credentials(id: &str, secret: &Secret, token: Option<&Secret>) -> Credentials {
    let token = token.map(|token| token.expose().to_owned());
    Credentials::new(id, secret.expose(), token, None, "lastgood")
}

/// What is ours whatever the environment says.
fn ours(config: Builder) -> Builder {
    config
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts(0))
        // Other servers refuse checksums they do not know; ours are set on every body we send.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
}

/// The limits of a request that sends `bytes` bytes.
fn timeouts(bytes: usize) -> TimeoutConfig {
    let reply = REPLY_TIMEOUT + Duration::from_secs((bytes / SLOWEST_BYTES_PER_SECOND) as u64);
    // No limit for a whole operation: the body of an object may take hours, and stalled streams are noticed.
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(reply).build()
}

/// What differs for a request that sends `bytes` bytes: its reply begins only when they have arrived.
pub(super) fn sending(bytes: usize) -> Builder {
    aws_sdk_s3::Config::builder().timeout_config(timeouts(bytes))
}
