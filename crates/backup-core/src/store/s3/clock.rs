//! What time it is by the server: the `Date` of an answer, whatever it answers.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use jiff::Timestamp;

use super::bucket::Bucket;
use super::failure::Operation;
use super::moment::moment;
use crate::error::StoreError;
use crate::probe::MARKER_KEY;
use crate::store::StoreResult;

/// Keeps the `Date` of the answer to one request.
#[derive(Clone, Debug, Default)]
struct DateOfAnswer(Arc<Mutex<Option<String>>>);

impl DateOfAnswer {
    fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Intercept for DateOfAnswer {
    fn name(&self) -> &'static str {
        "DateOfAnswer"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").map(str::to_owned);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}

/// The server's time. The marker is asked for because every location has one and whoever writes may read it.
pub(super) async fn now(bucket: &Bucket) -> StoreResult<Timestamp> {
    let Bucket { client, place } = bucket;
    let date = DateOfAnswer::default();
    let request = client.head_object().bucket(&place.bucket).key(place.full(MARKER_KEY));
    let sent = request.customize().interceptor(date.clone()).send().await;
    match sent.map_err(|error| place.error(&Operation::new("s3:GetObject", MARKER_KEY), error)) {
        // An answer about the marker is an answer, and bears a date too.
        Ok(_) | Err(StoreError::NotFound { .. }) => {}
        Err(error) => return Err(error),
    }
    let date = date.take().and_then(|date| DateTime::from_str(&date, DateTimeFormat::HttpDate).ok());
    date.as_ref().and_then(moment).ok_or_else(|| StoreError::Unsuitable {
        what: format!("`{place}` does not say what time it is: its answers have no `Date`"),
        help: "name a server that sends one, as HTTP requires, or a proxy that leaves it in".into(),
    })
}
