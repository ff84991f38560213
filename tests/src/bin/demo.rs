//! `demo`: dumps a sample database, damages it, restores it, and shows each step.

use std::process::ExitCode;

fn main() -> ExitCode {
    lastgood_acceptance::demo::main()
}
