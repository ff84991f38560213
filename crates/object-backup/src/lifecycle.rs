//! Rules by which a bucket itself lets backups of one name expire, or moves them to Glacier: the seed's advice of daily
//! backups that go after a month, and monthly ones that stay.

use backup_core::failure::{Operation, Remedy, Setting};
use backup_core::lifecycle::{ColdClass, LifecycleAction, LifecycleRule};
use backup_core::remedy;

use crate::error::{ObjectError, ObjectResult};
use crate::key;

/// Larger objects are tarballs. S3 itself moves nothing smaller by default, and bills it as if it were so large; manifests
/// have less, so that listings still work.
const TARBALL_BYTES: u64 = 128 * 1024;

/// No upload takes a week, and parts of one that nobody finished are paid for.
const UPLOADS_DAYS: u32 = 7;

/// What a bucket is to do with the backups of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LifecycleOptions {
    /// What the backups are called.
    pub name: String,
    /// Deletes them after so many days.
    pub expire_after_days: Option<u32>,
    /// Moves them to `class` after so many days.
    pub freeze_after_days: Option<u32>,
    /// Where they are moved to.
    pub class: ColdClass,
}

impl LifecycleOptions {
    /// Nothing yet for the backups called `name`.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), expire_after_days: None, freeze_after_days: None, class: ColdClass::Glacier }
    }

    /// Deletes them after so many days.
    #[must_use]
    pub fn expire_after_days(mut self, days: impl Into<Option<u32>>) -> Self {
        self.expire_after_days = days.into();
        self
    }

    /// Moves them to `class` after so many days.
    #[must_use]
    pub fn freeze_after_days(mut self, days: impl Into<Option<u32>>, class: ColdClass) -> Self {
        (self.freeze_after_days, self.class) = (days.into(), class);
        self
    }
}

/// The folder of the backups called `name`, which the rules are for.
///
/// # Errors
/// [`ObjectError::Usage`] for a name that cannot be used.
pub fn folder(name: &str) -> ObjectResult<String> {
    key::folder(name)
}

/// The rules for `options`.
///
/// # Errors
/// [`ObjectError::Usage`] for a name that cannot be used, if nothing is to happen, and for days that contradict each other.
pub fn rules(options: &LifecycleOptions) -> ObjectResult<Vec<LifecycleRule>> {
    let folder = folder(&options.name)?;
    let (expire, freeze) = (options.expire_after_days, options.freeze_after_days);
    if expire.is_none() && freeze.is_none() {
        let (expire, freeze) =
            (Setting::ExpireAfter.with("30d".to_owned()), Setting::GlacierAfter.with("60d".to_owned()));
        return Err(ObjectError::usage("no rule was given", remedy!["use ", expire, ", ", freeze, " or both"]));
    }
    if [expire, freeze].contains(&Some(0)) {
        return Err(ObjectError::usage("a lifecycle rule needs whole days", "give at least one day, such as `30d`"));
    }
    if let (Some(expire), Some(freeze)) = (expire, freeze)
        && expire <= freeze
    {
        return Err(ObjectError::usage(
            format!("backups cannot expire after {expire} days and move to {} after {freeze}", options.class.as_str()),
            "let them expire later, or omit one of the two",
        ));
    }
    let class = options.class;
    let actions = [
        expire.map(|after_days| LifecycleAction::Expire { after_days }),
        freeze.map(|after_days| LifecycleAction::Freeze { after_days, class, over_bytes: TARBALL_BYTES }),
        Some(LifecycleAction::GiveUpUploads { after_days: UPLOADS_DAYS }),
    ];
    Ok(actions.into_iter().flatten().map(|action| LifecycleRule { folder: folder.clone(), action }).collect())
}

/// What to know about `rules` before they are set.
#[must_use]
pub fn warnings(options: &LifecycleOptions) -> Vec<Remedy> {
    let mut warnings = Vec::new();
    if options.expire_after_days.is_some() {
        let name = &options.name;
        warnings.push(remedy![
            format!("S3 deletes by age alone: if backups of `{name}` stop, the last good one is deleted too. "),
            Operation::PruneRecords,
            " keeps it"
        ]);
    }
    let least_days = match options.class {
        ColdClass::Glacier => 90,
        ColdClass::DeepArchive => 180,
    };
    if let (Some(expire), Some(freeze)) = (options.expire_after_days, options.freeze_after_days)
        && expire - freeze < least_days
    {
        let class = options.class.as_str();
        warnings.push(
            format!("{class} is billed for at least {least_days} days, and backups stay there for {}", expire - freeze)
                .into(),
        );
    }
    warnings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn options(expire_after_days: Option<u32>, freeze_after_days: Option<u32>) -> LifecycleOptions {
        LifecycleOptions { name: "daily".to_owned(), expire_after_days, freeze_after_days, class: ColdClass::Glacier }
    }

    #[test]
    fn the_seeds_advice_is_a_document_of_s3() {
        let rules = rules(&options(Some(400), Some(60))).unwrap();
        let documents: Vec<_> = rules.iter().map(|rule| rule.document("prod/")).collect();
        assert_eq!(
            documents,
            [
                json!({"ID": "lastgood expire prod/app/daily/", "Status": "Enabled", "Filter": {"Prefix": "prod/app/daily/"},
                    "Expiration": {"Days": 400}}),
                json!({"ID": "lastgood freeze prod/app/daily/", "Status": "Enabled",
                    "Filter": {"And": {"Prefix": "prod/app/daily/", "ObjectSizeGreaterThan": 131_072}},
                    "Transitions": [{"Days": 60, "StorageClass": "GLACIER"}]}),
                json!({"ID": "lastgood uploads prod/app/daily/", "Status": "Enabled", "Filter": {"Prefix": "prod/app/daily/"},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}),
            ]
        );
    }

    #[test]
    fn days_that_contradict_each_other_are_refused_and_costs_are_told() {
        assert!(rules(&options(None, None)).is_err());
        assert!(rules(&options(Some(0), None)).is_err());
        assert!(rules(&options(Some(30), Some(60))).unwrap_err().to_string().contains("30 days"));
        assert_eq!(rules(&options(Some(30), None)).unwrap().len(), 2);
        assert!(warnings(&options(None, Some(60))).is_empty());
        assert_eq!(warnings(&options(Some(100), Some(60))).len(), 2);
    }
}
