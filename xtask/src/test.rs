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

/// Runs every step, or those from one on; the first that fails ends the run and is named.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    let (steps, first) = chosen(args)?;
    let (mut times, all) = (Times::begin(), steps.len());
    let passed = steps.into_iter().enumerate().skip(first).try_for_each(|(number, (name, step))| {
        say(&format!("\n== {}/{all} {name}", number + 1));
        times.of(name, || step(workspace)).map_err(|error| format!("{name}: {error}"))
    });
    say(&format!("\n{}", times.table()));
    passed?;
    say(&match first {
        0 => format!("all {all} steps passed"),
        _ => format!("steps {} to {all} of {all} passed", first + 1),
    });
    Ok(())
}

/// The steps, and how many of them are skipped because `--from` names a later one.
fn chosen(args: &[String]) -> Outcome<(Vec<Step>, usize)> {
    let (mut steps, mut first, mut args) = (STEPS.to_vec(), 0, args.iter());
    while let Some(argument) = args.next() {
        match argument.as_str() {
            "--from" => first = number_of(args.next())?,
            name if name == ALL_VERSIONS.0 => steps.push(ALL_VERSIONS.1),
            _ => return Err(format!("`cargo xtask test` has no argument `{argument}`").into()),
        }
    }
    Ok((steps, first))
}

/// Where the step that is named, or has this number, stands.
fn number_of(step: Option<&String>) -> Outcome<usize> {
    let names = || STEPS.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let step = step.ok_or_else(|| format!("--from needs the number of a step or its name: {}", names()))?;
    let by_number = step.parse::<usize>().ok().filter(|number| (1..=STEPS.len()).contains(number));
    by_number
        .map(|number| number - 1)
        .or_else(|| STEPS.iter().position(|(name, _)| name == step))
        .ok_or_else(|| format!("there is no step `{step}`: {}", names()).into())
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
    let tests = cmd!(workspace.shell, "cargo test --workspace --locked --no-fail-fast")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_begins_again_at_the_step_that_failed() {
        let first = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(ToString::to_string).collect();
            chosen(&args).map(|(steps, first)| (steps.len() - STEPS.len(), first)).ok()
        };
        assert_eq!(first(&[]), Some((0, 0)));
        assert_eq!(first(&["--from", "tidy", "--all-versions"]), Some((1, 2)));
        assert_eq!(first(&["--from", "15"]), Some((0, 14)));
        for wrong in [&["--from"][..], &["--from", "0"], &["--from", "16"], &["--from", "dessert"], &["tidy"]] {
            assert_eq!(first(wrong), None, "{wrong:?}");
        }
    }
}
