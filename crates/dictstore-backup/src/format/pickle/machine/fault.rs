//! Why a pickle file is not read.

/// Why a file is not read.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::format::pickle) enum Fault {
    /// It is not whole, or no pickle.
    Damaged(String),
    /// It is one, of something we do not read.
    Refused(String),
    /// What became rows is needed otherwise: it has to be read without building any.
    Again,
}

pub(super) type Step<T = ()> = Result<T, Fault>;
