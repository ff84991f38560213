//! From the usual AWS environment or from a program: with time limits of ours, and without retries of the SDK.

use std::fmt;
use std::time::Duration;

use aws_config::meta::region::RegionProviderChain;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials as SdkCredentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::checksum_config::{RequestChecksumCalculation, ResponseChecksumValidation};

use super::credentials::Credentials;
use super::learning::learned_by;
use super::{ca_bundle, endpoint};
use crate::secret::Redactor;

/// A connection that takes longer is to an endpoint that is not there.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A reply to a request without body begins within this: several times what S3 takes to assemble a large upload before
/// it sends the first byte of its answer.
pub const REPLY_TIMEOUT: Duration = Duration::from_secs(60);

/// The slowest line a body is sent over before the request is given up: at 32 KiB/s a backup is beyond help.
const SLOWEST_BYTES_PER_SECOND: usize = 32 * 1024;

/// The region asked for where none is configured: endpoints other than Amazon's do not care, S3 names the right one.
const REGION_FALLBACK: &str = "us-east-1";

/// A server that speaks a service's language, and credentials for it, given by a program instead of the environment.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `http://host:port`.
    pub url: String,
    /// The region that requests are signed for.
    pub region: String,
    /// What requests are signed with.
    pub credentials: Credentials,
}

/// What every client is made from.
#[derive(Clone)]
pub struct Settings {
    sdk: SdkConfig,
    region_configured: bool,
    /// What is wrong with what was configured.
    fault: Option<String>,
}

impl Settings {
    /// Endpoint and region from the usual AWS environment and profile, credentials too unless they are `given`. Only a
    /// machine's metadata service may be asked for something.
    pub async fn load(given: Option<&Credentials>) -> Self {
        // Everything that credentials can come from makes a future of 35 KB, which every command would carry in its own.
        Box::pin(Self::read(given)).await
    }

    async fn read(given: Option<&Credentials>) -> Self {
        let configured = RegionProviderChain::default_provider().region().await;
        let region_configured = configured.is_some();
        let sdk = Self::sdk_of(given, configured.clone(), None).await;
        let (sdk, fault) = match ca_bundle::configured(&sdk) {
            None => (sdk, None),
            // Credentials are asked for with the same certificates.
            Some(Ok(client)) => (Self::sdk_of(given, configured, Some(client)).await, None),
            Some(Err(fault)) => (Self::sdk_of(given, configured, Some(ca_bundle::refusing(&fault))).await, Some(fault)),
        };
        let sdk = learned_by(Redactor::of_this_process(), endpoint::without_empty(sdk));
        Self { sdk, region_configured, fault }
    }

    async fn sdk_of(
        given: Option<&Credentials>,
        region: Option<Region>,
        client: Option<SharedHttpClient>,
    ) -> SdkConfig {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            // Credentials may be asked of a service that needs to know some region.
            .region(region.unwrap_or(Region::from_static(REGION_FALLBACK)))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts(0))
            // Other servers refuse checksums they do not know; ours are set on every body we send.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(given) = given {
            loader = loader.credentials_provider(sdk_credentials(given));
        }
        if let Some(client) = client {
            loader = loader.http_client(client);
        }
        loader.load().await
    }

    /// A server named by the program and not by the environment.
    #[must_use]
    pub fn of_endpoint(endpoint: &Endpoint) -> Self {
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&endpoint.url)
            .region(Region::new(endpoint.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(sdk_credentials(&endpoint.credentials)))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts(0))
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Self { sdk, region_configured: true, fault: None }
    }

    /// The same for another region, as copies between regions need it.
    #[must_use]
    pub fn in_region(&self, region: &str) -> Self {
        let sdk = self.sdk.to_builder().region(Region::new(region.to_owned())).build();
        Self { sdk, region_configured: true, fault: self.fault.clone() }
    }

    /// What is wrong with what was configured, in words, for whoever is about to make a client of these settings.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// The region that was configured. Where none was, S3 finds a bucket all the same, and a service whose resources are
    /// a region's own must not guess.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.sdk.region().filter(|_| self.region_configured).map(AsRef::as_ref)
    }

    /// Whether requests to `service`, such as `S3`, go to a server other than Amazon's.
    #[must_use]
    pub fn names_endpoint_of(&self, service: &str) -> bool {
        self.endpoint_of(service).is_some()
    }

    /// The server that requests to `service`, such as `S3`, go to, where it is not Amazon's: named by the environment, by the
    /// section `services` of the profile, by the profile, or by the program.
    #[must_use]
    pub fn endpoint_of(&self, service: &str) -> Option<String> {
        endpoint::of(&self.sdk, service)
    }

    /// [`Settings::endpoint_of`] for people: without secrets, and with what named it.
    #[must_use]
    pub fn endpoint_told(&self, service: &str) -> Option<String> {
        let endpoint = self.endpoint_of(service)?;
        let origin = endpoint::origin(service, &endpoint, |name| std::env::var(name).ok());
        Some(format!("{} (from {origin})", endpoint::shown(&endpoint)))
    }

    /// What the SDK makes the client of a service from.
    #[must_use]
    pub fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Settings");
        shown.field("region", &self.region()).field("endpoint", &self.sdk.endpoint_url().map(endpoint::shown));
        shown.finish_non_exhaustive()
    }
}

fn sdk_credentials(credentials: &Credentials) -> SdkCredentials {
    let token = credentials.session_token.as_ref().map(|token| token.expose().to_owned());
    let (id, secret) = (credentials.access_key_id.expose(), credentials.secret_access_key.expose());
    SdkCredentials::new(id, secret, token, None, "lastgood")
}

/// The limits of a request that sends `bytes` bytes: its reply begins only when they have arrived.
#[must_use]
pub fn timeouts(bytes: usize) -> TimeoutConfig {
    let reply = REPLY_TIMEOUT + Duration::from_secs((bytes / SLOWEST_BYTES_PER_SECOND) as u64);
    // No limit for a whole operation: the body of an object may take hours, and stalled streams are noticed.
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(reply).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let credentials = Credentials::new("AKIAEXAMPLE", "hunter2");
        Settings::of_endpoint(&Endpoint {
            url: "http://[::1]:1".to_owned(),
            region: "eu-west-1".to_owned(),
            credentials,
        })
    }

    #[test]
    fn another_region_keeps_everything_else() {
        let (here, there) = (settings(), settings().in_region("ap-southeast-1"));
        assert_eq!((here.region(), there.region()), (Some("eu-west-1"), Some("ap-southeast-1")));
        assert_eq!(there.sdk().endpoint_url(), here.sdk().endpoint_url());
        assert!(there.sdk().credentials_provider().is_some());
    }

    #[test]
    fn the_sdk_never_tries_again_and_waits_longer_for_what_takes_longer_to_send() {
        for settings in [settings(), settings().in_region("us-east-2")] {
            assert_eq!(settings.sdk().retry_config().unwrap().max_attempts(), 1);
        }
        assert_eq!(timeouts(0).read_timeout(), Some(REPLY_TIMEOUT));
        assert!(timeouts(64 * 1024 * 1024).read_timeout() > timeouts(8 * 1024 * 1024).read_timeout());
    }

    #[test]
    fn c17_nothing_of_a_key_is_shown() {
        let shown = format!("{:?}", settings());
        assert!(shown.contains("eu-west-1") && !shown.contains("AKIA") && !shown.contains("hunter"), "{shown}");
    }
}
