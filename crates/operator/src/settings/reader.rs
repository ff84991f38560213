//! Reads a configuration file with serde, and finds which key or value did not fit.

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use crate::settings::error::{SettingsError, SettingsResult};
use crate::settings::file::File;
use crate::settings::schema::{self, Step};
use crate::settings::source::Source;

/// Reads the whole file.
///
/// # Errors
/// [`SettingsError`] for what is not TOML, not a setting, or of another type.
pub(super) fn read(source: &Source) -> SettingsResult<File> {
    // What the parser says repeats nothing of the text, which may hold a secret after all.
    let parsed = Deserializer::parse(source.text()).map_err(|error| {
        let at = source.origin(error.span().map_or(0, |span| span.start));
        SettingsError::Syntax { at, message: error.message().to_owned() }
    })?;
    File::deserialize(parsed).map_err(|error| misfit(source, error.span().map_or(0, |span| span.start)))
}

/// What is wrong with the key or value that begins at `at`. serde's own words are not used: they repeat values.
fn misfit(source: &Source, at: usize) -> SettingsError {
    let origin = source.origin(at);
    let spot = DeTable::parse(source.text()).ok().and_then(|table| in_table(table.get_ref(), at, &mut Vec::new()));
    match spot {
        Some(spot) => schema::misfit(&spot.path, spot.found, origin),
        None => SettingsError::Syntax { at: origin, message: "this cannot be understood".to_owned() },
    }
}

/// A place in the file.
struct Spot {
    path: Vec<Step>,
    /// The type of the value; none for a key.
    found: Option<&'static str>,
}

fn in_table(table: &DeTable<'_>, at: usize, path: &mut Vec<Step>) -> Option<Spot> {
    for (name, value) in table {
        path.push(Step::Key(name.get_ref().to_string()));
        if name.span().start == at {
            return Some(Spot { path: path.clone(), found: None });
        }
        if let Some(spot) = in_value(value, at, path) {
            return Some(spot);
        }
        path.pop();
    }
    None
}

fn in_value(value: &Spanned<DeValue<'_>>, at: usize, path: &mut Vec<Step>) -> Option<Spot> {
    let within = match value.get_ref() {
        DeValue::Table(table) => in_table(table, at, path),
        DeValue::Array(items) => {
            path.push(Step::Item);
            let within = items.iter().find_map(|item| in_value(item, at, path));
            path.pop();
            within
        }
        _ => None,
    };
    let own = || Spot { path: path.clone(), found: Some(value.get_ref().type_str()) };
    within.or_else(|| (value.span().start == at).then(own))
}
