//! Strings that must not be shown.
