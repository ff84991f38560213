//! Throwaway Postgres servers, peers of S3 and EC2 that are strict and fail on demand, and doubles named for the harm they do.
//!
//! Only for tests, benchmarks and the demo; never shipped. The servers are also programs, `pg-cluster`, `s3-peer` and
//! `ec2-fake`, which print their addresses as one line of JSON. Another program, `lease-holder`, holds a lease until it is
//! killed, stopped or told to end.

pub mod aws_fake;
pub mod ec2_fake;
pub mod faults;
pub mod glacier_fake;
pub mod iam;
pub mod namespaces;
pub mod postgres;
pub mod s3_server;
pub mod sns_fake;
pub mod sqs_fake;
pub mod stopping;
mod wire;
