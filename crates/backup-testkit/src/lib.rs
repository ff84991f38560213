//! Throwaway Postgres servers, an S3 peer that is strict and fails on demand, and doubles named for the harm they do.
//!
//! For tests, benchmarks and the demonstration only: it is never shipped. Both servers also come as programs,
//! `pg-cluster` and `s3-peer`, which print where they are as one line of JSON. A third, `lease-holder`, is there to be
//! killed and stopped.

pub mod faults;
pub mod postgres;
pub mod s3_server;
pub mod stopping;
