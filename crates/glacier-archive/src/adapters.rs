//! What talks to AWS.

#[cfg(feature = "vault")]
use aws_sdk_glacier as _;
#[cfg(feature = "s3")]
use aws_sdk_s3 as _;
