//! What the Rust registry shows of a crate is there: each that can be published says what it is for, and under which terms.

use std::path::Path;

use serde_json::Value;

/// Texts that a crate must carry: a crate is unpacked alone, without the root of this checkout.
const LICENSES: [&str; 2] = ["LICENSE-MIT", "LICENSE-APACHE"];

/// The registry's own limits.
const KEYWORDS_MAX: usize = 5;
const KEYWORD_BYTES_MAX: usize = 20;

/// What is missing of each crate's metadata; `is_there` says whether a file is.
pub(super) fn faults(metadata: &Value, is_there: impl Fn(&Path) -> bool) -> Vec<String> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut faults = Vec::new();
    for package in packages.iter().filter(|package| is_published(package)) {
        let name = package["name"].as_str().unwrap_or_default();
        let mut fault = |what: &str| faults.push(format!("`{name}` {what}: the registry shows it"));
        for field in ["description", "license", "readme"] {
            if package[field].as_str().is_none_or(str::is_empty) {
                fault(&format!("has no `{field}`"));
            }
        }
        let list = |field: &str| package[field].as_array().map(Vec::as_slice).unwrap_or_default();
        if list("categories").is_empty() {
            fault("has no `categories`");
        }
        let keywords = list("keywords");
        let is_short = |keyword: &Value| keyword.as_str().is_some_and(|keyword| keyword.len() <= KEYWORD_BYTES_MAX);
        if keywords.is_empty() || keywords.len() > KEYWORDS_MAX || !keywords.iter().all(is_short) {
            fault(&format!("needs 1 to {KEYWORDS_MAX} `keywords` of up to {KEYWORD_BYTES_MAX} bytes"));
        }
        if package["metadata"]["docs"]["rs"].is_null() {
            fault("does not say with which features docs.rs shows it");
        }
        let folder = package["manifest_path"].as_str().map(Path::new).and_then(Path::parent).unwrap_or(Path::new(""));
        for file in LICENSES.iter().copied().chain(package["readme"].as_str()) {
            if !is_there(&folder.join(file)) {
                fault(&format!("has no file `{file}`"));
            }
        }
    }
    faults
}

/// Whether cargo would publish it.
pub(crate) fn is_published(package: &Value) -> bool {
    package["publish"].as_array().is_none_or(|registries| !registries.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn whole() -> Value {
        json!({
            "name": "a", "manifest_path": "a/Cargo.toml", "publish": null, "description": "what it is", "license": "MIT",
            "readme": "README.md", "categories": ["database"], "keywords": ["backup"], "metadata": {"docs": {"rs": {}}},
        })
    }

    #[test]
    fn each_missing_thing_is_found() {
        let found =
            |package: &Value, missing: &str| faults(&json!({"packages": [package]}), |file| !file.ends_with(missing));
        assert_eq!(found(&whole(), "none"), [""; 0]);
        assert_eq!(found(&whole(), "LICENSE-MIT").len(), 1);
        assert_eq!(found(&whole(), "README.md").len(), 1);
        for field in ["description", "license", "readme", "categories", "keywords", "metadata"] {
            let mut package = whole();
            package[field] = Value::Null;
            assert_eq!(found(&package, "none").len(), 1, "{field}");
            package["publish"] = json!([]);
            assert_eq!(found(&package, "none"), [""; 0], "{field}: nobody publishes it");
        }
        let mut package = whole();
        package["keywords"] = json!(["a", "b", "c", "d", "e", "f"]);
        assert_eq!(found(&package, "none").len(), 1);
    }
}
