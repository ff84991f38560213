//! Proves that a store publishes atomically before anything is written to it.
