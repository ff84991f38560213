//! `bench pg`: speed and memory against the peers, which run in turn on the same data and machine.

use std::process::ExitCode;

fn main() -> ExitCode {
    lastgood_acceptance::bench::main()
}
