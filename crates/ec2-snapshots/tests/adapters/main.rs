//! The real clients of EC2, EBS direct and Systems Manager, made as ours are, on the strict fake of the testkit and on moto,
//! so that fake and client do not share one misreading.
#![cfg(feature = "ec2")]

mod facts;
mod fake;
mod moto;

use backup_core::aws::{Credentials, Endpoint, Settings};

/// What clients of a server at `url` are made from.
fn settings(url: &str) -> Settings {
    Settings::of_endpoint(&Endpoint {
        url: url.to_owned(),
        region: "us-east-1".to_owned(),
        credentials: Credentials::new("111111111111", "testkit"),
    })
}
