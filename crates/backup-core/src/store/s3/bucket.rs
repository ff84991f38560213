//! A bucket's client, and the place in it.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;

use super::failure::Place;
use crate::aws::{Settings, timeouts};

#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) client: Client,
    pub(super) place: Place,
}

impl Bucket {
    pub(super) fn new(settings: &Settings, place: Place) -> Self {
        // A dot in the bucket's name breaks the certificate of `bucket.endpoint`.
        let path_style = settings.names_endpoint_of("S3") || place.bucket.contains('.');
        let config = Builder::from(settings.sdk()).force_path_style(path_style).build();
        Self { client: Client::from_conf(config), place }
    }
}

/// What differs for a request that sends `bytes` bytes.
pub(super) fn sending(bytes: usize) -> Builder {
    aws_sdk_s3::Config::builder().timeout_config(timeouts(bytes))
}
