//! Which tags a snapshot gets: ours, those asked for, and as many of its volume's and instance's as there is room for.

use crate::error::{Ec2Error, Ec2Result};
use crate::lineage;
use crate::model::Tags;

/// Tags a resource can have (EC2 User Guide, "Tag restrictions"), those of AWS not counted.
pub const COUNT_MAX: usize = 50;
/// Longest name, in characters (same page).
pub const NAME_LEN_MAX: usize = 128;
/// Longest value, in characters (same page).
pub const VALUE_LEN_MAX: usize = 256;
/// Names that only AWS may set (same page).
pub const RESERVED: &str = "aws:";

/// Tags for a snapshot, and those of its volume or instance that there was no room for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cloned {
    /// The tags.
    pub tags: Tags,
    /// Names of those that were left out.
    pub left_out: Vec<String>,
}

/// Checks a tag that somebody asks for.
///
/// # Errors
/// [`Ec2Error::Tag`] naming it.
pub fn check(name: &str, value: &str) -> Ec2Result<()> {
    let refused = |what: String| Err(Ec2Error::Tag { name: name.to_owned(), what });
    if name.is_empty() {
        return refused("its name is empty".to_owned());
    }
    // AWS takes the prefix in any mix of upper and lower case for its own.
    if name.to_ascii_lowercase().starts_with(RESERVED) {
        return refused(format!("only AWS sets tags that begin with `{RESERVED}`"));
    }
    let (name_len, value_len) = (name.chars().count(), value.chars().count());
    if name_len > NAME_LEN_MAX {
        return refused(format!("its name has {name_len} characters, more than {NAME_LEN_MAX}"));
    }
    if value_len > VALUE_LEN_MAX {
        return refused(format!("its value has {value_len} characters, more than {VALUE_LEN_MAX}"));
    }
    Ok(())
}

/// `own` tags, which must all be there, and as many as fit of those in `sources`, of which later ones win. Of the sources
/// empty values and what belongs to AWS is skipped, as django-fabfile does.
///
/// # Errors
/// [`Ec2Error::Tag`] if one of `own` cannot be set, or if they are too many already.
pub fn cloned(own: &Tags, sources: &[&Tags]) -> Ec2Result<Cloned> {
    for (name, value) in own.iter() {
        check(name, value)?;
    }
    if let Some((name, _)) = own.iter().nth(COUNT_MAX) {
        return Err(Ec2Error::Tag { name: name.to_owned(), what: format!("a snapshot has at most {COUNT_MAX} tags") });
    }
    let mut wanted = Tags::new();
    for (name, value) in sources.iter().flat_map(|source| source.iter()) {
        // Tags about lineage are of one snapshot: whoever tags a volume as the snapshot it was made of says nothing about ours.
        let is_lineage = name.starts_with(lineage::PREFIX);
        if !value.is_empty() && !is_lineage && own.get(name).is_none() && check(name, value).is_ok() {
            wanted.set(name, value);
        }
    }
    let mut cloned = Cloned { tags: own.clone(), left_out: Vec::new() };
    for (name, value) in wanted.iter() {
        if cloned.tags.len() < COUNT_MAX {
            cloned.tags.set(name, value);
        } else {
            cloned.left_out.push(name.to_owned());
        }
    }
    Ok(cloned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instances_tags_win_over_the_volumes_and_ours_over_both() {
        let own = Tags::new().with("lastgood:set", "s");
        let volume = Tags::new().with("Name", "data").with("a", "1").with("empty", "").with("aws:x", "y");
        let instance =
            Tags::new().with("Name", "db1").with("lastgood:set", "old").with("lastgood:src-snapshot", "snap-1");
        let cloned = cloned(&own, &[&volume, &instance]).unwrap();
        assert_eq!(cloned.tags.iter().collect::<Vec<_>>(), [("Name", "db1"), ("a", "1"), ("lastgood:set", "s")]);
        assert!(cloned.left_out.is_empty());
    }

    #[test]
    fn e9_fifty_tags_fit_and_the_rest_is_named() {
        let own = Tags::new().with("lastgood:set", "s");
        let many: Tags = (0..60).map(|at| (format!("t{at:02}"), "ü".repeat(256))).collect();
        let cloned = cloned(&own, &[&many]).unwrap();
        assert_eq!((cloned.tags.len(), cloned.left_out.len()), (50, 11));
        assert_eq!(cloned.left_out[0], "t49");
        assert!(cloned.tags.get("lastgood:set").is_some());
    }

    #[test]
    fn e9_a_tag_that_cannot_be_set_is_named() {
        for (name, value) in
            [("", "x"), ("aws:x", "y"), ("AWS:x", "y"), (&*"n".repeat(129), "y"), ("n", &*"ü".repeat(257))]
        {
            let error = check(name, value).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
        check(&"ü".repeat(128), &"ü".repeat(256)).unwrap();
    }
}
