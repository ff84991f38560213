//! The acceptance rows, on the binary that `cargo build` makes.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::servers::{self, Wanted};
use crate::workspace::{Outcome, Profile, Workspace};
use crate::{peers, setup};

/// The rows that need an S3 server which others wrote: by area, and by name.
const ELSEWHERE: [&str; 4] = ["app", "A10", "glacier", "GL20"];

/// The rows about such servers: by area, and how each begins.
const STORES: &str = "stores";
const STORE_ROW: &str = "S-";

/// Names the page that tells what was run, to a run of all of them.
const STORES_PAGE_VARIABLE: &str = "LASTGOOD_STORES_PAGE";

/// The page.
const STORES_PAGE: &str = "docs/stores.md";

/// The rows about versions of PostgreSQL: by area, and how each begins.
const VERSIONS: &str = "versions";
const VERSION_ROW: &str = "V-";

/// Names the page that tells what was run, to a run of all versions.
const PAGE_VARIABLE: &str = "LASTGOOD_VERSIONS_PAGE";

/// The page.
const PAGE: &str = "docs/versions.md";

/// Sets up, builds, and becomes the acceptance run.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    setup::run(workspace)?;
    workspace.build(Profile::Dev)?;
    let is_only = |area: &str| args.iter().map(String::as_str).eq(["--only", area]);
    let mut command =
        if is_only(VERSIONS) { all_versions_command(workspace, args)? } else { command(workspace, args)? };
    if is_only(STORES) {
        command.env(STORES_PAGE_VARIABLE, workspace.root.join(STORES_PAGE));
    }
    Err(command.exec().into())
}

/// The acceptance run, with what its rows need besides.
pub(crate) fn command(workspace: &Workspace, args: &[String]) -> Outcome<Command> {
    let mut command = workspace.acceptance(Profile::Dev, "e2e", args)?;
    if let Some(all) = wants_elsewhere(args) {
        command.env(peers::S3_SERVERS, peers::s3_servers(workspace, all)?);
    }
    let folders = match wants_servers(args) {
        Some(wanted) => {
            setup::extensions(&workspace.shell)?;
            servers::folders(workspace, wanted)?
        }
        None => servers::present(workspace)?,
    };
    command.env(servers::VARIABLE, folders);
    Ok(command)
}

/// Every version of PostgreSQL; the page says afterwards what was run.
pub(crate) fn all_versions(workspace: &Workspace) -> Outcome {
    let status = all_versions_command(workspace, &["--only", VERSIONS].map(str::to_owned))?.status()?;
    if status.success() { Ok(()) } else { Err(format!("`e2e --only {VERSIONS}` ended with {status}").into()) }
}

fn all_versions_command(workspace: &Workspace, args: &[String]) -> Outcome<Command> {
    let mut command = command(workspace, args)?;
    command.env(PAGE_VARIABLE, workspace.root.join(PAGE));
    Ok(command)
}

fn is_given(args: &[String], flag: &str) -> bool {
    args.iter().any(|argument| argument == flag || argument.starts_with(&format!("{flag}=")))
}

/// Whether no row is run.
fn is_quiet(args: &[String]) -> bool {
    ["--list", "--help", "-h"].iter().any(|flag| is_given(args, flag))
}

/// The areas and rows that are asked for.
fn asked(args: &[String]) -> impl Iterator<Item = &str> {
    args.iter().flat_map(|argument| argument.trim_start_matches("--only=").split(','))
}

/// Whether the rows asked for need S3 servers that others wrote, and all of them.
fn wants_elsewhere(args: &[String]) -> Option<bool> {
    if is_quiet(args) || is_given(args, "--sql") {
        return None;
    }
    let is_store = |asked: &str| asked == STORES || asked.starts_with(STORE_ROW);
    let all = !is_given(args, "--only") || asked(args).any(is_store);
    (all || asked(args).any(|asked| ELSEWHERE.contains(&asked))).then_some(all)
}

/// Which servers of other versions the rows need: all, some, or whatever is here.
fn wants_servers(args: &[String]) -> Option<Wanted> {
    if is_quiet(args) || is_given(args, "--sql") {
        return None;
    }
    // Among other areas it is a run of everything, which takes its time already.
    let is_version = |asked: &str| asked.starts_with(VERSION_ROW);
    if asked(args).any(is_version) || asked(args).filter(|asked| !asked.starts_with('-')).eq([VERSIONS]) {
        return Some(Wanted::All);
    }
    let of_postgres = |asked: &str| asked == VERSIONS || asked == "pg" || asked.starts_with('P');
    (!is_given(args, "--only") || asked(args).any(of_postgres)).then_some(Wanted::Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_fetched_for_those_who_need_it() {
        let wanted = |args: &[&str]| wants_elsewhere(&args.iter().map(ToString::to_string).collect::<Vec<_>>());
        for all in [&[][..], &["--keep"], &["--only", "stores"], &["--only=S-moto"], &["--only", "app", "stores"]] {
            assert_eq!(wanted(all), Some(true), "{all:?}");
        }
        assert_eq!((wanted(&["--only", "pg", "app"]), wanted(&["--only=A10"])), (Some(false), Some(false)));
        for none in [&["--only", "pg"][..], &["--sql", "app.sql"], &["--list"]] {
            assert_eq!(wanted(none), None, "{none:?}");
        }
    }
    #[test]
    fn servers_are_fetched_for_those_who_need_them() {
        let wanted = |args: &[&str]| wants_servers(&args.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(wanted(&["--only", "versions"]), Some(Wanted::All));
        assert_eq!(wanted(&["--only=V-12.22-npm-up"]), Some(Wanted::All));
        assert_eq!(wanted(&[]), Some(Wanted::Some));
        assert_eq!(wanted(&["--only", "core", "pg", "versions"]), Some(Wanted::Some));
        assert_eq!(wanted(&["--only", "P-part,D-x"]), Some(Wanted::Some));
        assert_eq!((wanted(&["--only", "ec2"]), wanted(&["--list"])), (None, None));
    }
}
