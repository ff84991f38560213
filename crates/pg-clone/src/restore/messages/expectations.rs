//! What is known beforehand to fail.

use crate::stored::detail::ForeignKey;

/// What is known beforehand to fail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expectations {
    /// Foreign keys that refer to tables left out of the dump.
    pub excluded_foreign_keys: Vec<ForeignKey>,
    /// Whether only foreign keys are made that rows left out of the dump may break.
    pub doubtful_foreign_keys: bool,
    /// The restoring role is none of a superuser's on a managed server: what only others may do is left out.
    pub managed: bool,
    /// Post-create hooks ran before: what they made may be there.
    pub hooks_ran: bool,
    /// `pg_restore` is of 17 or newer and the server is not.
    pub unknown_setting: bool,
    /// It runs with several workers. Of these it counts the entries after an error too, so that its own count tells only
    /// whether there was one.
    pub parallel: bool,
}
