//! Whether anything was left out of a dump on request, and what.

use backup_core::manifest::Manifest;
use serde_json::Value;

use crate::stored::detail::Filters;

impl Filters {
    /// What a restore of this dump will not bring, a line each, for people.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let named = |what: &str, tables: &[String]| match tables.is_empty() {
            true => None,
            false => Some(format!("{what} {}", tables.join(", "))),
        };
        let doubtful = "foreign keys that are restored only if no row needs those rows:";
        [
            named("left out:", &self.excluded),
            named("without rows:", &self.emptied),
            named(doubtful, &self.doubtful_foreign_keys),
            named("without these settings of the database:", &self.settings),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The manifest with its completeness told: earlier versions did not say, and what they left out stands in the detail.
pub(crate) fn settle(mut manifest: Manifest<Value>) -> Manifest<Value> {
    if manifest.complete.is_none() {
        manifest.complete = Some(nothing_left_out(&manifest.detail));
    }
    manifest
}

/// Whether the patterns of an earlier version's dump left nothing out. Without patterns only rows of unlogged tables on
/// a standby were, which no server has there.
fn nothing_left_out(detail: &Value) -> bool {
    let names = |field: &str| detail["filters"][field].as_array().is_some_and(|names| !names.is_empty());
    let patterns = names("exclude_table") || names("exclude_table_data");
    !patterns || !(names("excluded") || names("emptied"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(filters: &Value) -> bool {
        nothing_left_out(&json!({ "filters": filters }))
    }

    #[test]
    fn what_earlier_versions_left_out_is_found() {
        let of = |patterns: &[&str], emptied: &[&str]| json!({"exclude_table": [], "exclude_table_data": patterns, "excluded": [], "emptied": emptied});
        assert!(told(&of(&[], &[])));
        assert!(!told(&of(&["orders"], &["public.orders"])));
        assert!(told(&of(&["nothing"], &[])), "a pattern that met nothing");
        assert!(told(&of(&[], &["public.cache"])), "an unlogged table of a standby");
        assert!(!told(&json!({"exclude_table": ["log"], "excluded": ["public.log"]})));
        assert!(told(&Value::Null));
    }

    #[test]
    fn what_is_missing_is_named() {
        let filters = Filters {
            excluded: vec!["public.log".into()],
            emptied: vec!["a.b".into(), "a.c".into()],
            ..Filters::default()
        };
        assert_eq!(filters.missing(), ["left out: public.log", "without rows: a.b, a.c"]);
        let filters = Filters { doubtful_foreign_keys: vec!["a.d.d_b_fkey".into()], ..filters };
        assert!(filters.missing()[2].ends_with("no row needs those rows: a.d.d_b_fkey"), "{:?}", filters.missing());
        let filters = Filters { settings: vec!["app.jwt_secret".into()], ..Filters::default() };
        assert_eq!(filters.missing(), ["without these settings of the database: app.jwt_secret"]);
        assert!(Filters::default().missing().is_empty());
    }
}
