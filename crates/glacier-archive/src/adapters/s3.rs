//! Retrievals from the cold classes of S3: `RestoreObject`, and what listings and heads tell of it.

mod failure;
mod rules;

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::types::{
    EncodingType, GlacierJobParameters, Object, ObjectStorageClass, OptionalObjectAttributes, RestoreRequest,
    StorageClass, Tier as WireTier,
};
use backup_core::aws::Settings;
use backup_core::key::Key;
use backup_core::retry::{self, RetryPolicy};
use backup_core::run::Run;
use backup_core::store::s3::decoded;
use jiff::Timestamp;

use self::failure::{Failed, Place};
use crate::class::{Class, Tier};
use crate::cold::{ColdStore, Requested, Told};
use crate::copy_state::CopyState;
use crate::error::{GlacierError, GlacierResult};

/// Pages of a listing at most: a hundred million archives at a thousand a page.
const PAGES_MAX: u32 = 100_000;

/// The archives of a bucket below a prefix.
#[derive(Debug)]
pub struct S3Cold {
    client: Client,
    place: Place,
    run: Run,
}

impl S3Cold {
    /// The archives of `bucket` below `prefix`, a folder without `/` at either end, or empty. No request is made. Requests
    /// that failed for now are tried again until `run` is cancelled.
    #[must_use]
    pub fn new(settings: &Settings, bucket: &str, prefix: &str, run: &Run) -> Self {
        // A dot in the bucket's name breaks the certificate of `bucket.endpoint`.
        let path_style = settings.names_endpoint_of("S3") || bucket.contains('.');
        let config = Builder::from(settings.sdk()).force_path_style(path_style).build();
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let place = Place { bucket: bucket.to_owned(), prefix };
        Self { client: Client::from_conf(config), place, run: run.clone() }
    }

    /// Tries again what may succeed later. Each request here can be repeated: a retrieval that is running is not started
    /// again.
    async fn retried<T, F>(&self, request: impl FnMut() -> F) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Failed>>,
    {
        let cancelled = self.run.cancel.cancelled();
        let told = |failed: &retry::FailedAttempt<'_, Failed>| {
            tracing::debug!(error = %failed.error.error, attempt = failed.failed, "trying again");
        };
        retry::run(RetryPolicy::default(), request, |failed: &Failed| failed.is_permanent(), cancelled, told).await
    }

    async fn page(&self, prefix: &str, token: Option<String>) -> Result<Page, Failed> {
        let request = self
            .client
            .list_objects_v2()
            .bucket(&self.place.bucket)
            .prefix(self.place.full(prefix))
            .encoding_type(EncodingType::Url)
            .optional_object_attributes(OptionalObjectAttributes::RestoreStatus)
            .set_continuation_token(token);
        let reply = request.send().await.map_err(|error| self.place.failed("s3:ListBucket", prefix, &error))?;
        let below = |object: &Object| {
            let name = decoded(reply.encoding_type(), object.key()?);
            let told = Told { class: kept_in(object), ..listed_state(object).into() };
            Some((Key::new(name.strip_prefix(&self.place.prefix)?).ok()?, told))
        };
        let next = reply.next_continuation_token().filter(|token| !token.is_empty()).map(str::to_owned);
        let next = next.filter(|_| reply.is_truncated() != Some(false));
        Ok(Page { archives: reply.contents().iter().filter_map(below).collect(), next })
    }
}

/// A page of a listing.
struct Page {
    archives: Vec<(Key, Told)>,
    next: Option<String>,
}

#[async_trait]
impl ColdStore for S3Cold {
    async fn request(&self, key: &Key, tier: Tier, days: u32) -> GlacierResult<Requested> {
        let wire = |tier| match tier {
            Tier::Bulk => WireTier::Bulk,
            Tier::Standard => WireTier::Standard,
            Tier::Expedited => WireTier::Expedited,
        };
        let parameters = GlacierJobParameters::builder().tier(wire(tier)).build().map_err(GlacierError::internal)?;
        // Without `Days` S3 calls the whole document malformed.
        let days = i32::try_from(days).map_err(GlacierError::internal)?;
        let order = RestoreRequest::builder().days(days).glacier_job_parameters(parameters).build();
        let sent = self
            .retried(|| async {
                let request = self.client.restore_object().bucket(&self.place.bucket);
                let request = request.key(self.place.full(key.as_str())).restore_request(order.clone());
                let sent = request.send().await;
                sent.map(drop).map_err(|error| self.place.failed("s3:RestoreObject", key.as_str(), &error))
            })
            .await;
        match sent {
            Ok(()) => Ok(Requested::Taken { job: None }),
            Err(failed) => match failed.code() {
                "RestoreAlreadyInProgress" => Ok(Requested::Running),
                // It is not in a cold class: somebody moved it back. ministack has a name of its own for it.
                "InvalidObjectState" | "ObjectAlreadyInActiveTierError" => Ok(Requested::Readable),
                _ => Err(failed.into_error()),
            },
        }
    }

    async fn list(&self, prefix: &str) -> GlacierResult<BTreeMap<Key, Told>> {
        let (mut archives, mut token) = (BTreeMap::new(), None);
        for _ in 0..PAGES_MAX {
            let page = self.retried(|| self.page(prefix, token.clone())).await.map_err(Failed::into_error)?;
            archives.extend(page.archives);
            match page.next {
                None => return Ok(archives),
                next if next == token => break,
                next => token = next,
            }
        }
        Err(GlacierError::internal(format!("the listing of `{}` does not end", self.place.full(prefix))))
    }

    async fn look(&self, key: &Key) -> GlacierResult<Told> {
        let found = self
            .retried(|| async {
                let request = self.client.head_object().bucket(&self.place.bucket);
                let sent = request.key(self.place.full(key.as_str())).send().await;
                sent.map_err(|error| self.place.failed("s3:GetObject", key.as_str(), &error))
            })
            .await
            .map_err(Failed::into_error)?;
        let copy = match found.restore() {
            Some(header) => CopyState::of_header(header).map_err(GlacierError::internal)?,
            None if found.storage_class().is_some_and(is_cold) => CopyState::Cold,
            None => CopyState::Readable { until: None },
        };
        Ok(copy.into())
    }
}

/// Whether an object must be retrieved before it is read; its class does not change by that.
fn is_cold(class: &StorageClass) -> bool {
    matches!(class, StorageClass::Glacier | StorageClass::DeepArchive)
}

/// The class that a listing says, if it is one that archives are written in.
fn kept_in(object: &Object) -> Option<Class> {
    object.storage_class()?.as_str().parse().ok().filter(|class| *class != Class::Vault)
}

/// What a listing says of an object.
fn listed_state(object: &Object) -> CopyState {
    let is_cold = matches!(object.storage_class(), Some(ObjectStorageClass::Glacier | ObjectStorageClass::DeepArchive));
    let Some(status) = object.restore_status() else {
        return if is_cold { CopyState::Cold } else { CopyState::Readable { until: None } };
    };
    if status.is_restore_in_progress() == Some(true) {
        return CopyState::Running;
    }
    let until = status.restore_expiry_date();
    let until = until.and_then(|until| Timestamp::new(until.secs(), i32::try_from(until.subsec_nanos()).ok()?).ok());
    match until {
        Some(until) => CopyState::Readable { until: Some(until) },
        None if is_cold => CopyState::Cold,
        None => CopyState::Readable { until: None },
    }
}
