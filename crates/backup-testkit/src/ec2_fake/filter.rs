//! Filters of describe calls (EC2 User Guide, "List and filter your resources").

use super::form::Form;
use super::rules::refused;
use super::tags::Tags;
use crate::aws_fake::ApiError;

/// "The maximum number of filter values specified on a single call" ("FilterLimitExceeded", EC2 API Reference, "Error codes").
const VALUES_MAX: usize = 200;

/// The filters of one call: all must fit, each by one of its values.
#[derive(Clone, Debug, Default)]
pub(super) struct Filters(Vec<(String, Vec<String>)>);

/// What a resource is found by.
pub(super) trait Filterable {
    /// Its values of the filter `name`; `None` if there is no such filter.
    fn values(&self, name: &str) -> Option<Vec<String>>;
    /// Its tags.
    fn tags(&self) -> &Tags;
}

impl Filters {
    /// The filters of a request, of which every name must be one of `known`, `tag-key` or `tag:…`.
    pub(super) fn read(form: &Form, known: &[&str]) -> Result<Self, ApiError> {
        let mut filters = Vec::new();
        let mut count = 0;
        for filter in form.list("Filter") {
            let name = filter.required("Name")?.to_owned();
            let values: Vec<String> = filter.texts("Value").into_iter().map(str::to_owned).collect();
            if !(known.contains(&name.as_str()) || name == "tag-key" || name.starts_with("tag:")) {
                return Err(refused("InvalidParameterValue", format!("The filter '{name}' is invalid")));
            }
            count += values.len();
            filters.push((name, values));
        }
        if count > VALUES_MAX {
            let text = format!("The maximum number of filter values specified on a single call is {VALUES_MAX}");
            return Err(refused("FilterLimitExceeded", text));
        }
        Ok(Self(filters))
    }

    pub(super) fn fit(&self, resource: &impl Filterable) -> bool {
        self.0.iter().all(|(name, patterns)| {
            let values = match name.strip_prefix("tag:") {
                Some(key) => resource.tags().get(key).cloned().into_iter().collect(),
                None if name == "tag-key" => resource.tags().keys().cloned().collect(),
                None => resource.values(name).unwrap_or_default(),
            };
            values.iter().any(|value| patterns.iter().any(|pattern| fits(pattern, value)))
        })
    }
}

/// "You can also use wildcards with the filter values. An asterisk (*) matches zero or more characters, and a question
/// mark (?) matches zero or one character." A backslash takes the meaning away.
fn fits(pattern: &str, value: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let value: Vec<char> = value.chars().collect();
    rest_fits(&pattern, &value)
}

fn rest_fits(pattern: &[char], value: &[char]) -> bool {
    match pattern {
        [] => value.is_empty(),
        ['*', rest @ ..] => (0..=value.len()).any(|at| rest_fits(rest, &value[at..])),
        ['?', rest @ ..] => rest_fits(rest, value) || (!value.is_empty() && rest_fits(rest, &value[1..])),
        ['\\', one, rest @ ..] | [one, rest @ ..] => value.first() == Some(one) && rest_fits(rest, &value[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EC2 User Guide, "List and filter your resources".
    #[test]
    fn wildcards_are_those_of_the_user_guide() {
        for (pattern, value, expected) in [
            ("production", "production", true),
            ("production", "Production", false),
            ("prod*", "production", true),
            ("*tion", "production", true),
            ("prod?ction", "production", true),
            ("production?", "production", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern, value), expected, "{pattern} {value}");
        }
    }

    /// EC2 API Reference, "Error codes", `FilterLimitExceeded`.
    #[test]
    fn more_than_200_values_and_unknown_names_are_refused() {
        let form = |values: usize| {
            let values = (1..=values).map(|n| format!("&Filter.1.Value.{n}=x")).collect::<String>();
            Form::read(format!("Filter.1.Name=volume-id{values}").as_bytes())
        };
        assert!(Filters::read(&form(200), &["volume-id"]).is_ok());
        assert_eq!(Filters::read(&form(201), &["volume-id"]).unwrap_err().code, "FilterLimitExceeded");
        assert_eq!(Filters::read(&form(1), &["status"]).unwrap_err().code, "InvalidParameterValue");
    }
}
