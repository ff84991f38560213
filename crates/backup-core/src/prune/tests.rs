//! Removing beside others.
