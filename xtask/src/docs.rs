//! The generated pages of docs/reference: written from the built binary, and never by hand.

use std::fs;

use xshell::cmd;

use crate::printer::say;
use crate::workspace::{Outcome, Profile, Workspace};

/// Each page, and the arguments with which the binary prints it.
const PAGES: [(&str, &[&str]); 1] = [("docs/reference/cli.md", &["reference"])];

/// Writes the pages; with `--check` only compares.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    workspace.build(Profile::Dev)?;
    match args {
        [] => write(workspace),
        [only] if only == "--check" => check(workspace),
        _ => Err("`cargo xtask docs` takes `--check` or nothing".into()),
    }
}

/// Fails if a page is not what the built binary prints.
pub(crate) fn check(workspace: &Workspace) -> Outcome {
    for (path, args) in PAGES {
        let printed = page(workspace, args)?;
        let committed = fs::read_to_string(workspace.root.join(path)).unwrap_or_default();
        if printed.trim_end() != committed.trim_end() {
            return Err(format!("`{path}` is not what the binary prints: run `cargo xtask docs`").into());
        }
        say(&format!("docs: `{path}` is up to date"));
    }
    Ok(())
}

fn write(workspace: &Workspace) -> Outcome {
    for (path, args) in PAGES {
        let printed = page(workspace, args)?;
        workspace.shell.write_file(path, format!("{}\n", printed.trim_end()))?;
        say(&format!("docs: wrote `{path}`"));
    }
    Ok(())
}

fn page(workspace: &Workspace, args: &[&str]) -> Outcome<String> {
    let lastgood = workspace.binary(Profile::Dev, "lastgood");
    Ok(cmd!(workspace.shell, "{lastgood} {args...}").quiet().env("COLUMNS", "120").env("NO_COLOR", "1").read()?)
}
