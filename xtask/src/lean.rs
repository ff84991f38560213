//! The crates a team takes alone stay light: no SDK it never calls, no C, few dependencies.

use std::collections::BTreeSet;

use xshell::cmd;

use crate::printer::say;
use crate::workspace::{Outcome, Workspace};

/// A crate that must be usable alone.
struct Light {
    name: &'static str,
    /// The most packages it may compile beside itself without default features: what the build of an application bears
    /// without noticing.
    packages_max: usize,
    /// The most lines of its tree as cargo draws it: a package that stands in several places makes several.
    lines_max: usize,
    /// What it cannot be without, of [`HEAVY`].
    needs: &'static [&'static str],
}

const LIGHT: [Light; 7] = [
    Light { name: "python-json", packages_max: 1, lines_max: 1, needs: &[] },
    Light { name: "backup-core", packages_max: 60, lines_max: 60, needs: &[] },
    // Eight lines are tokio-util, whose token stops a run, and tracing, to which every step and verb is told.
    Light { name: "dictstore-backup", packages_max: 60, lines_max: 68, needs: &[] },
    Light { name: "object-backup", packages_max: 120, lines_max: 120, needs: &[] },
    // Plans, prices and the tree hash, for a catalogue and a store of the application's own; TOML is what prices are in.
    Light { name: "glacier-archive", packages_max: 60, lines_max: 84, needs: &[] },
    // Plans, policies and files; the SDK of EC2 and the blocks of snapshots are behind features.
    Light { name: "ec2-snapshots", packages_max: 80, lines_max: 90, needs: &[] },
    // Compression, digests and TLS are what it is for; zstd, BLAKE3 and AWS-LC are C.
    Light { name: "pg-clone", packages_max: 140, lines_max: 220, needs: &["zstd-sys", "aws-lc-", "blake3 "] },
];

/// What makes a crate heavy: an SDK, and C that needs a compiler of its own.
const HEAVY: [&str; 5] = ["aws-", "blake3 ", "zstd-sys", "openssl-sys", "ring "];

/// A group of commands of `lastgood`, which can be built alone, and what then must not be compiled.
struct Group {
    feature: &'static str,
    without: &'static [&'static str],
}

/// SDKs that one group needs, and SQLite, which is C. Locations in S3 are a feature of their own, which two groups bring.
const GROUPS: [Group; 5] = [
    Group { feature: "pg", without: &["aws-config ", "aws-sdk-", "rusqlite "] },
    Group { feature: "dict", without: &["aws-config ", "aws-sdk-", "rusqlite "] },
    Group { feature: "app", without: &["aws-sdk-ec2 ", "aws-sdk-ebs ", "aws-sdk-ssm ", "aws-sdk-glacier "] },
    Group { feature: "ec2", without: &["aws-sdk-glacier ", "aws-sdk-s3 ", "rusqlite "] },
    Group { feature: "glacier", without: &["aws-sdk-ec2 ", "aws-sdk-ebs "] },
];

/// The one that is compiled alone here: what it shares with the others is what they share with each other.
const COMPILED: &str = "pg";

/// Each group of commands brings what it needs and not what the others do.
fn groups(workspace: &Workspace) -> Outcome {
    let (shell, package) = (&workspace.shell, "{p}");
    for Group { feature, without } in GROUPS {
        let tree = cmd!(
            shell,
            "cargo tree -p lastgood --no-default-features --features {feature} --edges normal,build --prefix none --format {package} --locked"
        );
        let tree = tree.quiet().read()?;
        let packages = packages(&tree);
        if let Some(package) = packages.iter().find(|package| without.iter().any(|name| package.starts_with(name))) {
            return Err(format!("lastgood with `{feature}` alone still needs `{package}`").into());
        }
        say(&format!("lastgood with `{feature}` alone: {} packages", packages.len()));
    }
    Ok(())
}

/// Counts what each of them brings. It takes seconds, and runs before anything is compiled.
pub(crate) fn count(workspace: &Workspace) -> Outcome {
    groups(workspace)?;
    let (shell, package) = (&workspace.shell, "{p}");
    for Light { name, packages_max, lines_max, needs } in LIGHT {
        let tree = cmd!(
            shell,
            "cargo tree -p {name} --no-default-features --edges normal,build --prefix none --format {package} --locked"
        );
        let tree = tree.quiet().read()?;
        let packages = packages(&tree);
        if let Some(package) = heavy(&packages, needs) {
            return Err(format!("{name} without default features still needs `{package}`").into());
        }
        let count = packages.len() - 1;
        if count >= packages_max {
            return Err(format!(
                "{name} without default features needs {count} packages; fewer than {packages_max} are allowed"
            )
            .into());
        }
        // As cargo draws it: a package that stands in several places makes several lines.
        let drawn = cmd!(shell, "cargo tree -p {name} --no-default-features --edges normal --locked").quiet().read()?;
        let lines = drawn.lines().collect::<BTreeSet<_>>().len();
        if lines > lines_max {
            return Err(format!(
                "the tree of {name} without default features has {lines} lines, more than {lines_max}"
            )
            .into());
        }
        say(&format!("{name} without default features: {count} packages beside it, {lines} lines"));
    }
    Ok(())
}

/// Compiles each of them as it is without default features.
pub(crate) fn compile(workspace: &Workspace) -> Outcome {
    let shell = &workspace.shell;
    for Light { name, .. } in LIGHT {
        cmd!(shell, "cargo clippy -p {name} --no-default-features --locked -- -D warnings").run()?;
    }
    // What the demo consists of, which its own build would otherwise be the first to compile.
    let (ours, features) = (["-p", "lastgood", "-p", "lastgood-acceptance"], format!("lastgood/{COMPILED}"));
    let alone =
        cmd!(shell, "cargo clippy {ours...} --no-default-features --features {features} --locked -- -D warnings");
    Ok(alone.run()?)
}

/// A package that makes a crate heavy which does not need it.
fn heavy<'p>(packages: &BTreeSet<&'p str>, needs: &[&str]) -> Option<&'p str> {
    let begins = |package: &str, names: &[&str]| names.iter().any(|name| package.starts_with(name));
    packages.iter().copied().find(|package| begins(package, &HEAVY) && !begins(package, needs))
}

/// Name and version of each package of a tree, once.
fn packages(tree: &str) -> BTreeSet<&str> {
    tree.lines().map(|line| line.split(" (").next().unwrap_or(line).trim()).filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_heavy_is_found_unless_it_is_needed() {
        let packages = BTreeSet::from(["aws-lc-sys v0.47.0", "aws-sdk-s3 v1.157.0", "ring v0.17.14", "ringbuf v1.0.0"]);
        assert_eq!(heavy(&packages, &["aws-lc-"]), Some("aws-sdk-s3 v1.157.0"));
        assert_eq!(heavy(&packages, &["aws-"]), Some("ring v0.17.14"));
        assert_eq!(heavy(&packages, &["aws-", "ring "]), None);
    }

    #[test]
    fn a_package_counts_once_however_often_it_is_shown() {
        let tree = "ours v0.1.0 (/somewhere)\nsyn v2.0.1 (proc-macro)\nsyn v2.0.1 (proc-macro) (*)\nsyn v3.0.0\n\n";
        assert_eq!(packages(tree), BTreeSet::from(["ours v0.1.0", "syn v2.0.1", "syn v3.0.0"]));
    }
}
