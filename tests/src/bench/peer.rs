//! The S3 peer of a benchmark.

use std::process::Command;

use super::context::Context;
use crate::Outcome;

pub(crate) struct S3;
impl S3 {
    pub(crate) fn start(_: &Context, _: u64) -> Outcome<Self> {
        Err("no S3".into())
    }
    pub(crate) fn url(&self, prefix: &str) -> String {
        format!("s3://bench/{prefix}")
    }
    pub(crate) fn point(&self, _: &mut Command) {}
    pub(crate) fn stored_bytes(&self, _: &str) -> u64 {
        0
    }
    pub(crate) fn clear(&self, _: &str) -> Outcome {
        Ok(())
    }
}
