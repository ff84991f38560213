//! The JSON Schema of the configuration file, from the types that read it, and what it says about a place in a file.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::settings::error::{SettingsError, Wanted};
use crate::settings::file::File;
use crate::settings::origin::Origin;

/// A step down into the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// To what stands behind a key.
    Key(String),
    /// To an item of a list.
    Item,
}

/// The JSON Schema (draft 7, which editors of TOML know) of the configuration file.
#[must_use]
pub fn schema() -> Value {
    SchemaSettings::draft07().into_generator().into_root_schema_for::<File>().to_value()
}

/// What is wrong at `path`, where a value of the type `found` stands, or a key that serde did not take.
pub(super) fn misfit(path: &[Step], found: Option<&'static str>, at: Origin) -> SettingsError {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let whole = settings.into_generator().into_root_schema_for::<File>().to_value();
    let key = name(path);
    let above = path.split_last().and_then(|(_, above)| below(&whole, above));
    match (below(&whole, path), found) {
        (Some(schema), Some(found)) => {
            let item = path.last() == Some(&Step::Item);
            let wanted = wanted(schema, (!item).then_some(&key));
            let found = (found != type_of(&wanted)).then_some(found);
            SettingsError::Type { key, at, wanted, found, item }
        }
        _ => SettingsError::Unknown { key, at, known: above.map(keys).unwrap_or_default() },
    }
}

/// The key with its table.
fn name(path: &[Step]) -> String {
    let keys: Vec<&str> = path
        .iter()
        .filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Item => None,
        })
        .collect();
    keys.join(".")
}

fn below<'s>(schema: &'s Value, path: &[Step]) -> Option<&'s Value> {
    path.iter()
        .try_fold(schema, |schema, step| match step {
            Step::Key(key) => schema["properties"].get(key).or_else(|| schema.get("additionalProperties")),
            Step::Item => schema.get("items"),
        })
        // `false` stands where nothing else is allowed.
        .filter(|schema| schema.is_object())
}

fn keys(schema: &Value) -> Vec<String> {
    schema["properties"].as_object().map(|keys| keys.keys().cloned().collect()).unwrap_or_default()
}

fn wanted(schema: &Value, name: Option<&String>) -> Wanted {
    match schema["type"].as_str() {
        Some("integer") => Wanted::Number,
        Some("boolean") => Wanted::Flag,
        Some("array") if schema["items"]["type"] == "string" => Wanted::Texts,
        Some("array") => Wanted::Tables,
        Some("object") => Wanted::Table(name.cloned()),
        _ => Wanted::Text,
    }
}

/// What TOML calls its type.
fn type_of(wanted: &Wanted) -> &'static str {
    match wanted {
        Wanted::Text => "string",
        Wanted::Number => "integer",
        Wanted::Flag => "boolean",
        Wanted::Texts | Wanted::Tables => "array",
        Wanted::Table(_) => "table",
    }
}

#[cfg(test)]
mod tests {
    use toml::de::{DeTable, DeValue};

    use super::*;
    use crate::settings::document::Document;
    use crate::settings::layer::Layer;
    use crate::settings::show;

    fn whole() -> Value {
        let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
        settings.into_generator().into_root_schema_for::<File>().to_value()
    }

    /// The example of the guide.
    fn documented() -> String {
        let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides/postgres.md");
        let guide = std::fs::read_to_string(guide).unwrap();
        let example = guide.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
        example.unwrap().to_owned()
    }

    /// Every value of `value`, with what the schema says at its place.
    fn accepted(schema: Option<&Value>, value: &DeValue<'_>, key: &str) {
        let schema = schema.unwrap_or_else(|| panic!("`{key}` is not in the schema"));
        let wanted = type_of(&wanted(schema, None));
        assert_eq!(wanted, value.type_str(), "{key}: {schema}");
        match value {
            DeValue::Table(table) => {
                for (name, value) in table {
                    let step = Step::Key(name.get_ref().to_string());
                    accepted(below(schema, &[step]), value.get_ref(), &format!("{key}.{}", name.get_ref()));
                }
            }
            DeValue::Array(items) => {
                for item in items {
                    accepted(below(schema, &[Step::Item]), item.get_ref(), key);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn the_schema_accepts_the_documented_file() {
        let text = documented();
        Document::read(std::path::Path::new("lastgood.toml"), text.clone()).unwrap();
        let table = DeTable::parse(&text).unwrap().into_inner();
        assert!(table.len() > 2, "{text}");
        accepted(Some(&whole()), &DeValue::Table(table), "");
    }

    #[test]
    fn the_schema_the_documented_file_and_the_shown_settings_have_the_same_keys() {
        let shown = [show::shown(&Layer::default()), show::shown(&every_list())].concat();
        let (schema, text) = (whole(), documented());
        let in_pg = schema["properties"]["pg"]["properties"].as_object().unwrap();
        for key in in_pg.keys().filter(|key| *key != "configs") {
            assert!(shown.iter().any(|shown| shown.key.strip_prefix("pg.") == Some(key)), "{key} is not shown");
            let hook_alike = ["post-create", "post-swap"].contains(&key.as_str());
            assert!(hook_alike || text.contains(&format!("\n{key} = ")), "{key} is not documented");
        }
        for shown in shown {
            let path: Vec<Step> = shown.key.split('.').map(|key| Step::Key(key.to_owned())).collect();
            assert!(below(&schema, &path).is_some(), "{} is not in the schema", shown.key);
        }
    }

    fn every_list() -> Layer {
        let lists = "exclude-table = ['a']\nexclude-table-data = ['a']\nexclude-setting = ['a']\nprotected = ['a/b']\n";
        let hooks: String = ["pre-dump", "post-create", "pre-swap", "post-swap"]
            .map(|point| format!("{point} = [{{ command = 'x' }}]\n"))
            .concat();
        let text = format!("[pg]\n{lists}{hooks}");
        Document::read(std::path::Path::new("a.toml"), text).unwrap().layer(None, None).unwrap()
    }

    #[test]
    fn the_schema_allows_no_other_key_and_no_null() {
        let schema = schema();
        assert_eq!(schema["additionalProperties"], false);
        let tables = schema["definitions"].as_object().unwrap();
        for (name, table) in tables {
            assert_eq!(table["additionalProperties"], false, "{name}");
        }
        assert!(!schema.to_string().contains("null"), "{schema:#}");
    }
}
