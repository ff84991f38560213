//! A bucket's client, and the place in it.

use aws_sdk_s3::Client;

use super::failure::Place;

#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) client: Client,
    pub(super) place: Place,
}
