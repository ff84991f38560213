//! What every error of every crate tells a program: its code, its class, whether it may pass, and what to do about it.

mod remedy;
mod vocabulary;

use std::error::Error;
use std::fmt;

pub use self::remedy::{Call, Part, Remedy, Set, Value};
pub use self::vocabulary::{Operation, Setting};

/// What a failure means for whoever started the run: one variant for each exit code but 0.
///
/// Not `non_exhaustive`: a new class is a new exit code, and whoever maps classes has to decide about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// It failed; the error says what is still safe.
    Failed,
    /// An option, argument or setting cannot be used.
    Usage,
    /// A part was done, and the rest could not be.
    Partial,
    /// There is no location of that name, or something else is there.
    NoLocation,
    /// Somebody else holds the lease or lock.
    Held,
    /// The location does not accept the credentials or the key.
    Key,
    /// What is stored or restored is not what was backed up.
    Integrity,
    /// Retention would do what it must never do.
    RetentionRefused,
    /// Somebody has to confirm first, or it is forbidden here.
    Confirmation,
    /// It was made by a newer version.
    NewerFormat,
    /// The newest backup is too old.
    Stale,
    /// The server or the location cannot be reached, or was lost on the way.
    Unreachable,
    /// A program or a hook failed or is missing.
    Tool,
    /// A restore test failed.
    RestoreTest,
    /// The caller asked to stop.
    Interrupted,
    /// The process was told to end.
    Terminated,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 16] = [
        Self::Failed,
        Self::Usage,
        Self::Partial,
        Self::NoLocation,
        Self::Held,
        Self::Key,
        Self::Integrity,
        Self::RetentionRefused,
        Self::Confirmation,
        Self::NewerFormat,
        Self::Stale,
        Self::Unreachable,
        Self::Tool,
        Self::RestoreTest,
        Self::Interrupted,
        Self::Terminated,
    ];
}

/// What is the same for all errors of one variant: a row of the reference. Its code tells it from others.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct FailureKind {
    /// A short name, which stays the same from version to version.
    pub code: &'static str,
    /// What it means for whoever started the run.
    pub class: Class,
    /// Whether trying the same again cannot help.
    pub is_permanent: bool,
    /// What happened, in general.
    pub meaning: &'static str,
    remedy: Option<fn() -> Remedy>,
}

impl PartialEq for FailureKind {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code
    }
}

impl Eq for FailureKind {}

impl FailureKind {
    /// A row of [`failure_kinds`](crate::failure_kinds).
    #[doc(hidden)]
    #[must_use]
    pub const fn new(
        code: &'static str,
        class: Class,
        is_permanent: bool,
        meaning: &'static str,
        remedy: Option<fn() -> Remedy>,
    ) -> Self {
        Self { code, class, is_permanent, meaning, remedy }
    }

    /// What to do about it in general; an error can know better.
    #[must_use]
    pub fn remedy(&self) -> Option<Remedy> {
        self.remedy.map(|remedy| remedy())
    }
}

/// An error as a decision for the caller. Every error type of these crates is one.
pub trait Failure: Error {
    /// What is the same for all errors of its variant.
    fn kind(&self) -> &'static FailureKind;

    /// Adds the kinds of this type, and of the types in it. Use [`kinds_of`].
    #[doc(hidden)]
    fn collect(kinds: &mut Kinds)
    where
        Self: Sized;

    /// The next thing to do, and what is still safe, where there is something to say.
    fn remedy(&self) -> Option<Remedy> {
        self.kind().remedy()
    }

    /// A short name of what happened, which stays the same from version to version.
    fn code(&self) -> &'static str {
        self.kind().code
    }

    /// What it means for whoever started the run.
    fn class(&self) -> Class {
        self.kind().class
    }

    /// Whether trying the same again cannot help.
    fn is_permanent(&self) -> bool {
        self.kind().is_permanent
    }
}

/// Every kind of failure that an error of type `E` can be, those of the errors in it as well, by code.
#[must_use]
pub fn kinds_of<E: Failure>() -> Vec<FailureKind> {
    let mut kinds = Kinds::default();
    E::collect(&mut kinds);
    let mut rows: Vec<FailureKind> = kinds.tables.into_iter().flatten().copied().collect();
    rows.sort_by_key(|kind| kind.code);
    rows
}

/// Tables of kinds, each once.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Kinds {
    tables: Vec<&'static [FailureKind]>,
}

impl Kinds {
    /// Adds the table of a type; false if it is there already, as it is when types contain each other.
    pub fn add(&mut self, table: &'static [FailureKind]) -> bool {
        let is_new = table.is_empty() || !self.tables.contains(&table);
        if is_new {
            self.tables.push(table);
        }
        is_new
    }
}

/// Writes [`Failure::kind`] inside `impl Failure for` an enum, from a table without a wildcard: a variant that no row
/// names does not compile, and none is missing from [`kinds_of`].
///
/// First, in brackets, the variants that hold another [`Failure`] and leave everything to it, with its type. Then a row
/// for each other variant: its code, its [`Class`], `permanent` or `passing`, what happened, and
/// what to do where that is the same for all: a text, or in brackets the parts of a [`remedy`](crate::remedy).
#[macro_export]
macro_rules! failure_kinds {
    (
        [$( $(#[$when:meta])* $outer:ident($inner:ty) ),* $(,)?]
        $( $variant:ident: $code:literal, $class:ident, $lasts:ident, $meaning:literal $(, $remedy:tt)?; )*
    ) => {
        fn kind(&self) -> &'static $crate::failure::FailureKind {
            match self {
                $( Self::$variant { .. } => const {
                    &$crate::failure_kinds!(@row $code, $class, $lasts, $meaning $(, $remedy)?)
                }, )*
                $( $(#[$when])* Self::$outer(inner) => <$inner as $crate::failure::Failure>::kind(inner), )*
            }
        }

        fn collect(kinds: &mut $crate::failure::Kinds) {
            const OWN: &[$crate::failure::FailureKind] =
                &[$( $crate::failure_kinds!(@row $code, $class, $lasts, $meaning $(, $remedy)?) ),*];
            if kinds.add(OWN) {
                $( $(#[$when])* <$inner as $crate::failure::Failure>::collect(kinds); )*
            }
        }
    };
    (@row $code:literal, $class:ident, $lasts:ident, $meaning:literal) => {
        $crate::failure::FailureKind::new(
            $code, $crate::failure::Class::$class, $crate::failure_kinds!(@$lasts), $meaning, None,
        )
    };
    (@row $code:literal, $class:ident, $lasts:ident, $meaning:literal, $remedy:tt) => {
        $crate::failure::FailureKind::new(
            $code, $crate::failure::Class::$class, $crate::failure_kinds!(@$lasts), $meaning,
            Some($crate::failure_kinds!(@remedy $remedy)),
        )
    };
    (@remedy [$($part:expr),* $(,)?]) => { || $crate::remedy![$($part),*] };
    (@remedy $text:literal) => { || $crate::remedy![$text] };
    (@permanent) => { true };
    (@passing) => { false };
}

/// A failure handed on as a [`Cause`](crate::error::Cause), so that its class is not lost on the way ([`reported`] finds it again): what somebody returns who was asked for
/// a cause of any type.
pub struct Reported(Box<dyn Failure + Send + Sync>);

impl Reported {
    /// `failure` as a cause.
    pub fn cause(failure: impl Failure + Send + Sync + 'static) -> Box<dyn Error + Send + Sync> {
        Box::new(Self(Box::new(failure)))
    }
}

/// The failure that a cause was made of by [`Reported::cause`].
#[must_use]
pub fn reported<'a>(cause: &'a (dyn Error + Send + Sync + 'static)) -> Option<&'a (dyn Failure + Send + Sync)> {
    cause.downcast_ref::<Reported>().map(|reported| &*reported.0)
}

impl fmt::Debug for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for Reported {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::error::{Cause, CoreError, StoreError};

    #[test]
    fn every_class_is_listed_once() {
        assert_eq!(Class::ALL.iter().collect::<BTreeSet<_>>().len(), Class::ALL.len());
    }

    #[test]
    fn the_kinds_of_a_type_hold_those_of_the_types_in_it_once() {
        let codes: Vec<&str> = kinds_of::<CoreError>().iter().map(|kind| kind.code).collect();
        for code in ["core::taken", "format::newer", "retention::no_rule", "store::busy"] {
            assert_eq!(codes.iter().filter(|listed| **listed == code).count(), 1, "{code}");
        }
        assert!(codes.is_sorted());
    }

    #[test]
    fn a_cause_keeps_class_text_and_causes_of_what_it_was() {
        let busy = StoreError::Busy { key: "a".into(), action: "put".into(), source: "503".into() };
        let text = busy.to_string();
        let cause = Reported::cause(busy);
        assert_eq!(reported(&*cause).map(Failure::class), Some(Class::Unreachable));
        assert_eq!(cause.to_string(), text);
        assert_eq!(cause.source().map(ToString::to_string).as_deref(), Some("503"));
        assert!(reported(&*Cause::from("text")).is_none());
    }
}
