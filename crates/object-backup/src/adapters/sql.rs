//! What all databases in gludb's form share: a table a type, with `id`, `value` and columns for indexes.

/// The column every table has.
pub(super) const ID: &str = "id";
/// The record's text.
pub(super) const VALUE: &str = "value";

/// What the table of a type looks like, for whoever has none.
pub(super) const FORM: &str = "table with the columns `id` and `value`";

/// The name as an identifier, whatever is in it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
