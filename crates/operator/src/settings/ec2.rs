//! The values of `[ec2]` that EC2 itself would refuse only once a command runs: pure.

/// Longest name of a region that is accepted: AWS's are up to 16 letters.
const REGION_LEN_MAX: usize = 32;

/// Longest name and value of a tag, in characters (EC2 User Guide, "Tag restrictions").
const TAG_NAME_MAX: usize = 128;
const TAG_VALUE_MAX: usize = 256;

/// What EC2 cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEc2 {
    /// A tag without an equals sign.
    #[error("use NAME=VALUE, such as `Earmarking=production`")]
    NoEqualsSign,
    /// A tag without a name.
    #[error("the name of a tag cannot be empty")]
    NoName,
    /// A tag that is too long.
    #[error("a tag has a name of up to {} characters and a value of up to {}", TAG_NAME_MAX, TAG_VALUE_MAX)]
    TooLong,
    /// What is no beginning of the name of a region either.
    #[error("use a region such as `eu-west-1`, or the beginning of its name")]
    Region,
}

/// Name and value of a tag written as `NAME=VALUE`. A name has no equals sign, a value may have some.
///
/// # Errors
/// [`InvalidEc2`] about tags.
pub fn tag(text: &str) -> Result<(&str, &str), InvalidEc2> {
    let (name, value) = text.split_once('=').ok_or(InvalidEc2::NoEqualsSign)?;
    if name.is_empty() {
        return Err(InvalidEc2::NoName);
    }
    if name.chars().count() > TAG_NAME_MAX || value.chars().count() > TAG_VALUE_MAX {
        return Err(InvalidEc2::TooLong);
    }
    Ok((name, value))
}

/// Whether `text` can be the beginning of a region's name. Which regions there are is not asked.
///
/// # Errors
/// [`InvalidEc2::Region`].
pub fn region(text: &str) -> Result<(), InvalidEc2> {
    let is_letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let begins = text.starts_with(|letter: char| letter.is_ascii_lowercase());
    if begins && text.len() <= REGION_LEN_MAX && text.chars().all(is_letter) { Ok(()) } else { Err(InvalidEc2::Region) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_name_and_a_value() {
        assert_eq!(tag("Earmarking=a=b"), Ok(("Earmarking", "a=b")));
        assert_eq!(tag("a="), Ok(("a", "")));
        assert_eq!((tag("Earmarking"), tag("=x")), (Err(InvalidEc2::NoEqualsSign), Err(InvalidEc2::NoName)));
        assert_eq!(tag(&format!("{}=x", "a".repeat(129))), Err(InvalidEc2::TooLong));
        assert!(tag(&format!("{}={}", "ä".repeat(128), "ä".repeat(256))).is_ok());
    }

    #[test]
    fn a_region_may_be_shortened_and_is_no_word_with_other_letters() {
        for name in ["eu-west-1", "ap-s", "us", "all"] {
            assert_eq!(region(name), Ok(()), "{name}");
        }
        for name in ["", "EU-west-1", "eu west", "-eu", "eu_west_1", "1eu", &"a".repeat(33)] {
            assert_eq!(region(name), Err(InvalidEc2::Region), "{name}");
        }
    }
}
