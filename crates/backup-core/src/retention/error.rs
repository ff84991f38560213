//! Why no retention plan was made.

/// Why no retention plan was made. Nothing is deleted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RetentionError {
    /// The policy has no rule, or only rules that keep nothing.
    #[error("no retention rule was given; nothing was deleted")]
    NoRule,
    /// A rule makes no sense.
    #[error("invalid retention rule `{rule}`: {what}; nothing was deleted")]
    Invalid {
        /// The rule.
        rule: String,
        /// What is wrong with it.
        what: String,
    },
    /// Two candidates have one id.
    #[error("two backups have the id `{id}`; nothing was deleted")]
    DuplicateId {
        /// The id.
        id: String,
    },
}

impl RetentionError {
    /// A short name of what happened, which stays the same from version to version.
    #[must_use]
    pub fn error_code(&self) -> &'static str {
        match self {
            Self::NoRule => "retention::no_rule",
            Self::Invalid { .. } => "retention::invalid",
            Self::DuplicateId { .. } => "retention::duplicate_id",
        }
    }

    /// The next thing to do, and what is still safe, where there is something to say.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        match self {
            Self::NoRule => {
                Some("say what to keep, such as `--keep-daily 7 --keep-weekly 4`, and check the plan with `-n`")
            }
            Self::DuplicateId { .. } => Some("compare both with `lastgood pg show`, and remove the copy"),
            _ => None,
        }
    }
}
