//! An earlier build of the binary, to be compared with this one.

use std::path::{Path, PathBuf};

use xshell::cmd;

use crate::printer::say;
use crate::workspace::{Outcome, Workspace};

/// The option of `bench` that names it.
const OPTION: &str = "--before";

/// `args` with a binary in place of a revision of git after `--before`. What is a file already stays.
pub(crate) fn resolved(workspace: &Workspace, args: &[String]) -> Outcome<Vec<String>> {
    let mut args = args.to_vec();
    let Some(place) = named(&args) else { return Ok(args) };
    let text = args[place].strip_prefix(&format!("{OPTION}=")).unwrap_or(&args[place]).to_owned();
    let binary = if Path::new(&text).is_file() { PathBuf::from(&text) } else { built(workspace, &text)? };
    // The benchmark runs elsewhere.
    let binary = binary.canonicalize()?.display().to_string();
    args[place] = if args[place].starts_with(OPTION) { format!("{OPTION}={binary}") } else { binary };
    Ok(args)
}

/// Where the value of `--before` is among `args`.
fn named(args: &[String]) -> Option<usize> {
    args.iter().enumerate().find_map(|(place, arg)| match arg.strip_prefix(OPTION)? {
        "" => (place + 1 < args.len()).then_some(place + 1),
        value => value.starts_with('=').then_some(place),
    })
}

/// The binary of `revision`, built for release once, in a checkout and a folder of its own.
fn built(workspace: &Workspace, revision: &str) -> Outcome<PathBuf> {
    let (shell, folder) = (&workspace.shell, workspace.target.join("before"));
    let commit = format!("{revision}^{{commit}}");
    let commit = cmd!(shell, "git rev-parse --verify --quiet --end-of-options {commit}").quiet().read();
    let commit = commit.map_err(|_| format!("`{revision}` is neither a file nor a revision of git"))?;
    let binary = folder.join(format!("lastgood-{commit}"));
    if binary.is_file() {
        return Ok(binary);
    }
    say(&format!("building `{revision}` ({commit}) into `{}`", folder.display()));
    let checkout = folder.join("checkout");
    std::fs::create_dir_all(&folder)?;
    // What an interrupted run left.
    let _ = cmd!(shell, "git worktree remove --force {checkout}").quiet().ignore_stderr().run();
    cmd!(shell, "git worktree add --detach {checkout} {commit}").quiet().run()?;
    let target = folder.join("target");
    let manifest = checkout.join("Cargo.toml");
    let built = cmd!(shell, "cargo build --locked --release -p lastgood --manifest-path {manifest}")
        .env("CARGO_TARGET_DIR", &target)
        .run();
    let removed = cmd!(shell, "git worktree remove --force {checkout}").quiet().run();
    built?;
    removed?;
    std::fs::copy(target.join("release").join("lastgood"), &binary)?;
    Ok(binary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_found_in_both_forms() {
        let place = |args: &[&str]| named(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>());
        assert_eq!(place(&["pg", "--before", "HEAD~1", "--rounds", "3"]), Some(2));
        assert_eq!(place(&["pg", "--before=HEAD~1"]), Some(1));
        assert_eq!(place(&["pg", "--before"]), None);
        assert_eq!(place(&["pg", "--beforehand=x", "--rounds"]), None);
    }
}
