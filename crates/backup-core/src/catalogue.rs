//! Finds, reads and publishes manifests.
