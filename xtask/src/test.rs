//! Everything CI runs, in order, each step timed.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use xshell::cmd;

use crate::printer::say;
use crate::tidy::published;
use crate::workspace::{Outcome, Profile, Workspace};
use crate::{bench, docs, e2e, lean, peers, setup, tidy};

/// One step: what it is called and what it does.
type Step = (&'static str, fn(&Workspace) -> Outcome);

const STEPS: [Step; 13] = [
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
    ("end to end", e2e),
    ("benchmarks, small", benchmarks),
];

/// Areas of rows that take about as long as the others.
const HALVES: [&[&str]; 2] = [
    &["core", "retention", "truth", "dict", "app", "badday", "pg", "differential"],
    &["ec2", "glacier", "stores", "kill", "versions"],
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
    let begin = Instant::now();
    let mut times = Vec::new();
    for (number, (name, step)) in steps.iter().enumerate() {
        say(&format!("\n== {}/{} {name}", number + 1, steps.len()));
        let step_begin = Instant::now();
        step(workspace).map_err(|error| format!("{name}: {error}"))?;
        times.push((name, step_begin.elapsed()));
    }
    say("");
    for (name, time) in times {
        say(&format!("{:>8.1} s  {name}", time.as_secs_f64()));
    }
    say(&format!("{:>8.1} s  all {} steps passed", begin.elapsed().as_secs_f64(), steps.len()));
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

/// The rows, in halves that run side by side: most of the time of a row is waiting for other programs and for limits.
fn e2e(workspace: &Workspace) -> Outcome {
    let count = |args: &[String]| -> Outcome<usize> {
        let list: Vec<String> = std::iter::once("--list".to_owned()).chain(args.iter().cloned()).collect();
        Ok(String::from_utf8(e2e::command(workspace, &list)?.output()?.stdout)?.lines().count())
    };
    let halves = HALVES.map(|areas| {
        let areas = areas.iter().copied().map(str::to_owned);
        std::iter::once("--only".to_owned()).chain(areas).collect::<Vec<_>>()
    });
    let (all, both) = (count(&[])?, count(&halves[0])? + count(&halves[1])?);
    if all != both {
        return Err(format!(
            "there are {all} rows, and {both} in the areas of xtask/src/test.rs: name the new area there"
        )
        .into());
    }
    let mut first = e2e::command(workspace, &halves[0])?.stdout(Stdio::piped()).spawn()?;
    let lines = first.stdout.take().map(BufReader::new);
    let shown = thread::spawn(move || {
        let lines = lines.into_iter().flat_map(BufRead::lines).map_while(Result::ok);
        lines.inspect(|line| say(line)).filter(|line| is_not_passed(line)).collect::<BTreeSet<String>>()
    });
    // Its lines would stand between the other's: they are shown together once it has ended.
    let second = e2e::command(workspace, &halves[1])?.output()?;
    let first = first.wait()?;
    let mut not_passed = shown.join().map_err(|_| "the output of `e2e` could not be read")?;
    let text = String::from_utf8_lossy(&second.stdout);
    not_passed.extend(text.lines().filter(|line| is_not_passed(line)).map(str::to_owned));
    say(&format!("\n{}", halves[1].join(" ")));
    say(&text);
    say(&String::from_utf8_lossy(&second.stderr));
    for (half, status) in halves.iter().zip([first, second.status]) {
        if !status.success() {
            // Named again here: of a long log, its end is what is looked at.
            let lines = not_passed.into_iter().collect::<Vec<_>>().join("\n");
            return Err(format!("`e2e {}` ended with {status}\n{lines}", half.join(" ")).into());
        }
    }
    Ok(())
}

/// Whether a line of `e2e` tells of a row that failed or was skipped.
fn is_not_passed(line: &str) -> bool {
    ["FAIL  ", "skip  "].iter().any(|word| line.starts_with(word))
}

/// Only that it works: a busy machine must not fail the run, so no time is looked at.
fn benchmarks(workspace: &Workspace) -> Outcome {
    acceptance(workspace, "bench", &["pg", "--scale", "0.01", "--rounds", "1"])?;
    let args = ["dict", "--scale", "0.01", "--rounds", "1"].map(ToOwned::to_owned);
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
