//! Regions as people write them: in full, as a beginning that only one of them has, or `all`.

use crate::error::{Ec2Error, Ec2Result};
use crate::model::Region;

/// The word for every region.
pub const ALL: &str = "all";

/// The region that `given` means among `known`: the one of that name, or the only one that begins so.
///
/// # Errors
/// [`Ec2Error::Region`] with the candidates.
pub fn resolve(given: &str, known: &[Region]) -> Ec2Result<Region> {
    let unclear = |candidates: Vec<String>| Err(Ec2Error::Region { given: given.to_owned(), candidates });
    if given.is_empty() {
        return unclear(known.iter().map(Region::to_string).collect());
    }
    // A full name wins, although it may also be the beginning of another.
    if let Some(region) = known.iter().find(|region| region.as_str() == given) {
        return Ok(region.clone());
    }
    let candidates: Vec<&Region> = known.iter().filter(|region| region.as_str().starts_with(given)).collect();
    match candidates.as_slice() {
        [one] => Ok((*one).clone()),
        several => unclear(several.iter().map(ToString::to_string).collect()),
    }
}

/// The regions that `given` means, each once and in the order given; all of them for [`ALL`] or nothing.
///
/// # Errors
/// [`Ec2Error::Region`] with the candidates.
pub fn resolve_all(given: &[String], known: &[Region]) -> Ec2Result<Vec<Region>> {
    if given.is_empty() || given.iter().any(|name| name == ALL) {
        return Ok(known.to_vec());
    }
    let mut regions: Vec<Region> = Vec::new();
    for name in given {
        let region = resolve(name, known)?;
        if !regions.contains(&region) {
            regions.push(region);
        }
    }
    Ok(regions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<Region> {
        ["ap-northeast-1", "ap-southeast-1", "eu-west-1", "eu-west-10", "us-east-1"]
            .map(|name| name.parse().unwrap())
            .into()
    }

    #[test]
    fn a_beginning_that_only_one_region_has_means_it() {
        for (given, expected) in [("ap-south", "ap-southeast-1"), ("ap-s", "ap-southeast-1"), ("us", "us-east-1")] {
            assert_eq!(resolve(given, &known()).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn a_full_name_wins_over_one_it_begins() {
        assert_eq!(resolve("eu-west-1", &known()).unwrap().as_str(), "eu-west-1");
    }

    #[test]
    fn otherwise_the_candidates_are_listed() {
        let Err(Ec2Error::Region { candidates, .. }) = resolve("eu", &known()) else { panic!("one was chosen") };
        assert_eq!(candidates, ["eu-west-1", "eu-west-10"]);
        let none = resolve("us-e.*", &known()).unwrap_err().to_string();
        assert_eq!(none, "no region is called `us-e.*` or begins so");
    }

    #[test]
    fn all_and_nothing_mean_every_region() {
        let given = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(resolve_all(&[], &known()).unwrap(), known());
        assert_eq!(resolve_all(&given(&["us", "all"]), &known()).unwrap(), known());
        assert_eq!(resolve_all(&given(&["us", "us-east-1"]), &known()).unwrap().len(), 1);
    }
}
