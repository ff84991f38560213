//! Blocks of snapshots through the real client of EBS direct, on the strict fake of the testkit.
#![cfg(feature = "ec2")]

mod damage;
mod export;
mod import;
mod peers;
mod policies;
mod verify;
mod world;
