//! Why a row is not as it should be.

/// Result of a row.
pub type RowResult<T = ()> = Result<T, Failure>;

/// Why a row failed, or why it could not be run.
///
/// Deliberately no `Error`, so that every error converts into it by `?`.
#[derive(Debug)]
pub enum Failure {
    /// Something is not as it should be.
    Failed(String),
    /// The machine lacks what the row needs; a failure where everything must run.
    Skipped(String),
}

impl Failure {
    /// Something is not as it should be.
    pub fn new(what: impl Into<String>) -> Self {
        Self::Failed(what.into())
    }

    /// Says where it happened.
    #[must_use]
    pub fn within(self, place: &str) -> Self {
        match self {
            Self::Failed(what) => Self::Failed(format!("{place}: {what}")),
            skipped @ Self::Skipped(_) => skipped,
        }
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            source = cause.source();
        }
        Self::Failed(text)
    }
}

/// Adds to a result where it happened.
pub trait Within {
    /// Says where a failure happened.
    #[must_use]
    fn within(self, place: &str) -> Self;
}

impl<T> Within for RowResult<T> {
    fn within(self, place: &str) -> Self {
        self.map_err(|failure| failure.within(place))
    }
}

/// Fails the row unless the condition holds; the rest is what to say, as for `format!`.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::harness::Failure::new(format!($($message)+)));
        }
    };
}

/// Fails the row unless both are equal; the rest says what was compared.
#[macro_export]
macro_rules! ensure_eq {
    ($left:expr, $right:expr, $($message:tt)+) => {
        match (&$left, &$right) {
            (left, right) if left == right => {}
            (left, right) => {
                return Err($crate::harness::Failure::new(format!(
                    "{}: it is {left:?}, and should be {right:?}", format!($($message)+)
                )));
            }
        }
    };
}
