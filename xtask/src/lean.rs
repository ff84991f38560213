//! The crates a team takes alone stay light: no SDK it never calls, no C, few dependencies.

use std::collections::BTreeSet;

use xshell::cmd;

use crate::printer::say;
use crate::workspace::{Outcome, Workspace};

/// Crates that must be usable alone, and the most packages each may compile beside itself without default features: what
/// the build of an application bears without noticing.
const LIGHT: [(&str, usize); 3] = [("backup-core", 60), ("dictstore-backup", 60), ("object-backup", 120)];

/// What would make them heavy: an SDK, and C that needs a compiler of its own.
const HEAVY: [&str; 4] = ["aws-", "zstd-sys", "openssl-sys", "ring"];

/// Counts what each of them brings, and compiles it as it is.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let (shell, package) = (&workspace.shell, "{p}");
    for (name, most) in LIGHT {
        let tree = cmd!(
            shell,
            "cargo tree -p {name} --no-default-features --edges normal,build --prefix none --format {package} --locked"
        );
        let tree = tree.quiet().read()?;
        let packages = packages(&tree);
        if let Some(package) = packages.iter().find(|package| HEAVY.iter().any(|heavy| package.starts_with(heavy))) {
            return Err(format!("{name} without default features still needs `{package}`").into());
        }
        let count = packages.len() - 1;
        if count >= most {
            return Err(format!(
                "{name} without default features needs {count} packages; fewer than {most} are allowed"
            )
            .into());
        }
        // As cargo draws it: a package that stands in several places makes several lines.
        let drawn = cmd!(shell, "cargo tree -p {name} --no-default-features --edges normal --locked").quiet().read()?;
        let lines = drawn.lines().collect::<BTreeSet<_>>().len();
        if lines > most {
            return Err(
                format!("the tree of {name} without default features has {lines} lines, more than {most}").into()
            );
        }
        say(&format!("{name} without default features: {count} packages beside it"));
        cmd!(shell, "cargo clippy -p {name} --no-default-features --locked -- -D warnings").run()?;
    }
    Ok(())
}

/// Name and version of each package of a tree, once.
fn packages(tree: &str) -> BTreeSet<&str> {
    tree.lines().map(|line| line.split(" (").next().unwrap_or(line).trim()).filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_counts_once_however_often_it_is_shown() {
        let tree = "ours v0.1.0 (/somewhere)\nsyn v2.0.1 (proc-macro)\nsyn v2.0.1 (proc-macro) (*)\nsyn v3.0.0\n\n";
        assert_eq!(packages(tree), BTreeSet::from(["ours v0.1.0", "syn v2.0.1", "syn v3.0.0"]));
    }
}
