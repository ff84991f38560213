//! Which crates of others come with ours: their licences, their sources and what is there twice, by the rules of `deny.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde::Deserialize;
use serde_json::Value;
use spdx::{Expression, LicenseReq, ParseMode};
use xshell::cmd;

use crate::workspace::{Outcome, Workspace};

/// The rules, as cargo-deny reads them too.
const RULES: &str = "deny.toml";

/// What `Cargo.lock` calls the one registry.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// What is used of the rules; cargo-deny knows more fields.
#[derive(Debug, Deserialize)]
struct Rules {
    graph: Graph,
    licenses: Licenses,
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
    exceptions: Vec<Exception>,
}

#[derive(Debug, Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    skip: Vec<Skip>,
}

#[derive(Debug, Deserialize)]
struct Skip {
    /// `name@version`.
    #[serde(rename = "crate")]
    package: String,
    reason: String,
}

/// Reads rules and `cargo metadata`, and says what breaks a rule and which rule nothing needs.
pub(super) fn check(workspace: &Workspace) -> Outcome<Vec<String>> {
    let rules: Rules = toml::from_str(&fs::read_to_string(workspace.root.join(RULES))?)?;
    let platforms = rules.graph.targets.iter().map(|target| format!("--filter-platform={target}"));
    let platforms: Vec<String> = platforms.collect();
    // Not `--offline`: a fresh checkout has not fetched yet what the build is going to need anyway.
    let text = cmd!(workspace.shell, "cargo metadata --locked --format-version 1 {platforms...}").quiet().read()?;
    Ok(faults(&rules, &serde_json::from_str(&text)?))
}

fn faults(rules: &Rules, metadata: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut excepted: BTreeSet<&str> = BTreeSet::new();
    for package in metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let text = |field: &str| package[field].as_str();
        let (name, version) = (text("name").unwrap_or_default(), text("version").unwrap_or_default());
        versions.entry(name).or_default().push(version);
        // Those without a source are ours.
        let Some(source) = text("source") else { continue };
        if source != REGISTRY {
            faults.push(format!("`{name}` {version} comes from `{source}`, and only the registry is a source"));
        }
        let exception = rules.licenses.exceptions.iter().find(|exception| exception.name == name);
        match license_fault(text("license"), &rules.licenses.allow) {
            None => {}
            Some(_) if license_fault(text("license"), exception.map_or(&BTreeSet::new(), |e| &e.allow)).is_none() => {
                excepted.insert(name);
            }
            Some(what) => faults.push(format!("`{name}` {version} {what}; {RULES} says which licences may be")),
        }
    }
    faults.extend(duplicates(rules, &versions));
    let unneeded = rules.licenses.exceptions.iter().filter(|exception| !excepted.contains(exception.name.as_str()));
    faults.extend(unneeded.map(|exception| format!("{RULES}: the exception for `{}` is not needed", exception.name)));
    faults
}

/// Why a crate with this licence may not come with ours, if it may not.
fn license_fault(license: Option<&str>, allowed: &BTreeSet<String>) -> Option<String> {
    let Some(license) = license else { return Some("names no licence".to_owned()) };
    let Ok(expression) = Expression::parse_mode(license, ParseMode::LAX) else {
        return Some(format!("has the licence `{license}`, which is no SPDX expression"));
    };
    let is_allowed = |wanted: &LicenseReq| {
        let id = wanted.license.id().map(|id| id.name.to_owned());
        wanted.addition.is_none() && id.is_some_and(|id| allowed.contains(&id))
    };
    (!expression.evaluate(is_allowed)).then(|| format!("has the licence `{license}`"))
}

/// Of a crate that is there in several versions all but the newest need a reason.
fn duplicates(rules: &Rules, versions: &BTreeMap<&str, Vec<&str>>) -> Vec<String> {
    let mut skipped: BTreeMap<&str, &str> = BTreeMap::new();
    for Skip { package, reason } in &rules.bans.skip {
        skipped.insert(package, reason);
    }
    let mut faults = Vec::new();
    for (name, versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
        let reasons = versions.iter().filter(|version| {
            skipped.remove(format!("{name}@{version}").as_str()).is_some_and(|reason| !reason.trim().is_empty())
        });
        if reasons.count() + 1 < versions.len() {
            let versions = versions.join(", ");
            faults.push(format!(
                "`{name}` is there as {versions}: make it one, or give {RULES} a reason for each but one"
            ));
        }
    }
    faults.extend(skipped.keys().map(|package| format!("{RULES}: `{package}` is there once or not at all: delete it")));
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RULES_TEXT: &str = r#"
        graph.targets = []
        licenses.allow = ["MIT", "Apache-2.0"]
        licenses.exceptions = [{ crate = "shared", allow = ["MPL-2.0"] }]
        bans.skip = [{ crate = "twice@1.0.0", reason = "an old friend" }]
    "#;

    fn found(packages: &[(&str, &str, Option<&str>, Option<&str>)]) -> Vec<String> {
        let kept = [("shared", "1.0.0", Some("MPL-2.0+"), Some(REGISTRY)), ("ours", "0.1.0", None, None)];
        let kept = kept
            .iter()
            .chain(&[("twice", "1.0.0", Some("MIT"), Some(REGISTRY)), ("twice", "2.0.0", Some("MIT"), Some(REGISTRY))]);
        let packages: Vec<Value> = kept
            .chain(packages)
            .map(|(name, version, license, source)| {
                json!({"name": name, "version": version, "license": license, "source": source})
            })
            .collect();
        faults(&toml::from_str(RULES_TEXT).unwrap(), &json!({ "packages": packages }))
    }

    #[test]
    fn what_the_rules_allow_passes() {
        let licenses = ["MIT", "MIT/Apache-2.0", "Apache-2.0 OR GPL-3.0", "(MIT OR GPL-3.0) AND Apache-2.0"];
        for license in licenses {
            assert_eq!(found(&[("a", "1.0.0", Some(license), Some(REGISTRY))]), [""; 0], "{license}");
        }
    }

    #[test]
    fn each_rule_finds_its_fault() {
        for (package, said) in [
            (("a", "1.0.0", Some("GPL-3.0"), Some(REGISTRY)), "`GPL-3.0`"),
            (("a", "1.0.0", Some("MIT AND GPL-3.0"), Some(REGISTRY)), "`MIT AND GPL-3.0`"),
            (("a", "1.0.0", Some("MPL-2.0"), Some(REGISTRY)), "`MPL-2.0`"),
            (("a", "1.0.0", Some("Apache-2.0 WITH LLVM-exception"), Some(REGISTRY)), "LLVM-exception"),
            (("a", "1.0.0", Some("as you like"), Some(REGISTRY)), "no SPDX expression"),
            (("a", "1.0.0", None, Some(REGISTRY)), "names no licence"),
            (("a", "1.0.0", Some("MIT"), Some("git+ssh://somewhere")), "git+ssh://somewhere"),
            (("twice", "3.0.0", Some("MIT"), Some(REGISTRY)), "1.0.0, 2.0.0, 3.0.0"),
        ] {
            let found = found(&[package]);
            assert!(found.len() == 1 && found[0].contains(said), "{package:?}: {found:?}");
        }
    }

    #[test]
    fn rules_that_nothing_needs_are_faults() {
        let rules = toml::from_str(RULES_TEXT).unwrap();
        let found = faults(&rules, &json!({"packages": []}));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("twice@1.0.0") && found[1].contains("`shared`"), "{found:?}");
    }
}
