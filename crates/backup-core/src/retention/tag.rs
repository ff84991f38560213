//! Which tags somebody means who names one.

/// Whether the tag of a backup is meant by `wanted`: the same tag, or the key of a tag `KEY=VALUE`.
#[must_use]
pub fn tag_is_meant(tag: &str, wanted: &str) -> bool {
    let is_key_of = |tag: &str| tag.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('='));
    tag == wanted || (!wanted.is_empty() && !wanted.contains('=') && is_key_of(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_meant_by_itself_and_by_its_key() {
        for (tag, wanted) in
            [("keep", "keep"), ("env=prod", "env=prod"), ("env=prod", "env"), ("env=", "env"), ("", "")]
        {
            assert!(tag_is_meant(tag, wanted), "{tag} by {wanted}");
        }
        for (tag, wanted) in [
            ("keep", "kee"),
            ("env=prod", "env=pro"),
            ("env=prod", "prod"),
            ("env=a=b", "env=a"),
            ("=x", ""),
            ("environment=x", "env"),
        ] {
            assert!(!tag_is_meant(tag, wanted), "{tag} by {wanted}");
        }
    }
}
