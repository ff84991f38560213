//! The lifecycle rules of the bucket, as far as they delete archives or move what must be readable.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule};
use jiff::Timestamp;

use super::{Failed, S3Cold};
use crate::class::Class;
use crate::error::GlacierResult;
use crate::expiry::{Expiring, When};
use crate::key;

impl S3Cold {
    /// The rules that delete something of the backups called `name`, or move more of them than archives.
    ///
    /// # Errors
    /// What the store says.
    pub async fn expiring(&self, name: &str) -> GlacierResult<Vec<Expiring>> {
        let folder = &key::all(name);
        let found = self
            .retried(|| async {
                let sent = self.client.get_bucket_lifecycle_configuration().bucket(&self.place.bucket).send().await;
                match sent {
                    Ok(found) => Ok(found.rules.unwrap_or_default()),
                    Err(error) if error.code() == Some("NoSuchLifecycleConfiguration") => Ok(Vec::new()),
                    Err(error) => Err(self.place.failed("s3:GetLifecycleConfiguration", folder, &error)),
                }
            })
            .await
            .map_err(Failed::into_error)?;
        let folder = self.place.full(folder);
        let payloads = key::payloads(name).map(|payload| self.place.full(&payload));
        Ok(found.iter().flat_map(expiring).filter(|rule| rule.meets(&folder, &payloads)).collect())
    }
}

/// What the rule does, if it is in force, to objects without tags, as ours are: it deletes them, or moves them to a class that
/// they must be retrieved from.
fn expiring(rule: &LifecycleRule) -> Vec<Expiring> {
    let filter = rule.filter();
    let and = filter.and_then(|filter| filter.and());
    let is_of_tags =
        filter.is_some_and(|filter| filter.tag().is_some()) || and.is_some_and(|and| !and.tags().is_empty());
    if *rule.status() != ExpirationStatus::Enabled || is_of_tags {
        return Vec::new();
    }
    #[expect(deprecated, reason = "rules that were made long ago have it")]
    let old = rule.prefix();
    let prefix = filter.and_then(|filter| filter.prefix()).or_else(|| and.and_then(|and| and.prefix())).or(old);
    let does = |when: When, to: Option<Class>| Expiring {
        rule: rule.id().map(str::to_owned),
        prefix: prefix.unwrap_or_default().to_owned(),
        when,
        to,
    };
    let deletes = rule.expiration().and_then(|found| Some(does(when(found.days(), found.date())?, None)));
    let moves = rule.transitions().iter().filter_map(|found| {
        let to: Class = found.storage_class()?.as_str().parse().ok()?;
        let is_cold = !to.tiers().is_empty();
        is_cold.then_some(does(when(found.days(), found.date())?, Some(to)))
    });
    deletes.into_iter().chain(moves).collect()
}

fn when(days: Option<i32>, date: Option<&DateTime>) -> Option<When> {
    match (days, date) {
        (Some(days), _) => Some(When::AfterDays(u32::try_from(days).ok()?)),
        (None, date) => Some(When::From(Timestamp::from_second(date?.secs()).ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{
        LifecycleExpiration, LifecycleRuleAndOperator, LifecycleRuleFilter, Tag, Transition, TransitionStorageClass,
    };

    use super::*;

    fn rule(filter: LifecycleRuleFilter, days: Option<i32>, status: ExpirationStatus) -> LifecycleRule {
        let built = LifecycleRule::builder().id("tidy").filter(filter).status(status);
        let expiration = days.map(|days| LifecycleExpiration::builder().days(days).build());
        built.set_expiration(expiration).build().unwrap()
    }

    #[test]
    fn only_rules_in_force_that_delete_what_has_no_tags_count() {
        let prefix = || LifecycleRuleFilter::builder().prefix("team/").build();
        let found = expiring(&rule(prefix(), Some(30), ExpirationStatus::Enabled)).remove(0);
        assert_eq!((found.prefix.as_str(), found.when, found.to), ("team/", When::AfterDays(30), None));
        assert!(expiring(&rule(prefix(), Some(30), ExpirationStatus::Disabled)).is_empty());
        assert!(expiring(&rule(prefix(), None, ExpirationStatus::Enabled)).is_empty(), "it gives up uploads");
        let to = |class| Transition::builder().days(90).storage_class(class).build();
        let moving = LifecycleRule::builder().filter(prefix()).status(ExpirationStatus::Enabled);
        let moving = moving.transitions(to(TransitionStorageClass::StandardIa));
        let moving = moving.transitions(to(TransitionStorageClass::GlacierIr));
        let found = expiring(&moving.transitions(to(TransitionStorageClass::DeepArchive)).build().unwrap());
        let found: Vec<_> = found.iter().map(|found| (found.when, found.to)).collect();
        assert_eq!(found, [(When::AfterDays(90), Some(Class::DeepArchive))], "the others are read at once");
        let tag = Tag::builder().key("a").value("b").build().unwrap();
        let tagged = LifecycleRuleFilter::builder().tag(tag.clone()).build();
        assert!(expiring(&rule(tagged, Some(1), ExpirationStatus::Enabled)).is_empty());
        let and = LifecycleRuleAndOperator::builder().prefix("x/").object_size_greater_than(5);
        let sized = LifecycleRuleFilter::builder().and(and.clone().build()).build();
        assert_eq!(expiring(&rule(sized, Some(1), ExpirationStatus::Enabled))[0].prefix, "x/");
        let sized = LifecycleRuleFilter::builder().and(and.tags(tag).build()).build();
        assert!(expiring(&rule(sized, Some(1), ExpirationStatus::Enabled)).is_empty());
    }
}
