//! Tags and their rules (EC2 User Guide, "Tag your Amazon EC2 resources", section "Tag restrictions").

use std::collections::BTreeMap;

use super::form::Form;
use super::rules::refused;
use super::xml::Xml;
use crate::aws_fake::ApiError;

/// Tags of one resource.
pub type Tags = BTreeMap<String, String>;

/// "Maximum number of tags per resource – 50"; those that AWS makes do not count.
pub(super) const TAGS_MAX: usize = 50;
/// "Maximum key length – 128 Unicode characters".
const KEY_CHARACTERS_MAX: usize = 128;
/// "Maximum value length – 256 Unicode characters".
const VALUE_CHARACTERS_MAX: usize = 256;
/// "The `aws:` prefix is reserved".
const RESERVED: &str = "aws:";

/// The tags `before` with those of the request over them.
pub(super) fn merged(before: &Tags, new: &Tags) -> Result<Tags, ApiError> {
    for (key, value) in new {
        check(key, value)?;
    }
    let mut tags = before.clone();
    tags.extend(new.iter().map(|(key, value)| (key.clone(), value.clone())));
    if tags.keys().filter(|key| !reserved(key)).count() > TAGS_MAX {
        return Err(refused("TagLimitExceeded", "The maximum number of Tags for a resource has been reached."));
    }
    Ok(tags)
}

fn check(key: &str, value: &str) -> Result<(), ApiError> {
    if reserved(key) {
        let text = "Tag keys starting with 'aws:' are reserved for internal use";
        return Err(refused("InvalidParameterValue", text));
    }
    if key.is_empty() || key.chars().count() > KEY_CHARACTERS_MAX {
        let text = format!("Tag key exceeds the maximum length of {KEY_CHARACTERS_MAX} characters");
        return Err(refused("InvalidParameterValue", text));
    }
    if value.chars().count() > VALUE_CHARACTERS_MAX {
        let text = format!("Tag value exceeds the maximum length of {VALUE_CHARACTERS_MAX} characters");
        return Err(refused("InvalidParameterValue", text));
    }
    Ok(())
}

pub(super) fn reserved(key: &str) -> bool {
    key.to_lowercase().starts_with(RESERVED)
}

/// The tags `Tag.1.Key`, `Tag.1.Value`… below a point of a request.
pub(super) fn listed(form: &Form) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for entry in form.list("Tag") {
        let key = entry.required("Key")?.to_owned();
        if tags.insert(key.clone(), entry.get("Value").unwrap_or_default().to_owned()).is_some() {
            let text = format!("Duplicate tag key '{key}' specified.");
            return Err(refused("InvalidParameterValue", text));
        }
    }
    Ok(tags)
}

/// The tags that a create call gives to resources of `kind`, checked.
pub(super) fn specified(form: &Form, kind: &str) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for specification in form.list("TagSpecification") {
        if specification.required("ResourceType")? == kind {
            tags.extend(listed(&specification)?);
        }
    }
    merged(&Tags::new(), &tags)
}

/// Refuses tag specifications for kinds of resources that the call does not make.
pub(super) fn only_for(form: &Form, kinds: &[&str]) -> Result<(), ApiError> {
    for specification in form.list("TagSpecification") {
        let kind = specification.required("ResourceType")?;
        if !kinds.contains(&kind) {
            let text = format!("'{kind}' is not a valid taggable resource type for this operation.");
            return Err(refused("InvalidParameterValue", text));
        }
    }
    Ok(())
}

pub(super) fn write(xml: &mut Xml, tags: &Tags) {
    xml.list("tagSet", tags, |item, (key, value)| {
        item.text("key", key).text("value", value);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(count: usize) -> Tags {
        (0..count).map(|n| (format!("k{n}"), String::new())).collect()
    }

    /// EC2 User Guide, "Tag restrictions".
    #[test]
    fn e9_tags_have_the_limits_of_the_user_guide() {
        let one = |key: &str, value: &str| Tags::from([(key.to_owned(), value.to_owned())]);
        assert!(merged(&Tags::new(), &one(&"ü".repeat(128), &"ü".repeat(256))).is_ok());
        assert!(merged(&Tags::new(), &one(&"k".repeat(129), "")).is_err());
        assert!(merged(&Tags::new(), &one("k", &"v".repeat(257))).is_err());
        assert!(merged(&Tags::new(), &one("AWS:k", "")).is_err());
        assert_eq!(merged(&tags(50), &one("more", "")).unwrap_err().code, "TagLimitExceeded");
        assert!(merged(&tags(50), &one("k1", "new")).is_ok());
    }
}
