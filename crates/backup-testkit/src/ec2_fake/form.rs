//! Requests of the EC2 query protocol: a form whose names are paths.

use std::collections::BTreeMap;

use super::rules::refused;
use crate::aws_fake::ApiError;

/// The fields below one point of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    pub(super) fn read(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// All fields in order of their names.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The first names of all paths, `Filter` of `Filter.1.Name`.
    pub(super) fn roots(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|name| name.split('.').next().unwrap_or(name))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A field that must be there ("MissingParameter", EC2 API Reference, "Error codes").
    pub(super) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| refused("MissingParameter", format!("The request must contain the parameter {name}")))
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let number = |value: &str| {
            value.parse().map_err(|_| refused("InvalidParameterValue", format!("Invalid integer value {value}")))
        };
        self.get(name).map(number).transpose()
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(refused("InvalidParameterValue", format!("Invalid boolean value {other}"))),
        }
    }

    /// The texts of a list: `name.1`, `name.2`…
    pub(super) fn texts(&self, name: &str) -> Vec<&str> {
        let numbered = |(own, value)| own_number(own, name, "").map(|number: u32| (number, value));
        let mut found: Vec<(u32, &str)> = self.fields().filter_map(numbered).collect();
        found.sort_by_key(|(number, _)| *number);
        found.into_iter().map(|(_, value)| value).collect()
    }

    /// The fields below `name`.
    pub(super) fn below(&self, name: &str) -> Self {
        let below = |(own, value): (&str, &str)| {
            Some((own.strip_prefix(name)?.strip_prefix('.')?.to_owned(), value.to_owned()))
        };
        Self(self.fields().filter_map(below).collect())
    }

    /// The entries of a list of structures.
    pub(super) fn list(&self, name: &str) -> Vec<Self> {
        let mut found: BTreeMap<u32, Self> = BTreeMap::new();
        for (own, value) in self.below(name).0 {
            if let Some((number, rest)) = own.split_once('.')
                && let Ok(number) = number.parse()
            {
                found.entry(number).or_default().0.insert(rest.to_owned(), value);
            }
        }
        found.into_values().collect()
    }
}

fn own_number(own: &str, name: &str, rest: &str) -> Option<u32> {
    own.strip_prefix(name)?.strip_prefix('.')?.strip_suffix(rest)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_lists_and_structures() {
        let form = Form::read(
            b"Action=X&SnapshotId.2=b&SnapshotId.1=a&SnapshotId.10=c&Filter.1.Name=tag%3AA&Filter.1.Value.1=x&F=true",
        );
        assert_eq!(form.texts("SnapshotId"), ["a", "b", "c"]);
        let filters = form.list("Filter");
        assert_eq!((filters[0].get("Name"), filters[0].texts("Value")), (Some("tag:A"), vec!["x"]));
        assert_eq!((form.flag("F"), form.flag("G")), (Ok(true), Ok(false)));
        assert_eq!(form.required("Q").unwrap_err().code, "MissingParameter");
        assert!(form.roots().any(|root| root == "Filter"));
    }
}
