//! Amazon's own client says the same of random bytes. `LASTGOOD_BOTOCORE` names a Python that has botocore, which
//! `cargo xtask test` installs; without it nothing is compared.

#![expect(clippy::print_stderr, reason = "a test that cannot run here says why")]

use std::io::Write as _;
use std::num::NonZeroUsize;
use std::process::Command;

use glacier_archive::tree_hash::{LEAF_BYTES, TreeHash, tree_hash_of_file};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Lengths that are compared: each starts a Python.
const CASES: u32 = 24;

const PROGRAM: &str =
    "import sys; from botocore.utils import calculate_tree_hash as h; print(h(open(sys.argv[1], 'rb')))";

/// Bytes that repeat in no way a tree could hide.
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(&mut next).take(length.div_ceil(8)).flatten().collect();
    bytes.truncate(length);
    bytes
}

#[test]
fn botocore_hashes_random_lengths_as_we_do() {
    let Some(python) = std::env::var_os("LASTGOOD_BOTOCORE") else {
        eprintln!("skipped: LASTGOOD_BOTOCORE names no Python with botocore; `cargo xtask test` sets it");
        return;
    };
    let around = (0..12_usize, -2..3_i64)
        .prop_map(|(leaves, more)| (leaves * LEAF_BYTES).saturating_add_signed(isize::try_from(more).unwrap()));
    let lengths = prop_oneof![0..12 * LEAF_BYTES, around];
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let checked = runner.run(&(lengths, any::<u64>()), |(length, seed)| {
        let content = bytes(seed, length);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&content).unwrap();
        let output = Command::new(&python).args(["-c", PROGRAM]).arg(file.path()).output().unwrap();
        prop_assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        prop_assert_eq!(&said, &TreeHash::<LEAF_BYTES>::of(&content).to_string(), "{} bytes", length);
        let cores = NonZeroUsize::new(3).unwrap();
        prop_assert_eq!(said, tree_hash_of_file(file.as_file(), length as u64, cores).unwrap().to_string());
        Ok(())
    });
    checked.unwrap();
}
