//! The lifecycle rules of the bucket, as far as they delete archives.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule};
use jiff::Timestamp;

use super::{Failed, S3Cold};
use crate::error::GlacierResult;
use crate::expiry::{Expiring, When};

impl S3Cold {
    /// The rules that delete something in `folder` of the location.
    ///
    /// # Errors
    /// What the store says.
    pub async fn expiring(&self, folder: &str) -> GlacierResult<Vec<Expiring>> {
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
        Ok(found.iter().filter_map(expiring).filter(|rule| rule.meets(&folder)).collect())
    }
}

/// The rule, if it is in force, and deletes objects without tags: ours have none.
fn expiring(rule: &LifecycleRule) -> Option<Expiring> {
    if *rule.status() != ExpirationStatus::Enabled {
        return None;
    }
    let expiration = rule.expiration()?;
    let when = match (expiration.days(), expiration.date()) {
        (Some(days), _) => When::AfterDays(u32::try_from(days).ok()?),
        (None, Some(date)) => When::From(Timestamp::from_second(date.secs()).ok()?),
        (None, None) => return None,
    };
    let filter = rule.filter();
    let and = filter.and_then(|filter| filter.and());
    if filter.is_some_and(|filter| filter.tag().is_some()) || and.is_some_and(|and| !and.tags().is_empty()) {
        return None;
    }
    #[expect(deprecated, reason = "rules that were made long ago have it")]
    let old = rule.prefix();
    let prefix = filter.and_then(|filter| filter.prefix()).or_else(|| and.and_then(|and| and.prefix())).or(old);
    Some(Expiring { rule: rule.id().map(str::to_owned), prefix: prefix.unwrap_or_default().to_owned(), when })
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{LifecycleExpiration, LifecycleRuleAndOperator, LifecycleRuleFilter, Tag};

    use super::*;

    fn rule(filter: LifecycleRuleFilter, days: Option<i32>, status: ExpirationStatus) -> LifecycleRule {
        let built = LifecycleRule::builder().id("tidy").filter(filter).status(status);
        let expiration = days.map(|days| LifecycleExpiration::builder().days(days).build());
        built.set_expiration(expiration).build().unwrap()
    }

    #[test]
    fn only_rules_in_force_that_delete_what_has_no_tags_count() {
        let prefix = || LifecycleRuleFilter::builder().prefix("team/").build();
        let found = expiring(&rule(prefix(), Some(30), ExpirationStatus::Enabled)).unwrap();
        assert_eq!((found.prefix.as_str(), found.when), ("team/", When::AfterDays(30)));
        assert_eq!(expiring(&rule(prefix(), Some(30), ExpirationStatus::Disabled)), None);
        assert_eq!(expiring(&rule(prefix(), None, ExpirationStatus::Enabled)), None, "it moves or gives up uploads");
        let tag = Tag::builder().key("a").value("b").build().unwrap();
        let tagged = LifecycleRuleFilter::builder().tag(tag.clone()).build();
        assert_eq!(expiring(&rule(tagged, Some(1), ExpirationStatus::Enabled)), None);
        let and = LifecycleRuleAndOperator::builder().prefix("x/").object_size_greater_than(5);
        let sized = LifecycleRuleFilter::builder().and(and.clone().build()).build();
        assert_eq!(expiring(&rule(sized, Some(1), ExpirationStatus::Enabled)).unwrap().prefix, "x/");
        let sized = LifecycleRuleFilter::builder().and(and.tags(tag).build()).build();
        assert_eq!(expiring(&rule(sized, Some(1), ExpirationStatus::Enabled)), None);
    }
}
