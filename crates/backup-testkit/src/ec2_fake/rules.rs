//! What several calls refuse alike.

use crate::aws_fake::ApiError;

/// "Up to 255 characters" (EC2 API Reference, "CreateSnapshot"; EBS direct APIs reference, "StartSnapshot").
pub(super) const DESCRIPTION_CHARACTERS_MAX: usize = 255;

/// An error of EC2, which has the status 400 unless it is said otherwise (EC2 API Reference, "Error codes").
pub(super) fn refused(code: &str, message: impl Into<String>) -> ApiError {
    ApiError::new(400, code, message)
}
