//! EBS snapshots by tag: consistent, replicated across regions, trimmed logarithmically.

#[cfg(feature = "ec2")]
mod adapters;
