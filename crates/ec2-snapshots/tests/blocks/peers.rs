//! dsnap and bsnap, which others published, read the same snapshot from the fake: byte for byte what we export.
//!
//! `LASTGOOD_DSNAP` and `LASTGOOD_BSNAP` name their programs; `cargo xtask test` fetches them.

#![expect(clippy::print_stderr, reason = "a test that cannot run here says why")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use backup_testkit::ec2_fake::seed::ACCOUNT;
use bytes::Bytes;
use ec2_snapshots::blocks::{Parent, write_image};

use crate::world::{HERE, World, image};

/// The program that a variable names; without it the test has nothing to compare with, and says so.
fn program(variable: &str) -> Option<PathBuf> {
    let found = std::env::var_os(variable).map(PathBuf::from);
    if found.is_none() {
        eprintln!("skipped: {variable} names no program; `cargo xtask test` sets it");
    }
    found
}

async fn ours(world: &World) -> BTreeMap<u32, Bytes> {
    world.fill(300);
    let snapshot = world.snapshot("snap-0000000a");
    world.export(&snapshot, &Parent::Newest).await.unwrap();
    let path = world.path("ours.img");
    write_image(&world.store, &world.stored(&snapshot.id).await, &path, &world.run).await.unwrap();
    image(&path)
}

fn run(world: &World, program: PathBuf, args: &[&str]) {
    let output = Command::new(program)
        .args(args)
        .current_dir(world.path(""))
        .envs(world.fake.environment(ACCOUNT, HERE))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dsnap_gets_the_same_image() {
    let Some(dsnap) = program("LASTGOOD_DSNAP") else { return };
    let world = World::new().await;
    let ours = ours(&world).await;
    run(&world, dsnap, &["get", "snap-0000000a"]);
    assert!(image(&world.path("snap-0000000a.img")) == ours);
}

#[tokio::test(flavor = "multi_thread")]
async fn bsnap_gets_the_same_image() {
    let Some(bsnap) = program("LASTGOOD_BSNAP") else { return };
    let world = World::new().await;
    let ours = ours(&world).await;
    run(&world, bsnap, &["--snapshot-id", "snap-0000000a", "--output-file", "theirs.img"]);
    assert!(image(&world.path("theirs.img")) == ours);
}
