//! Lifecycle rules, by which a bucket itself expires or moves objects, and the document that sets them.

use serde::Serialize;
use serde_json::{Value, json};

/// Longest id of a rule (AWS, "LifecycleRule").
const ID_CHARS_MAX: usize = 255;

/// A rule for one folder of a location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LifecycleRule {
    /// The folder, ending in `/`.
    pub folder: String,
    /// What happens there.
    #[serde(flatten)]
    pub action: LifecycleAction,
}

/// What happens to objects of a certain age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum LifecycleAction {
    /// They are deleted.
    Expire {
        /// After so many days.
        after_days: u32,
    },
    /// Larger ones move to a cold class.
    Freeze {
        /// After so many days.
        after_days: u32,
        /// Which class.
        class: ColdClass,
        /// Only objects larger than this: manifests must stay readable, and S3 bills cold ones as larger than they are.
        over_bytes: u64,
    },
    /// Uploads nobody finished are given up.
    GiveUpUploads {
        /// After so many days.
        after_days: u32,
    },
}

/// Where objects are read only after hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ColdClass {
    /// Read after minutes to hours; at least 90 days are paid.
    Glacier,
    /// Read after half a day or two; at least 180 days are paid.
    DeepArchive,
}

impl ColdClass {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Glacier => "GLACIER",
            Self::DeepArchive => "DEEP_ARCHIVE",
        }
    }
}

/// What setting rules changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LifecycleChange {
    /// Rules of ours that were not there.
    pub added: usize,
    /// Rules of ours that said something else.
    pub replaced: usize,
    /// Rules of ours that are not wanted any more.
    pub removed: usize,
    /// Rules of others, which stay.
    pub kept: usize,
}

impl LifecycleChange {
    /// Whether there is anything to do.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.added + self.replaced + self.removed == 0
    }
}

impl LifecycleRule {
    /// The rule's id in the bucket, where `prefix` is the location's, empty or ending in `/`; `None` if it is too long.
    #[must_use]
    pub fn id(&self, prefix: &str) -> Option<String> {
        Some(self.action.id(&format!("{prefix}{}", self.folder))).filter(|id| id.chars().count() <= ID_CHARS_MAX)
    }

    /// The rule as `aws s3api put-bucket-lifecycle-configuration` takes it.
    #[must_use]
    pub fn document(&self, prefix: &str) -> Value {
        let folder = format!("{prefix}{}", self.folder);
        let mut rule = json!({ "ID": self.action.id(&folder), "Status": "Enabled", "Filter": { "Prefix": folder } });
        match self.action {
            LifecycleAction::Expire { after_days } => rule["Expiration"] = json!({ "Days": after_days }),
            LifecycleAction::Freeze { after_days, class, over_bytes } => {
                rule["Filter"] = json!({ "And": { "Prefix": folder, "ObjectSizeGreaterThan": over_bytes } });
                rule["Transitions"] = json!([{ "Days": after_days, "StorageClass": class.as_str() }]);
            }
            LifecycleAction::GiveUpUploads { after_days } => {
                rule["AbortIncompleteMultipartUpload"] = json!({ "DaysAfterInitiation": after_days });
            }
        }
        rule
    }
}

impl LifecycleAction {
    fn id(self, folder: &str) -> String {
        let verb = match self {
            Self::Expire { .. } => "expire",
            Self::Freeze { .. } => "freeze",
            Self::GiveUpUploads { .. } => "uploads",
        };
        format!("lastgood {verb} {folder}")
    }

    /// The ids of all rules of ours for `folder`, of whatever action, the location's prefix included.
    #[must_use]
    pub fn ids(folder: &str) -> [String; 3] {
        ["expire", "freeze", "uploads"].map(|verb| format!("lastgood {verb} {folder}"))
    }
}
