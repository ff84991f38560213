//! Projects of strangers: each depends on one of our crates alone and compiles, with the versions that we are tested with.

use std::fs;

use xshell::cmd;

use crate::printer::say;
use crate::workspace::{Outcome, Workspace};

/// Where they are.
const FOLDER: &str = "examples/foreign";

/// The crates that a team can use alone; the project of each is called like it.
const CRATES: [&str; 5] = ["pg-clone", "object-backup", "dictstore-backup", "ec2-snapshots", "glacier-archive"];

/// Compiles each of them by itself: together their features would be those of all.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let folder = workspace.root.join(FOLDER);
    // No registry is asked: what ours needs was fetched for ours, and theirs is a part of it.
    fs::copy(workspace.root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    for name in CRATES {
        let manifest = folder.join(name).join("Cargo.toml");
        stands_alone(name, &fs::read_to_string(&manifest)?)?;
        let (shell, target) = (&workspace.shell, &workspace.target);
        cmd!(shell, "cargo check --offline --quiet --manifest-path {manifest} --target-dir {target}").run()?;
        say(&format!("{FOLDER}/{name} compiles with {name} alone"));
    }
    Ok(())
}

/// Whether a project names no other crate of ours, and that one without its default features.
fn stands_alone(name: &str, manifest: &str) -> Outcome {
    let ours: Vec<&str> = manifest.lines().filter(|line| line.contains("path = ")).collect();
    match ours.as_slice() {
        [only] if only.starts_with(&format!("{name} = ")) && only.contains("default-features = false") => Ok(()),
        lines => {
            Err(format!("{FOLDER}/{name} has to depend on {name} without default features alone: {lines:?}").into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_that_needs_another_crate_of_ours_is_none_of_a_stranger() {
        let only = "pg-clone = { path = \"../../../crates/pg-clone\", default-features = false }";
        let core = "backup-core = { path = \"../../../crates/backup-core\" }";
        assert!(stands_alone("pg-clone", only).is_ok());
        assert!(stands_alone("pg-clone", &format!("{only}\n{core}")).is_err());
        assert!(stands_alone("pg-clone", &only.replace(", default-features = false", "")).is_err());
    }
}
