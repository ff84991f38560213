//! Reads and sets the lifecycle rules of a bucket; other rules stay.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration,
    LifecycleRule as WireRule, LifecycleRuleAndOperator, LifecycleRuleFilter, Transition, TransitionStorageClass,
};

use super::S3Store;
use super::failure::Operation;
use crate::error::StoreError;
use crate::lifecycle::{ColdClass, LifecycleAction, LifecycleChange, LifecycleRule};
use crate::store::StoreResult;

impl S3Store {
    /// What [`S3Store::set_lifecycle`] would change.
    ///
    /// # Errors
    /// What the server says.
    pub async fn plan_lifecycle(&self, folder: &str, rules: &[LifecycleRule]) -> StoreResult<LifecycleChange> {
        Ok(self.merged_lifecycle(folder, rules).await?.1)
    }

    /// Makes `rules` the rules of `folder`; those of others stay. S3 knows only the whole set of a bucket's rules: what
    /// somebody else sets in the same moment is lost.
    ///
    /// # Errors
    /// What the server says; [`StoreError::Invalid`] for a folder too long.
    pub async fn set_lifecycle(&self, folder: &str, rules: &[LifecycleRule]) -> StoreResult<LifecycleChange> {
        let (all, change) = self.merged_lifecycle(folder, rules).await?;
        if change.is_none() {
            return Ok(change);
        }
        let operation = Operation::new("s3:PutLifecycleConfiguration", folder);
        let invalid = |error: aws_sdk_s3::error::BuildError| StoreError::Invalid { what: error.to_string() };
        let configuration = BucketLifecycleConfiguration::builder().set_rules(Some(all)).build().map_err(invalid)?;
        let place = &self.0.place;
        let request = self.0.client.put_bucket_lifecycle_configuration().bucket(&place.bucket);
        let sent = request.lifecycle_configuration(configuration).send().await;
        sent.map_err(|error| place.error(&operation, error))?;
        Ok(change)
    }

    async fn merged_lifecycle(
        &self,
        folder: &str,
        rules: &[LifecycleRule],
    ) -> StoreResult<(Vec<WireRule>, LifecycleChange)> {
        let place = &self.0.place;
        let operation = Operation::new("s3:GetLifecycleConfiguration", folder);
        let found = self.0.client.get_bucket_lifecycle_configuration().bucket(&place.bucket).send().await;
        let there = match found {
            Ok(found) => found.rules.unwrap_or_default(),
            Err(error) if error.code() == Some("NoSuchLifecycleConfiguration") => Vec::new(),
            Err(error) => return Err(place.error(&operation, error)),
        };
        let wanted = rules.iter().map(|rule| wire(rule, &place.prefix)).collect::<StoreResult<Vec<_>>>()?;
        Ok(merged(there, wanted, &LifecycleAction::ids(&place.full(folder))))
    }
}

/// The rules of the bucket with `wanted` in place of those that have one of the ids `ours`.
fn merged(there: Vec<WireRule>, wanted: Vec<WireRule>, ours: &[String]) -> (Vec<WireRule>, LifecycleChange) {
    let is_ours = |rule: &WireRule| rule.id().is_some_and(|id| ours.iter().any(|own| own == id));
    let (before, mut all): (Vec<_>, Vec<_>) = there.into_iter().partition(is_ours);
    let mut change = LifecycleChange { kept: all.len(), ..LifecycleChange::default() };
    for rule in &wanted {
        match before.iter().find(|old| old.id() == rule.id()) {
            None => change.added += 1,
            Some(old) if old != rule => change.replaced += 1,
            Some(_) => {}
        }
    }
    change.removed = before.iter().filter(|old| !wanted.iter().any(|rule| rule.id() == old.id())).count();
    all.extend(wanted);
    (all, change)
}

fn wire(rule: &LifecycleRule, prefix: &str) -> StoreResult<WireRule> {
    let folder = format!("{prefix}{}", rule.folder);
    let invalid = |what: String| StoreError::Invalid { what };
    let id = rule.id(prefix).ok_or_else(|| invalid(format!("`{folder}` is too long for a lifecycle rule")))?;
    let days = |days: u32| i32::try_from(days).map_err(|_| invalid(format!("{days} days is too long")));
    let built = WireRule::builder().id(id).status(ExpirationStatus::Enabled);
    let whole = LifecycleRuleFilter::builder().prefix(&folder).build();
    let built = match rule.action {
        LifecycleAction::Expire { after_days } => {
            built.filter(whole).expiration(LifecycleExpiration::builder().days(days(after_days)?).build())
        }
        LifecycleAction::Freeze { after_days, class, over_bytes } => {
            let bytes = i64::try_from(over_bytes)
                .map_err(|_| invalid(format!("a minimum size of {over_bytes} bytes is too large")))?;
            let and = LifecycleRuleAndOperator::builder().prefix(&folder).object_size_greater_than(bytes).build();
            let class = match class {
                ColdClass::Glacier => TransitionStorageClass::Glacier,
                ColdClass::DeepArchive => TransitionStorageClass::DeepArchive,
            };
            let transition = Transition::builder().days(days(after_days)?).storage_class(class).build();
            built.filter(LifecycleRuleFilter::builder().and(and).build()).transitions(transition)
        }
        LifecycleAction::GiveUpUploads { after_days } => {
            let abort = AbortIncompleteMultipartUpload::builder().days_after_initiation(days(after_days)?).build();
            built.filter(whole).abort_incomplete_multipart_upload(abort)
        }
    };
    built.build().map_err(|error| invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(action: LifecycleAction) -> WireRule {
        wire(&LifecycleRule { folder: "app/daily/".to_owned(), action }, "team/").unwrap()
    }

    #[test]
    fn rules_of_others_stay_and_ours_are_replaced() {
        let expire = |after_days| rule(LifecycleAction::Expire { after_days });
        let uploads = rule(LifecycleAction::GiveUpUploads { after_days: 7 });
        let other = WireRule::builder().id("theirs").status(ExpirationStatus::Disabled).build().unwrap();
        let nameless = WireRule::builder().status(ExpirationStatus::Enabled).build().unwrap();
        let ours = LifecycleAction::ids("team/app/daily/");
        assert_eq!(ours[0], expire(1).id.unwrap());
        let there = vec![other.clone(), expire(30), nameless.clone(), uploads.clone()];

        let (all, change) = merged(there.clone(), vec![expire(30), uploads.clone()], &ours);
        assert!(change.is_none() && all.len() == 4, "{change:?}");
        let (all, change) = merged(there.clone(), vec![expire(60)], &ours);
        assert_eq!(all, [other.clone(), nameless, expire(60)]);
        assert_eq!(change, LifecycleChange { added: 0, replaced: 1, removed: 1, kept: 2 });
        let (_, change) = merged(vec![other], vec![expire(30), uploads], &LifecycleAction::ids("else/"));
        assert_eq!(change, LifecycleChange { added: 2, kept: 1, ..LifecycleChange::default() });
    }
}
