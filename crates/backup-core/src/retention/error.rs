//! Why no retention plan was made.

use crate::failure::{Failure, Operation, Setting};

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

impl Failure for RetentionError {
    crate::failure_kinds! {
        []
        NoRule: "retention::no_rule", RetentionRefused, permanent, "no retention rule was given, or only rules that keep nothing",
            ["say what to keep, such as ", Setting::KeepDaily.with("7"), " and ", Setting::KeepWeekly.with("4"),
             ", and check the plan with ", Operation::Plan];
        Invalid: "retention::invalid", Usage, permanent, "a retention rule cannot be used";
        DuplicateId: "retention::duplicate_id", RetentionRefused, permanent, "two backups have the same id",
            "compare both manifests, and remove the copy";
    }
}
