//! Reads a table of the configuration file key by key; an unknown key is an error that names the nearest one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::args::retention;
use crate::config::origin::{Origin, Set};
use crate::error::{CliError, CliResult};
use crate::secrets;

/// How like another a word must be to be taken for a slip of the pen, from 0 to 1.
const LIKENESS_MIN: f64 = 0.7;

/// Where passwords go instead.
const NO_SECRETS: &str = "passwords do not belong into this file: put them into ~/.pgpass (mode 0600) or PGPASSFILE, \
                          or the \
                          whole URL into LASTGOOD_PG_URL";

/// A configuration file's path and text.
#[derive(Debug)]
pub(crate) struct Source {
    path: Arc<Path>,
    text: String,
}

impl Source {
    pub(crate) fn new(path: &Path, text: String) -> Self {
        Self { path: path.into(), text }
    }

    /// The whole document.
    ///
    /// # Errors
    /// [`CliError::Usage`] for what is no TOML; it repeats nothing of the text, which may hold a secret after all.
    pub(crate) fn parse(&self) -> CliResult<Spanned<DeTable<'_>>> {
        DeTable::parse(&self.text).map_err(|error| {
            let line = error.span().map_or_else(String::new, |span| format!(", line {}", self.line(span.start)));
            CliError::usage(
                format!("`{}`{line} is no TOML: {}", self.path.display(), error.message()),
                "strings stand in double quotes, lists in brackets; https://toml.io has the rules",
            )
        })
    }

    /// The folder of the file: relative paths in it start there.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
    }

    fn line(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
    }

    /// A value that cannot be used, told by its key and line.
    fn fault(&self, key: &str, at: usize, what: &str, help: impl Into<String>) -> CliError {
        CliError::usage(format!("`{key}` {what} (`{}`, line {})", self.path.display(), self.line(at)), help)
    }
}

/// A table being read.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    source: &'a Source,
    /// The table's own name with a dot behind, or nothing.
    prefix: String,
    table: &'a DeTable<'a>,
    asked: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(source: &'a Source, table: &'a DeTable<'a>) -> Self {
        Self { source, prefix: String::new(), table, asked: Vec::new() }
    }

    /// The file this is a table of.
    pub(crate) fn source(&self) -> &'a Source {
        self.source
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn take(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.push(key);
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str, example: &str) -> CliError {
        let found = value.get_ref().type_str();
        let what = format!("must be {wanted}, and is of the type {found}");
        self.source.fault(&self.full(key), value.span().start, &what, format!("write `{key} = {example}`"))
    }

    fn set<T>(&self, value: T, at: usize) -> Set<T> {
        Set { value, origin: Origin::File { path: Arc::clone(&self.source.path), line: self.source.line(at) } }
    }

    fn text(&self, key: &str, value: &'a Spanned<DeValue<'a>>, example: &str) -> CliResult<Set<String>> {
        let text = value.get_ref().as_str().ok_or_else(|| self.wrong(key, value, "a string", example))?;
        let at = value.span().start;
        if secrets::holds_password(text) {
            return Err(self.source.fault(&self.full(key), at, "holds a password", NO_SECRETS));
        }
        Ok(self.set(text.to_owned(), at))
    }

    pub(crate) fn string(&mut self, key: &'static str) -> CliResult<Option<Set<String>>> {
        self.take(key).map(|value| self.text(key, value, "\"…\"")).transpose()
    }

    /// A path; a relative one starts at the file's folder.
    pub(crate) fn path(&mut self, key: &'static str) -> CliResult<Option<Set<PathBuf>>> {
        let path = self.string(key)?;
        Ok(path.map(|path| Set { value: self.source.folder().join(path.value), origin: path.origin }))
    }

    pub(crate) fn boolean(&mut self, key: &'static str) -> CliResult<Option<Set<bool>>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::Boolean(flag) => Ok(Some(self.set(*flag, value.span().start))),
            _ => Err(self.wrong(key, value, "true or false", "false")),
        }
    }

    pub(crate) fn number(&mut self, key: &'static str) -> CliResult<Option<Set<usize>>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let number = match value.get_ref() {
            DeValue::Integer(number) => usize::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let number = number.ok_or_else(|| self.wrong(key, value, "a number from 0", "4"))?;
        Ok(Some(self.set(number, value.span().start)))
    }

    /// A length of time as a string with its unit.
    pub(crate) fn duration(&mut self, key: &'static str) -> CliResult<Option<Set<Duration>>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let text = self.text(key, value, "\"30s\"")?;
        let duration = retention::timeout(&self.full(key), &text.value).map_err(|_| {
            let help = format!("write a time with its unit, such as `{key} = \"30s\"` or \"5m\"; \"0\" means no limit");
            self.source.fault(&self.full(key), value.span().start, "is no length of time", help)
        })?;
        Ok(Some(Set { value: duration, origin: text.origin }))
    }

    /// A list of strings, without repetitions.
    pub(crate) fn strings(&mut self, key: &'static str) -> CliResult<Vec<Set<String>>> {
        let Some(value) = self.take(key) else { return Ok(Vec::new()) };
        let example = "[\"…\", \"…\"]";
        let DeValue::Array(items) = value.get_ref() else {
            return Err(self.wrong(key, value, "a list of strings", example));
        };
        let mut list: Vec<Set<String>> = Vec::new();
        for item in items {
            let item = self.text(key, item, example)?;
            if !list.iter().any(|other| other.value == item.value) {
                list.push(item);
            }
        }
        Ok(list)
    }

    /// A list of tables, each with the place it begins at.
    pub(crate) fn tables(&mut self, key: &'static str, example: &str) -> CliResult<Vec<(Self, Origin)>> {
        let Some(value) = self.take(key) else { return Ok(Vec::new()) };
        let DeValue::Array(items) = value.get_ref() else {
            return Err(self.wrong(key, value, "a list of tables", example));
        };
        let table = |item: &'a Spanned<DeValue<'a>>| {
            let DeValue::Table(table) = item.get_ref() else {
                return Err(self.wrong(key, item, "a list of tables", example));
            };
            let prefix = format!("{}.", self.full(key));
            let reader = Self { source: self.source, prefix, table, asked: Vec::new() };
            Ok((reader, self.set((), item.span().start).origin))
        };
        items.iter().map(table).collect()
    }

    /// A table below this one.
    pub(crate) fn table(&mut self, key: &'static str) -> CliResult<Option<Self>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let DeValue::Table(table) = value.get_ref() else {
            return Err(self.wrong(key, value, &format!("a table `[{}]`", self.full(key)), "{ … }"));
        };
        Ok(Some(Self { source: self.source, prefix: format!("{}.", self.full(key)), table, asked: Vec::new() }))
    }

    /// The tables below `key`, by names of the user's.
    pub(crate) fn named(&mut self, key: &'static str) -> CliResult<Vec<(String, Self)>> {
        let Some(parent) = self.table(key)? else { return Ok(Vec::new()) };
        let mut named = Vec::new();
        for (name, value) in parent.table {
            let name = name.get_ref().to_string();
            let DeValue::Table(table) = value.get_ref() else {
                return Err(parent.wrong(&name, value, &format!("a table `[{}]`", parent.full(&name)), "{ … }"));
            };
            let prefix = format!("{}.", parent.full(&name));
            named.push((name, Self { source: self.source, prefix, table, asked: Vec::new() }));
        }
        Ok(named)
    }

    /// What is wrong with this table as a whole.
    pub(crate) fn refuse(&self, what: &str, help: &str) -> CliError {
        let at = self.table.iter().map(|(name, _)| name.span().start).min().unwrap_or_default();
        self.source.fault(self.prefix.trim_end_matches('.'), at, what, help)
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`CliError::Usage`] for the first key that nobody asked for.
    pub(crate) fn finish(self) -> CliResult<()> {
        let unknown = self.table.iter().filter(|(name, _)| !self.asked.iter().any(|asked| name.get_ref() == asked));
        let Some((name, _)) = unknown.min_by_key(|(name, _)| name.span().start) else { return Ok(()) };
        let key: &str = name.get_ref();
        let help = match nearest(key, &self.asked) {
            _ if key.contains("password") => NO_SECRETS.to_owned(),
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("here can be {}", self.asked.join(", ")),
        };
        Err(self.source.fault(&self.full(key), name.span().start, "is no setting", help))
    }
}

/// The word most like `wrong`, if it is like any.
pub(crate) fn nearest<'w>(wrong: &str, words: &[&'w str]) -> Option<&'w str> {
    // Whoever writes `exclude_table` or `lockTimeout` means the same key.
    let plain = |text: &str| text.to_lowercase().replace(['_', '-'], "");
    let like = |word: &&str| strsim::normalized_damerau_levenshtein(&plain(wrong), &plain(word));
    let best = words.iter().copied().max_by(|a, b| like(a).total_cmp(&like(b)))?;
    (like(&best) >= LIKENESS_MIN).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_are_told_from_other_words() {
        let words = ["exclude-table", "exclude-table-data", "jobs", "lock-timeout"];
        assert_eq!(nearest("exclude_table", &words), Some("exclude-table"));
        assert_eq!(nearest("exclude-tabel", &words), Some("exclude-table"));
        assert_eq!(nearest("lockTimeout", &words), Some("lock-timeout"));
        assert_eq!(nearest("job", &words), Some("jobs"));
        assert_eq!(nearest("compression", &words), None);
        assert_eq!(nearest("jobs", &[]), None);
    }
}
