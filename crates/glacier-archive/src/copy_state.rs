//! Whether an archived object can be read, as S3 tells it: the two forms of `x-amz-restore`.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use serde::Serialize;

/// What can be read of an archived object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "copy", rename_all = "lowercase")]
pub enum CopyState {
    /// Nothing: it must be retrieved first.
    Cold,
    /// Nothing yet: a retrieval is running.
    Running,
    /// All of it.
    Readable {
        /// Until when; absent where it does not end.
        until: Option<Timestamp>,
    },
}

/// A header that is neither of the two forms.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`x-amz-restore: {0}` has neither of its two forms")]
pub struct UnknownForm(pub String);

impl CopyState {
    /// Reads `x-amz-restore`: `ongoing-request="true"`, or `ongoing-request="false", expiry-date="…"` with a date of
    /// HTTP (AWS, "HeadObject"). The storage class says nothing: it stays what it was.
    ///
    /// # Errors
    /// [`UnknownForm`].
    pub fn of_header(header: &str) -> Result<Self, UnknownForm> {
        let unknown = || UnknownForm(header.to_owned());
        let field = |name: &str| {
            let (_, rest) = header.split_once(name)?;
            let (value, _) = rest.strip_prefix("=\"")?.split_once('"')?;
            Some(value)
        };
        match (field("ongoing-request"), field("expiry-date")) {
            (Some("true"), _) => Ok(Self::Running),
            (Some("false"), Some(date)) => {
                let until = DateTimeParser::new().parse_timestamp(date).map_err(|_| unknown())?;
                Ok(Self::Readable { until: Some(until) })
            }
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_header_are_read() {
        assert_eq!(CopyState::of_header(r#"ongoing-request="true""#), Ok(CopyState::Running));
        let restored = r#"ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT""#;
        let until = Some("2012-12-21T00:00:00Z".parse().unwrap());
        assert_eq!(CopyState::of_header(restored), Ok(CopyState::Readable { until }));
        // Without the space, as some servers write it.
        assert_eq!(CopyState::of_header(&restored.replace(", e", ",e")), Ok(CopyState::Readable { until }));
    }

    #[test]
    fn any_other_form_is_refused() {
        for header in
            ["", "ongoing-request", r#"ongoing-request="false""#, r#"ongoing-request="false", expiry-date="soon""#]
        {
            assert_eq!(CopyState::of_header(header), Err(UnknownForm(header.to_owned())));
        }
    }
}
