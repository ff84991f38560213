//! Why a text is not read, and where.

use std::fmt;

/// Why a document is not read, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The byte, from 0.
    pub at: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// It is cut off.
    EndsEarly,
    /// Its bytes are not UTF-8.
    NotUtf8,
    /// Something follows the one document there may be.
    Trailing,
    /// A value was expected.
    NoValue,
    /// A digit was expected.
    NoDigit,
    /// A text in double quotes was expected.
    NoText,
    /// A member's name in double quotes was expected.
    NoName,
    /// A list or an object was expected.
    NoBracket(char),
    /// The colon after a member's name was expected.
    NoColon,
    /// A comma or this closing bracket was expected.
    NoEnd(char),
    /// A control character stands in a text.
    ControlCharacter,
    /// A backslash is followed by a character that it does not escape.
    UnknownEscape,
    /// `\u` is not followed by four hexadecimal digits.
    InvalidEscape,
    /// It is nested deeper than this many levels, which the caller allowed.
    TooDeep(usize),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EndsEarly => f.write_str("it ends too early"),
            Self::NotUtf8 => f.write_str("it is not UTF-8"),
            Self::Trailing => f.write_str("something follows the end of the document"),
            Self::NoValue => f.write_str("a value was expected"),
            Self::NoDigit => f.write_str("a digit was expected"),
            Self::NoText => f.write_str("a string in double quotes was expected"),
            Self::NoName => f.write_str("a name in double quotes was expected"),
            Self::NoBracket(bracket) => write!(f, "`{bracket}` was expected"),
            Self::NoColon => f.write_str("`:` was expected"),
            Self::NoEnd(bracket) => write!(f, "`,` or `{bracket}` was expected"),
            Self::ControlCharacter => f.write_str("a string contains a control character"),
            Self::UnknownEscape => f.write_str("an escape is unknown"),
            Self::InvalidEscape => f.write_str("an escape is invalid"),
            Self::TooDeep(levels) => write!(f, "it is nested deeper than {levels} levels"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.problem, self.at)
    }
}

impl std::error::Error for Fault {}
