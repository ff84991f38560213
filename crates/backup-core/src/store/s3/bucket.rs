//! A bucket's client, and the place in it.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;

use super::failure::Place;
use crate::aws::{Settings, shown, timeouts};
use crate::error::StoreError;
use crate::store::StoreResult;

#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) client: Client,
    pub(super) place: Place,
}

impl Bucket {
    pub(super) fn new(settings: &Settings, mut place: Place) -> StoreResult<Self> {
        if let Some(fault) = settings.fault() {
            return Err(StoreError::Invalid { what: fault.to_owned() });
        }
        place.endpoint = settings.endpoint_told("S3");
        if let Some(endpoint) = settings.endpoint_of("S3").as_deref().map(shown)
            && !endpoint.contains("://")
        {
            let what = format!(
                "the endpoint `{endpoint}` has no scheme: set AWS_ENDPOINT_URL_S3, or `endpoint_url` of the profile, to \
                 `https://{endpoint}` or `http://{endpoint}`"
            );
            return Err(StoreError::Invalid { what });
        }
        // A dot in the bucket's name breaks the certificate of `bucket.endpoint`.
        let path_style = place.endpoint.is_some() || place.bucket.contains('.');
        let config = Builder::from(settings.sdk()).force_path_style(path_style).build();
        Ok(Self { client: Client::from_conf(config), place })
    }
}

/// What differs for a request that sends `bytes` bytes.
pub(super) fn sending(bytes: usize) -> Builder {
    aws_sdk_s3::Config::builder().timeout_config(timeouts(bytes))
}
