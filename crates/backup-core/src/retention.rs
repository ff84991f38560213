//! Which backups to keep and which to delete: one pure function for every kind.

/// Why no retention plan was made. Nothing is deleted.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum RetentionError {
    /// The policy has no rule, or only rules of zero.
    #[error("no retention rule was given, so that every backup but the last would go; nothing was deleted")]
    #[diagnostic(
        code("retention::no_rule"),
        help("name what to keep, such as `--keep-daily 7 --keep-weekly 4`; `-n` shows the plan")
    )]
    NoRule,
}
