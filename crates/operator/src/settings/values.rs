//! The values of a table of the configuration file: checked for passwords, read as paths and durations, with their lines.

use std::path::{Path, PathBuf};
use std::time::Duration;

use backup_core::secret::holds_password;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::error::{SettingsError, SettingsResult};
use crate::settings::layer::HookEntry;
use crate::settings::origin::Set;
use crate::settings::placed::{Given, Placed};
use crate::settings::rate::Rate;
use crate::settings::source::Source;
use crate::settings::time;

/// A hook: a command or a file of SQL.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["command"] }, { "required": ["sql"] }]))]
pub(super) struct HookTable {
    /// Command for the shell, run in this file's folder
    pub(super) command: Given<String>,
    /// File of SQL, which starts at this file's folder
    pub(super) sql: Given<String>,
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

    /// A limit of bytes per second.
    pub(super) fn rate(&self, key: &str, given: &Given<String>) -> SettingsResult<Option<Set<Rate>>> {
        let Some(Set { value, origin }) = self.string(key, given)? else { return Ok(None) };
        match value.parse() {
            Ok(value) => Ok(Some(Set { value, origin })),
            Err(_) => Err(SettingsError::Rate { key: self.key(key), at: origin }),
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
