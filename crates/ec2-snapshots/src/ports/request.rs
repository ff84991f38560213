//! What is asked of EC2.

use crate::model::{InstanceId, Region, SnapshotId, Tags, VolumeId};

/// A filter of a listing: `name` has one of `values`. Several filters are AND-ed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// As in the EC2 API, such as `status` or `tag:Name`.
    pub name: String,
    /// Up to 200 values a request, all filters together.
    pub values: Vec<String>,
}

impl Filter {
    /// `name` has one of `values`.
    pub fn new<V: Into<String>>(name: impl Into<String>, values: impl IntoIterator<Item = V>) -> Self {
        Self { name: name.into(), values: values.into_iter().map(Into::into).collect() }
    }

    /// `name` is one of `values`, which nobody has checked: wildcards in them match only themselves.
    pub fn literal<'v>(name: impl Into<String>, values: impl IntoIterator<Item = &'v str>) -> Self {
        Self::new(name, values.into_iter().map(literal))
    }

    /// The tag `name` is `value`.
    #[must_use]
    pub fn tag(name: &str, value: &str) -> Self {
        Self::new(format!("tag:{name}"), [literal(value)])
    }

    /// There is a tag `name`.
    #[must_use]
    pub fn tag_key(name: &str) -> Self {
        Self::new("tag-key", [literal(name)])
    }
}

/// Text that a filter takes as it is: `*` and `?` are any text and any character there (EC2 User Guide, "List and filter
/// using the CLI and API"), so that a tag value with one of them would match others.
fn literal(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '*' | '?' | '\\') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Only these; without filters and pages.
    pub ids: Vec<String>,
    /// Only what fits all of them.
    pub filters: Vec<Filter>,
    /// Where the previous page ended.
    pub token: Option<String>,
}

impl Query {
    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// What has these ids.
    #[must_use]
    pub fn of_ids<'i>(ids: impl IntoIterator<Item = &'i str>) -> Self {
        Self { ids: ids.into_iter().map(str::to_owned).collect(), ..Self::default() }
    }

    /// What fits `filters`.
    #[must_use]
    pub fn filtered(filters: Vec<Filter>) -> Self {
        Self { filters, ..Self::default() }
    }
}

/// What a listing answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Some of it; an empty page need not be the last.
    pub items: Vec<T>,
    /// Where the next page begins.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page. EC2 ends a listing with an empty token as well as with none.
    #[must_use]
    pub fn new(items: Vec<T>, next: Option<String>) -> Self {
        Self { items, next: next.filter(|token| !token.is_empty()) }
    }
}

/// Snapshots of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateSnapshots {
    /// The instance.
    pub instance: InstanceId,
    /// The description of each snapshot.
    pub description: String,
    /// The tags of each snapshot, in `TagSpecifications`, so that a snapshot without them never exists.
    pub tags: Tags,
    /// Volumes other than the root volume to leave out.
    pub exclude: Vec<VolumeId>,
    /// Leaves out the root volume.
    pub exclude_boot: bool,
}

/// A snapshot of one volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateSnapshot {
    /// The volume.
    pub volume: VolumeId,
    /// The description of the snapshot.
    pub description: String,
    /// Its tags, in `TagSpecifications`.
    pub tags: Tags,
}

/// A snapshot that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// Its id.
    pub snapshot: SnapshotId,
    /// Its volume.
    pub volume: VolumeId,
}

/// A copy of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopySnapshot {
    /// Where the original is.
    pub source_region: Region,
    /// The original.
    pub source: SnapshotId,
    /// The description of the copy.
    pub description: String,
    /// The tags of the copy, in `TagSpecifications`.
    pub tags: Tags,
    /// Encrypts the copy of an original that is not encrypted. A copy of an encrypted one always is.
    pub encrypted: bool,
    /// The key, by id, ARN or alias; the account's default key without it.
    pub kms_key: Option<String>,
    /// Finishes within this many minutes, for a fee: 15 to 2880, in steps of 15.
    pub completion_minutes: Option<u32>,
}

/// A device of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageDevice {
    /// Its name, such as `/dev/sda1`.
    pub name: String,
    /// What it is made of.
    pub snapshot: SnapshotId,
}

/// A machine image of snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterImage {
    /// Unique in the region; 3 to 128 characters.
    pub name: String,
    /// Up to 255 characters.
    pub description: String,
    /// Such as `x86_64`.
    pub architecture: String,
    /// Which of the devices is started from.
    pub root_device: String,
    /// The devices.
    pub devices: Vec<ImageDevice>,
    /// Tags of the image.
    pub tags: Tags,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_with_a_wildcard_matches_only_itself() {
        assert_eq!(Filter::tag("a", r"b?\"), Filter::new("tag:a", [r"b\?\\"]));
        assert_eq!(Filter::literal("instance-id", ["i-*"]), Filter::new("instance-id", [r"i-\*"]));
    }

    #[test]
    fn an_empty_token_ends_a_listing() {
        assert_eq!(Page::new(vec![1], Some(String::new())).next, None);
        assert_eq!(Page::new(vec![1], Some("t".to_owned())).next.as_deref(), Some("t"));
    }
}
