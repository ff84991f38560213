//! The workshop: sets the machine up, builds, and runs everything that checks or shows lastgood.

mod before;
mod bench;
mod demo;
mod dist;
mod docs;
mod e2e;
mod foreign;
mod lean;
mod peers;
mod printer;
mod rows;
mod servers;
mod setup;
mod test;
mod tidy;
mod times;
mod torture;
mod workspace;

use std::process::ExitCode;

use printer::{complain, say};
use workspace::{Outcome, Workspace};

const USAGE: &str = "\
cargo xtask COMMAND

  demo                                            dump, damage and restore a sample database, step by step
  test                                            run everything that CI runs
  test  --all-versions                            the same, and every PostgreSQL server and client from 12 to 18
  test  --from STEP                               begin at this step, by its number or name: for going on after a failure
  setup                                           check for programs that the other commands need; install them if allowed
  servers                                         fetch PostgreSQL servers and clients of every version; print how to use them
  tidy                                            check dependencies between crates, file and function lengths, banned words
  e2e   [--only AREA] [--sql FILE] [--keep]       run acceptance rows, or dump and restore one SQL file, on the built binary
  torture [--minutes N] [--seed S] [--only KIND]  kill, cut, fill and damage at random, and look what is left
  bench pg [--scale S] [--rounds N] [--only JOB]  compare speed and memory with other programs, on this machine
  bench pg --before REVISION|BINARY [--scale S] [--rounds N]  compare this build with an earlier one
  bench dict [--scale S] [--rounds N] [--only JOB]  compare in-memory stores with DictDB
  bench object [--records N] [--rounds N]         compare records of applications with gludb and sqlite3
  bench ec2 [--rounds N] [--only JOB]             compare EBS snapshots with other programs; fails if a target is missed
  docs  [--check]                                 write the generated pages of docs/reference, or check them
  foreign                                         compile a project of a stranger for each of our crates
  dist                                            release binary, debug file, man pages and completions into target/release-files";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Outcome {
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", args),
    };
    let known = ["demo", "test", "setup", "servers", "tidy", "e2e", "torture", "bench", "docs", "foreign", "dist"];
    if !known.contains(&command) {
        say(USAGE);
        return if ["help", "--help", "-h"].contains(&command) {
            Ok(())
        } else {
            Err(format!("there is no command `{command}`").into())
        };
    }
    let workspace = Workspace::open()?;
    match command {
        "demo" => demo::run(&workspace, rest),
        "test" => test::run(&workspace, rest),
        "setup" => setup::run(&workspace),
        "servers" => servers::run(&workspace),
        "tidy" => tidy::run(&workspace),
        "e2e" => e2e::run(&workspace, rest),
        "torture" => torture::run(&workspace, rest),
        "bench" => bench::run(&workspace, rest),
        "docs" => docs::run(&workspace, rest),
        "foreign" => foreign::run(&workspace),
        _ => dist::run(&workspace),
    }
}
