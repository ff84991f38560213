//! Options that several commands about snapshots have.

use std::fmt;

use clap::Args;
use lastgood_operator::settings::ec2::{self, InvalidEc2};

/// Where.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct InRegions {
    /// Region, or a unique beginning of its name, or `all`; repeatable [default: `ec2.regions` of the configuration file,
    /// otherwise all]
    #[arg(long = "region", value_name = "REGION")]
    pub(crate) region: Vec<String>,
}

/// What carries a tag.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Tagged {
    /// Only instances and snapshots with this tag [default: `ec2.tag` of the configuration file]
    #[arg(long, value_name = "NAME=VALUE", value_parser = tag)]
    pub(crate) tag: Option<Tag>,
}

/// Whose snapshots.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Any {
    /// Include snapshots that other tools created
    #[arg(long)]
    pub(crate) any: bool,
}

/// A tag as it is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

/// Reads `NAME=VALUE`.
pub(crate) fn tag(text: &str) -> Result<Tag, InvalidEc2> {
    ec2::tag(text).map(|(name, value)| Tag { name: name.to_owned(), value: value.to_owned() })
}

/// Reads the ID of an instance: a filter of EC2 would take `*` for any.
pub(crate) fn instance(text: &str) -> Result<String, &'static str> {
    id(text, "i-").ok_or("an instance ID looks like `i-0123456789abcdef0`")
}

/// Reads the ID of a snapshot.
pub(crate) fn snapshot(text: &str) -> Result<String, &'static str> {
    id(text, "snap-").ok_or("a snapshot ID looks like `snap-0123456789abcdef0`")
}

fn id(text: &str, prefix: &str) -> Option<String> {
    let rest = text.strip_prefix(prefix)?;
    let fits = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_no_wildcard_and_is_no_duration() {
        assert_eq!(instance("i-0123456789abcdef0").as_deref(), Ok("i-0123456789abcdef0"));
        for wrong in ["i-*", "5m", "i-", "I-01", "web", "snap-01"] {
            assert!(instance(wrong).is_err(), "{wrong}");
        }
        assert!(snapshot("snap-01").is_ok() && snapshot("snap-?").is_err());
    }

    #[test]
    fn a_tag_is_a_name_and_a_value() {
        let read = tag("Earmarking=a=b").unwrap();
        assert_eq!((read.name.as_str(), read.value.as_str()), ("Earmarking", "a=b"));
        assert!(tag("Earmarking").is_err() && tag("=x").is_err());
        assert_eq!(tag("a=").unwrap().value, "");
    }
}
