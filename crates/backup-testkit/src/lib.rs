//! Throwaway Postgres servers, peers of S3 and EC2 that are strict and fail on demand, and doubles named for the harm they do.
//!
//! Only for tests, benchmarks and the demo; never shipped. The servers are also programs, `pg-cluster`, `s3-peer` and
//! `ec2-fake`, which print their addresses as one line of JSON. Another program, `lease-holder`, holds a lease until it is
//! killed, stopped or told to end. Without the feature `peers` there are only the PostgreSQL servers.

#[cfg(feature = "peers")]
pub mod aws_fake;
#[cfg(feature = "peers")]
pub mod dice;
#[cfg(feature = "peers")]
pub mod ec2_fake;
#[cfg(feature = "peers")]
pub mod faults;
#[cfg(feature = "peers")]
pub mod glacier_fake;
#[cfg(feature = "peers")]
pub mod iam;
#[cfg(feature = "peers")]
pub mod mutations;
#[cfg(feature = "peers")]
pub mod namespaces;
pub mod postgres;
#[cfg(feature = "peers")]
pub mod s3_server;
#[cfg(feature = "peers")]
pub mod sns_fake;
#[cfg(feature = "peers")]
pub mod sqs_fake;
#[cfg(feature = "peers")]
pub mod stopping;
#[cfg(feature = "peers")]
mod wire;
