//! Speed and memory against the peers, on the binary users run.

use xshell::cmd;

use crate::workspace::{Outcome, Profile, Workspace};
use crate::{before, peers, setup};

/// What others do at least, and virtual time: programs of ec2-snapshots that its rows run.
const EC2_EXAMPLES: [&str; 4] = ["--example", "blocks_alone", "--example", "makespan"];

/// Sets up, builds for release, and becomes the benchmark.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    if args.first().is_some_and(|what| what == "dict") {
        // Our side is a program of its own, so that the one that drives both need not be fast.
        workspace.build(Profile::Dev)?;
        let args = dict(workspace, Profile::Release, args)?;
        return workspace.become_acceptance(Profile::Dev, "bench", &args);
    }
    if args.first().is_some_and(|what| what == "glacier") {
        workspace.build(Profile::Release)?;
        let args = glacier(workspace, Profile::Release, args)?;
        return workspace.become_acceptance(Profile::Release, "bench", &args);
    }
    setup::run(workspace)?;
    let is_ec2 = args.first().is_some_and(|what| what == "ec2");
    if is_ec2 {
        workspace.build_with(Profile::Release, &EC2_EXAMPLES)?
    } else {
        workspace.build(Profile::Release)?
    }
    let mut args = before::resolved(workspace, args)?;
    let names_python = args.iter().any(|argument| argument.starts_with("--python"));
    let asks_for_help = args.iter().any(|argument| argument == "--help" || argument == "-h");
    if args.first().is_some_and(|what| what == "object") && !asks_for_help {
        setup::require(&workspace.shell, "pigz", "pigz")?;
    }
    let peer = match args.first().map(String::as_str) {
        Some("pgclone") => Some(&peers::PGCLONE),
        Some("object") => Some(&peers::GLUDB),
        Some("ec2") => Some(&peers::SNAPSHOT_READERS),
        _ => None,
    };
    if let Some(peer) = peer.filter(|_| !names_python && !asks_for_help) {
        args.extend(["--python".to_owned(), peers::python(workspace, peer)?]);
    }
    if is_ec2 {
        args.extend(["--examples".to_owned(), workspace.binary(Profile::Release, "examples").display().to_string()]);
    }
    workspace.become_acceptance(Profile::Release, "bench", &args)
}

/// `args` with what `bench dict` needs besides: the original program, and ours built as a team that uses it alone does.
pub(crate) fn dict(workspace: &Workspace, profile: Profile, args: &[String]) -> Outcome<Vec<String>> {
    let mut args = args.to_vec();
    if !args.iter().any(|argument| argument.starts_with("--python")) {
        args.extend(["--python".to_owned(), peers::python(workspace, &peers::DICTDB)?]);
    }
    if !args.iter().any(|argument| argument.starts_with("--measure")) {
        let release = (profile == Profile::Release).then_some("--release");
        let package = ["-p", "dictstore-backup", "--no-default-features", "--example", "measure"];
        cmd!(workspace.shell, "cargo build --locked {package...} {release...}").run()?;
        args.extend(["--measure".to_owned(), workspace.binary(profile, "examples/measure").display().to_string()]);
    }
    Ok(args)
}

/// `args` with what `bench glacier` needs besides: botocore, and our library's own jobs.
pub(crate) fn glacier(workspace: &Workspace, profile: Profile, args: &[String]) -> Outcome<Vec<String>> {
    let mut args = args.to_vec();
    if !args.iter().any(|argument| argument.starts_with("--python")) {
        args.extend(["--python".to_owned(), peers::python(workspace, &peers::BOTOCORE)?]);
    }
    if !args.iter().any(|argument| argument.starts_with("--measure")) {
        let release = (profile == Profile::Release).then_some("--release");
        let package = ["-p", "glacier-archive", "--example", "cold_measure"];
        cmd!(workspace.shell, "cargo build --locked {package...} {release...}").run()?;
        args.extend(["--measure".to_owned(), workspace.binary(profile, "examples/cold_measure").display().to_string()]);
    }
    Ok(args)
}
