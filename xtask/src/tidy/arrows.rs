//! Which crate may know which: the arrows of ARCHITECTURE.md, read from `cargo metadata`.

use serde_json::Value;

/// What a crate of ours is in the architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// A format of others: knows none of ours.
    Leaf,
    Core,
    Testkit,
    Subsystem,
    /// Macros of a subsystem: code that is gone when the subsystem runs.
    Macros,
    /// Settings and findings, of all subsystems.
    Operator,
    Cli,
    Workshop,
    Acceptance,
    /// Feeds readers with anything, and so calls them itself.
    Fuzz,
}

/// The room of each crate; a crate without one is a fault, so that nobody adds one without deciding.
fn room(package: &str) -> Option<Room> {
    Some(match package {
        "python-json" => Room::Leaf,
        "backup-core" => Room::Core,
        "backup-testkit" => Room::Testkit,
        "pg-clone" | "object-backup" | "glacier-archive" | "ec2-snapshots" | "dictstore-backup" | "backup-runner" => {
            Room::Subsystem
        }
        "object-backup-derive" => Room::Macros,
        "lastgood-operator" => Room::Operator,
        "lastgood" => Room::Cli,
        "xtask" => Room::Workshop,
        "lastgood-acceptance" => Room::Acceptance,
        "lastgood-fuzz" => Room::Fuzz,
        _ => return None,
    })
}

/// Whether a crate in room `from` may depend on one in room `to`; `shipped` is false for dev-dependencies.
fn allowed(from: Room, to: Room, shipped: bool) -> bool {
    match (from, to) {
        (Room::Workshop, _) => false,
        // Tests may use the testkit, and their own crate once more with other features.
        (_, Room::Testkit | Room::Core) if !shipped => true,
        (Room::Testkit | Room::Subsystem | Room::Operator | Room::Cli, Room::Core) => true,
        (Room::Operator | Room::Cli, Room::Subsystem) | (Room::Subsystem, Room::Macros | Room::Leaf) => true,
        (Room::Cli, Room::Operator) => true,
        // The store is also the uploader that the benchmark gives to its peer.
        (Room::Acceptance, Room::Testkit | Room::Core) => true,
        (Room::Fuzz, Room::Core | Room::Testkit | Room::Subsystem | Room::Leaf) => true,
        _ => false,
    }
}

/// Dependencies only some rooms may name.
fn reserved(dependency: &Value, from: Room) -> Option<&'static str> {
    let name = dependency["name"].as_str()?;
    let features = dependency["features"].as_array().map(Vec::as_slice).unwrap_or_default();
    let development = matches!(from, Room::Testkit | Room::Acceptance | Room::Fuzz);
    match name {
        "clap" if from != Room::Cli && !development => Some("only `lastgood` parses arguments"),
        "miette" if from != Room::Cli && features.iter().any(|f| f == "fancy") => {
            Some("only `lastgood` renders errors")
        }
        "indicatif" | "comfy-table" if from != Room::Cli => Some("only `lastgood` talks to a terminal"),
        _ => None,
    }
}

/// Every arrow that points the wrong way.
pub(crate) fn faults(metadata: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for package in metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(from) = room(name) else {
            faults.push(format!("the crate `{name}` has no room: decide on one in xtask/src/tidy/arrows.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let target = dependency["name"].as_str().unwrap_or_default();
            let shipped = dependency["kind"].as_str() != Some("dev");
            if let Some(why) = reserved(dependency, from) {
                faults.push(format!("`{name}` must not depend on `{target}`: {why}"));
            }
            // Its own tests may want features of it that are no default.
            let is_itself = target == name && !shipped;
            if let Some(to) = room(target).filter(|to| !is_itself && !allowed(from, *to, shipped)) {
                faults.push(format!("`{name}` ({from:?}) must not point at `{target}` ({to:?})"));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(name: &str, dependency: Value) -> Vec<String> {
        faults(&json!({"packages": [{"name": name, "dependencies": [dependency]}]}))
    }

    #[test]
    fn wrong_arrows_are_found() {
        for (from, to, kind) in [
            ("pg-clone", "ec2-snapshots", Value::Null),
            ("pg-clone", "ec2-snapshots", json!("dev")),
            ("pg-clone", "backup-testkit", Value::Null),
            ("lastgood", "backup-testkit", Value::Null),
            ("backup-core", "pg-clone", json!("dev")),
            ("backup-testkit", "pg-clone", Value::Null),
            ("xtask", "backup-core", Value::Null),
            ("xtask", "backup-testkit", json!("dev")),
            ("lastgood-acceptance", "lastgood", Value::Null),
            ("lastgood-acceptance", "pg-clone", Value::Null),
            ("lastgood-operator", "lastgood", Value::Null),
            ("pg-clone", "lastgood-operator", Value::Null),
            ("lastgood-acceptance", "lastgood-operator", Value::Null),
            ("lastgood-acceptance", "lastgood-fuzz", Value::Null),
            ("lastgood-fuzz", "lastgood", Value::Null),
            ("pg-clone", "lastgood", json!("build")),
            ("object-backup-derive", "object-backup", Value::Null),
            ("python-json", "backup-core", Value::Null),
            ("backup-core", "python-json", Value::Null),
        ] {
            let found = one(from, json!({"name": to, "kind": kind, "features": []}));
            assert_eq!(found.len(), 1, "{from} -> {to}: {found:?}");
        }
    }

    #[test]
    fn right_arrows_pass() {
        for (from, to, kind) in [
            ("lastgood", "pg-clone", Value::Null),
            ("lastgood", "backup-core", Value::Null),
            ("lastgood", "lastgood-operator", Value::Null),
            ("lastgood-operator", "pg-clone", Value::Null),
            ("lastgood-operator", "backup-core", Value::Null),
            ("pg-clone", "backup-core", Value::Null),
            ("pg-clone", "backup-testkit", json!("dev")),
            ("backup-core", "backup-core", json!("dev")),
            ("backup-testkit", "backup-core", Value::Null),
            ("lastgood-acceptance", "backup-testkit", Value::Null),
            ("lastgood-fuzz", "pg-clone", Value::Null),
            ("lastgood-fuzz", "python-json", Value::Null),
            ("pg-clone", "serde", Value::Null),
            ("object-backup", "object-backup-derive", Value::Null),
            ("object-backup", "python-json", Value::Null),
        ] {
            let found = one(from, json!({"name": to, "kind": kind, "features": []}));
            assert!(found.is_empty(), "{from} -> {to}: {found:?}");
        }
    }

    #[test]
    fn reserved_dependencies_and_homeless_crates_are_found() {
        assert!(one("pg-clone", json!({"name": "pg-clone", "kind": "dev", "features": []})).is_empty());
        assert_eq!(one("pg-clone", json!({"name": "pg-clone", "kind": null, "features": []})).len(), 1);
        assert_eq!(one("pg-clone", json!({"name": "clap", "kind": null, "features": []})).len(), 1);
        assert_eq!(one("pg-clone", json!({"name": "miette", "kind": null, "features": ["fancy"]})).len(), 1);
        assert!(one("pg-clone", json!({"name": "miette", "kind": null, "features": ["derive"]})).is_empty());
        assert!(one("lastgood", json!({"name": "miette", "kind": null, "features": ["fancy"]})).is_empty());
        assert_eq!(one("brand-new", json!({"name": "serde", "kind": null, "features": []})).len(), 1);
    }
}
