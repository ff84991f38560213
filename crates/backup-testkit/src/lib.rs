//! Throwaway Postgres servers, an S3 peer that is strict and fails on demand, and doubles named for the harm they do.
//!
//! Only for tests, benchmarks and the demo; never shipped. Both servers are also programs, `pg-cluster` and `s3-peer`,
//! which print their addresses as one line of JSON. A third program, `lease-holder`, holds a lease until it is killed,
//! stopped or told to end.

pub mod aws_fake;
pub mod faults;
pub mod postgres;
pub mod s3_server;
pub mod stopping;
mod wire;
