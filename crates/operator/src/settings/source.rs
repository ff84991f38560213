//! A configuration file's text: reads it, and says by key and line what cannot be used.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use crate::passwords::holds_password;
use crate::settings::file::{File, HookTable};
use crate::settings::layer::HookEntry;
use crate::settings::origin::{Origin, Set};
use crate::settings::placed::{Given, Placed};
use crate::settings::schema::{self, Step};
use crate::settings::{SettingsError, SettingsResult, time};

/// A configuration file's path and text.
#[derive(Debug)]
pub(super) struct Source {
    path: Arc<Path>,
    text: String,
}

impl Source {
    pub(super) fn new(path: &Path, text: String) -> Self {
        Self { path: path.into(), text }
    }

    /// The whole file.
    ///
    /// # Errors
    /// [`SettingsError`] for what is not TOML, not a setting, or of another type.
    pub(super) fn read(&self) -> SettingsResult<File> {
        // What the parser says repeats nothing of the text, which may hold a secret after all.
        let parsed = Deserializer::parse(&self.text).map_err(|error| {
            let at = self.origin(error.span().map_or(0, |span| span.start));
            SettingsError::Syntax { at, message: error.message().to_owned() }
        })?;
        File::deserialize(parsed).map_err(|error| self.misfit(error.span().map_or(0, |span| span.start)))
    }

    /// What is wrong with the key or value that begins at `at`. serde's own words are not used: they repeat values.
    fn misfit(&self, at: usize) -> SettingsError {
        let origin = self.origin(at);
        let spot = DeTable::parse(&self.text).ok().and_then(|table| in_table(table.get_ref(), at, &mut Vec::new()));
        match spot {
            Some(spot) => schema::misfit(&spot.path, spot.found, origin),
            None => SettingsError::Syntax { at: origin, message: "this cannot be understood".to_owned() },
        }
    }

    fn origin(&self, at: usize) -> Origin {
        let line = self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        Origin::File { path: Arc::clone(&self.path), line }
    }

    /// The folder of the file: relative paths in it start there.
    fn folder(&self) -> &Path {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
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

/// A table of the file whose values are being judged.
#[derive(Debug)]
pub(super) struct Table<'s> {
    source: &'s Source,
    /// The table's name with a dot behind it, or nothing.
    prefix: String,
}

impl<'s> Table<'s> {
    /// The whole file.
    pub(super) fn new(source: &'s Source) -> Self {
        Self { source, prefix: String::new() }
    }

    /// The table `name` below this one.
    pub(super) fn below(&self, name: &str) -> Self {
        Self { source: self.source, prefix: format!("{}{name}.", self.prefix) }
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn set<T>(&self, value: T, at: usize) -> Set<T> {
        Set { value, origin: self.source.origin(at) }
    }

    fn text(&self, key: &str, text: &Placed<String>) -> SettingsResult<Set<String>> {
        let set = self.set(text.value().clone(), text.start());
        if holds_password(&set.value) {
            return Err(SettingsError::Password { key: self.key(key), at: set.origin });
        }
        Ok(set)
    }

    pub(super) fn plain<T: Copy>(&self, given: &Given<T>) -> Option<Set<T>> {
        given.get().map(|value| self.set(*value.value(), value.start()))
    }

    pub(super) fn string(&self, key: &str, given: &Given<String>) -> SettingsResult<Option<Set<String>>> {
        given.get().map(|text| self.text(key, text)).transpose()
    }

    /// A path; a relative one starts at the file's folder.
    pub(super) fn path(&self, key: &str, given: &Given<String>) -> SettingsResult<Option<Set<PathBuf>>> {
        let path = self.string(key, given)?;
        Ok(path.map(|path| Set { value: self.source.folder().join(path.value), origin: path.origin }))
    }

    /// A location; one that is a relative path starts at the file's folder.
    pub(super) fn repo(&self, given: &Given<String>) -> SettingsResult<Option<Set<String>>> {
        let Some(mut repo) = self.string("repo", given)? else { return Ok(None) };
        let is_path = !repo.value.is_empty() && !repo.value.contains("://") && !repo.value.starts_with("mem:");
        if is_path && Path::new(&repo.value).is_relative() {
            // By its components, so that `./` does not add up.
            let path: PathBuf = self.source.folder().join(&repo.value).components().collect();
            repo.value = path.display().to_string();
        }
        Ok(Some(repo))
    }

    /// A duration with its unit.
    pub(super) fn duration(&self, key: &str, given: &Given<String>) -> SettingsResult<Option<Set<Duration>>> {
        let Some(Set { value, origin }) = self.string(key, given)? else { return Ok(None) };
        match time::timeout(&value) {
            Ok(value) => Ok(Some(Set { value, origin })),
            Err(_) => Err(SettingsError::Duration { key: self.key(key), at: origin }),
        }
    }

    /// A list of strings, without repetitions.
    pub(super) fn strings(&self, key: &str, given: &[Placed<String>]) -> SettingsResult<Vec<Set<String>>> {
        let mut list: Vec<Set<String>> = Vec::new();
        for text in given {
            let item = self.text(key, text)?;
            if !list.iter().any(|other| other.value == item.value) {
                list.push(item);
            }
        }
        Ok(list)
    }

    /// Hooks in the order in which they run.
    pub(super) fn hooks(&self, key: &str, given: &[Placed<HookTable>]) -> SettingsResult<Vec<Set<HookEntry>>> {
        given.iter().map(|hook| self.hook(key, hook)).collect()
    }

    fn hook(&self, key: &str, hook: &Placed<HookTable>) -> SettingsResult<Set<HookEntry>> {
        let below = self.below(key);
        let command = below.string("command", &hook.value().command)?;
        let sql = below.path("sql", &hook.value().sql)?;
        let folder = self.source.folder().to_owned();
        let value = match (command, sql) {
            (Some(command), None) => HookEntry::Command { command: command.value, folder },
            (None, Some(sql)) => HookEntry::Sql(sql.value),
            (command, _) => {
                let at = self.source.origin(hook.start());
                return Err(SettingsError::Hook { key: self.key(key), at, both: command.is_some() });
            }
        };
        Ok(self.set(value, hook.start()))
    }
}
