//! Errors as miette shows them. What they say is in [`crate::failure::Failure`], for those who do without miette.

#[doc(hidden)]
pub use miette;

use crate::error::{CoreError, FormatError, StoreError};
use crate::lease::LeaseError;
use crate::retention::RetentionError;

/// Makes a [`Failure`](crate::failure::Failure) one that miette can show.
#[macro_export]
macro_rules! diagnostic {
    ($($error:ty),+ $(,)?) => {$(
        impl $crate::diagnostic::miette::Diagnostic for $error {
            fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
                Some(Box::new(<$error as $crate::failure::Failure>::code(self)))
            }

            fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
                <$error as $crate::failure::Failure>::remedy(self)
                    .map(|help| Box::new(help) as Box<dyn std::fmt::Display + 'a>)
            }
        }
    )+};
}

diagnostic!(StoreError, FormatError, CoreError, RetentionError, LeaseError);

#[cfg(test)]
mod tests {
    use miette::Diagnostic;

    use super::*;

    #[test]
    fn what_an_error_contains_speaks_for_itself() {
        let source = "full".into();
        let error = CoreError::from(StoreError::NoSpace { key: "a".into(), bytes_needed: 7, source });
        let shown: &dyn Diagnostic = &error;
        assert_eq!(shown.code().unwrap().to_string(), "store::no_space");
        assert!(shown.help().unwrap().to_string().contains("nothing was published"));
        assert!((&CoreError::Cancelled as &dyn Diagnostic).help().is_none());
    }
}
