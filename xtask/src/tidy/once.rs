//! `cargo xtask` and `cargo test --workspace` compile each crate once: with the same features. The SDK of EC2 takes minutes
//! and gigabytes, and depends on nearly everything that a feature could differ in; `lastgood` depends on every crate of ours.

use std::collections::{BTreeMap, BTreeSet};

use xshell::cmd;

use crate::workspace::{Outcome, TESTED_FEATURES, Workspace};

/// Packages, each with the sets of features that it is compiled with.
type Compiled = BTreeMap<String, BTreeSet<String>>;

/// What tests would compile once more.
pub(super) fn check(workspace: &Workspace) -> Outcome<Vec<String>> {
    Ok(faults(&compiled(workspace, "normal,build")?, &compiled(workspace, "normal,build,dev")?))
}

fn compiled(workspace: &Workspace, edges: &str) -> Outcome<Compiled> {
    let (shell, form) = (&workspace.shell, "{p}|{f}");
    let tree =
        cmd!(shell, "cargo tree --workspace {TESTED_FEATURES} --edges {edges} --prefix none --format {form} --locked");
    Ok(read(&tree.quiet().read()?))
}

/// Lines of `cargo tree`, a package and its features each.
fn read(tree: &str) -> Compiled {
    let mut compiled = Compiled::new();
    for (package, features) in tree.lines().filter_map(|line| line.split_once('|')) {
        // Behind the version stands what it is, or for crates of ours where it is.
        let package = package.split_once(" (").map_or(package, |(package, _)| package);
        // What stands in several places is marked after the first.
        let features = features.trim_end_matches("(*)").trim_end();
        compiled.entry(package.to_owned()).or_default().insert(features.to_owned());
    }
    compiled
}

fn faults(built: &Compiled, tested: &Compiled) -> Vec<String> {
    let mut faults = Vec::new();
    for (package, features) in built {
        let Some(more) = tested.get(package).and_then(|tested| tested.difference(features).next()) else { continue };
        let known: BTreeSet<&str> = features.iter().flat_map(|features| features.split(',')).collect();
        let missing: Vec<&str> = more.split(',').filter(|feature| !known.contains(feature)).collect();
        faults.push(format!(
            "`{package}` is compiled once more for tests, with `{}`: tests/Cargo.toml asks for what tests of others need, \
             and TESTED_FEATURES of xtask/src/workspace.rs for what tests of ours do",
            missing.join("`, `")
        ));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_that_only_tests_need_is_found() {
        let built =
            "ours v0.1.0 (/here)|a\ntokio v1.54.1|rt,time\ntokio v1.54.1|rt,time (*)\nsyn v2.0.1 (proc-macro)|full";
        let tested = "ours v0.1.0 (/here)|a,b (*)\ntokio v1.54.1|rt,test-util,time\nsyn v2.0.1 (proc-macro)|full\nproptest v1.0.0|std";
        let (built, tested) = (read(built), read(tested));
        let found = faults(&built, &tested);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("`ours v0.1.0` is compiled once more for tests, with `b`"), "{found:?}");
        assert!(found[1].starts_with("`tokio v1.54.1` is compiled once more for tests, with `test-util`"), "{found:?}");
        assert!(faults(&tested, &tested).is_empty());
    }
}
