//! `e2e`: the acceptance rows, driven against the built binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    lastgood_acceptance::e2e::main()
}
