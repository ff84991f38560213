//! `torture`: kills, cuts, full disks and hostile input at random, against the built binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    lastgood_acceptance::torture::main()
}
