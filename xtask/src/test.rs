//! Everything CI runs, in order, each step timed.

use std::path::Path;
use std::process::Command;

use xshell::cmd;

use crate::printer::say;
use crate::tidy::published;
use crate::times::Times;
use crate::workspace::{Outcome, Profile, Workspace};
use crate::{bench, docs, e2e, foreign, lean, peers, rows, setup, tidy, torture};

/// One step: what it is called and what it does.
type Step = (&'static str, fn(&Workspace) -> Outcome);

const STEPS: [Step; 15] = [
    ("setup", setup::run),
    ("formatting", formatting),
    ("tidy", tidy::run),
    ("what light crates bring", lean::count),
    ("clippy", clippy),
    ("build", |workspace| workspace.build(Profile::Dev)),
    ("unit, integration and documentation tests", tests),
    ("rustdoc", rustdoc),
    ("generated pages", docs::check),
    ("packages for the registry", packages),
    ("light without default features", lean::compile),
    ("projects of strangers", foreign::run),
    ("end to end", rows::run),
    ("torture, two minutes", torture::briefly),
    ("demo, and smoke runs of benchmarks", shown),
];

/// Takes an hour, so that it is not for CI.
const ALL_VERSIONS: (&str, Step) = ("--all-versions", ("every PostgreSQL version", e2e::all_versions));

/// Runs every step; the first that fails ends the run and is named.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    let mut steps = STEPS.to_vec();
    for argument in args {
        if argument != ALL_VERSIONS.0 {
            return Err(format!("`cargo xtask test` takes only {}, and there is `{argument}`", ALL_VERSIONS.0).into());
        }
        steps.push(ALL_VERSIONS.1);
    }
    let (mut times, all) = (Times::begin(), steps.len());
    let passed = steps.into_iter().enumerate().try_for_each(|(number, (name, step))| {
        say(&format!("\n== {}/{all} {name}", number + 1));
        times.of(name, || step(workspace)).map_err(|error| format!("{name}: {error}"))
    });
    say(&format!("\n{}", times.table()));
    passed?;
    say(&format!("all {all} steps passed"));
    Ok(())
}

fn formatting(workspace: &Workspace) -> Outcome {
    cmd!(workspace.shell, "cargo fmt --all --check")
        .run()
        .map_err(|error| format!("{error}; `cargo fmt --all` formats").into())
}

fn clippy(workspace: &Workspace) -> Outcome {
    Ok(cmd!(workspace.shell, "cargo clippy --workspace --all-targets --locked -- -D warnings").run()?)
}

fn tests(workspace: &Workspace) -> Outcome {
    // The stores in memory speak to the original program itself, or the formats would only be our own word.
    let dictdb = peers::python(workspace, &peers::DICTDB)?;
    // Snapshots are read by programs that others published, and the fake of EC2 is compared with another one.
    let readers = peers::python(workspace, &peers::SNAPSHOT_READERS)?;
    let moto = peers::python(workspace, &peers::MOTO)?;
    // Amazon's own client has the last word on tree hashes.
    let botocore = peers::python(workspace, &peers::BOTOCORE)?;
    let beside = |python: &str, program: &str| Path::new(python).with_file_name(program);
    let tests = cmd!(workspace.shell, "cargo test --workspace --locked")
        .env("LASTGOOD_DICTDB_PYTHON", dictdb)
        .env("LASTGOOD_DSNAP", beside(&readers, "dsnap"))
        .env("LASTGOOD_BSNAP", beside(&readers, "bsnap"))
        .env("LASTGOOD_MOTO", beside(&moto, "moto_server"))
        .env("LASTGOOD_BOTOCORE", botocore);
    Ok(tests.run()?)
}

fn rustdoc(workspace: &Workspace) -> Outcome {
    let cargo = cmd!(workspace.shell, "cargo doc --workspace --no-deps --document-private-items --locked");
    Ok(cargo.env("RUSTDOCFLAGS", "-D warnings").run()?)
}

/// Packs each crate that can be published, as the registry would get it; the build of them is the build above.
fn packages(workspace: &Workspace) -> Outcome {
    let all = workspace.metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ours = all.iter().filter(|package| !published::is_published(package));
    let kept = ours.filter_map(|package| package["name"].as_str()).map(|name| format!("--exclude={name}"));
    let kept: Vec<String> = kept.collect();
    let cargo = cmd!(
        workspace.shell,
        "cargo package --workspace {kept...} --no-verify --allow-dirty --locked --offline --quiet"
    );
    Ok(cargo.run()?)
}

/// Only that they work: a busy machine must not fail the run, so no time is looked at.
fn shown(workspace: &Workspace) -> Outcome {
    acceptance(workspace, "demo", &[])?;
    acceptance(workspace, "bench", &["pg", "--smoke"])?;
    let args = ["dict", "--smoke"].map(ToOwned::to_owned);
    let args = bench::dict(workspace, Profile::Dev, &args)?;
    acceptance(workspace, "bench", &args.iter().map(String::as_str).collect::<Vec<_>>())
}

fn acceptance(workspace: &Workspace, name: &str, args: &[&str]) -> Outcome {
    let args: Vec<String> = args.iter().map(ToString::to_string).collect();
    ended(name, workspace.acceptance(Profile::Dev, name, &args)?)
}

fn ended(name: &str, mut command: Command) -> Outcome {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("`{name}` ended with {status}").into()) }
}
