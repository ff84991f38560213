//! The sections of the configuration file: the top, the configurations, the profiles.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::layer::{HookEntry, Layer};
use crate::config::origin::Set;
use crate::config::reader::{Reader, Source, nearest};
use crate::error::{CliError, CliResult};

/// How a hook is written.
const HOOK_EXAMPLE: &str = "[{ command = \"./migrate.sh\" }, { sql = \"anonymise.sql\" }]";

/// The settings of the file's top, or of a profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) general: Layer,
    /// `[pg.configs.NAME]`.
    pub(crate) configs: BTreeMap<String, Layer>,
}

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) top: Section,
    /// `[profile.NAME]`.
    pub(crate) profiles: BTreeMap<String, Section>,
}

impl Document {
    /// Reads the text of the file at `path`.
    ///
    /// # Errors
    /// [`CliError::Usage`] for what is no TOML, no setting, of the wrong type or a secret; with key, file and line.
    pub(crate) fn read(path: &Path, text: String) -> CliResult<Self> {
        let source = Source::new(path, text);
        let table = source.parse()?;
        let mut reader = Reader::new(&source, table.get_ref());
        let mut profiles = BTreeMap::new();
        for (name, mut profile) in reader.named("profile")? {
            let section = section(&mut profile)?;
            profile.finish()?;
            profiles.insert(name, section);
        }
        let top = section(&mut reader)?;
        reader.finish()?;
        Ok(Self { top, profiles })
    }

    /// The sections that count, strongest first.
    ///
    /// # Errors
    /// [`CliError::Usage`] for a profile the file does not have.
    pub(crate) fn sections(&self, profile: Option<&str>) -> CliResult<Vec<&Section>> {
        let Some(name) = profile else { return Ok(vec![&self.top]) };
        let profile = self.profiles.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.profiles.keys().map(String::as_str).collect();
            missing("profile", name, &names)
        })?;
        Ok(vec![profile, &self.top])
    }

    /// What the file says for `config` under `profile`. What is said in the profile counts more than what is said at the
    /// top, and in each of them what is said for the configuration more than what is said for all.
    ///
    /// # Errors
    /// [`CliError::Usage`] for a profile the file does not have, and for a configuration it does not have although it has
    /// others: a dump without the hooks and exclusions somebody wrote down would be a surprise.
    pub(crate) fn layer(&self, profile: Option<&str>, config: Option<&str>) -> CliResult<Layer> {
        let sections = self.sections(profile)?;
        let names: Vec<&str> = sections.iter().flat_map(|section| section.configs.keys()).map(String::as_str).collect();
        if let Some(config) = config
            && config != pg_clone::config::CONFIG_DEFAULT
            && !names.is_empty()
            && !names.contains(&config)
        {
            return Err(missing("pg.configs", config, &names));
        }
        let mut all = Layer::default();
        for section in sections {
            let own = config.and_then(|config| section.configs.get(config)).cloned().unwrap_or_default();
            all = all.over(own).over(section.general.clone());
        }
        Ok(all)
    }

    /// Whether the file has the configuration `config`.
    pub(crate) fn defines(&self, profile: Option<&str>, config: &str) -> bool {
        self.sections(profile).is_ok_and(|sections| sections.iter().any(|section| section.configs.contains_key(config)))
    }
}

fn missing(table: &str, name: &str, names: &[&str]) -> CliError {
    let help = match (nearest(name, names), names) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, []) => format!("the configuration file has no `[{table}.…]` at all; `lastgood config path` names it"),
        (None, names) => format!("there are {}", names.join(", ")),
    };
    CliError::usage(format!("the configuration file has no `[{table}.{name}]`"), help)
}

fn section(reader: &mut Reader<'_>) -> CliResult<Section> {
    let repo = reader.string("repo")?.map(|repo| beside(reader.source(), repo));
    let mut section = Section::default();
    if let Some(mut pg) = reader.table("pg")? {
        for (name, mut config) in pg.named("configs")? {
            let mut layer = shared(&mut config)?;
            layer.repo = config.string("repo")?.map(|repo| beside(config.source(), repo));
            config.finish()?;
            section.configs.insert(name, layer);
        }
        section.general = shared(&mut pg)?;
        section.general.url = pg.string("url")?;
        section.general.allow_restore = pg.boolean("allow-restore")?;
        section.general.protected = pg.strings("protected")?;
        pg.finish()?;
    }
    section.general.repo = repo;
    Ok(section)
}

/// What can stand in `[pg]` and in `[pg.configs.NAME]`.
fn shared(reader: &mut Reader<'_>) -> CliResult<Layer> {
    Ok(Layer {
        bin_dir: reader.path("bin-dir")?,
        application_name: reader.string("application-name")?,
        jobs: reader.number("jobs")?,
        connect_timeout: reader.duration("connect-timeout")?,
        lock_timeout: reader.duration("lock-timeout")?,
        statement_timeout: reader.duration("statement-timeout")?,
        reversible: reader.boolean("reversible")?,
        managed: reader.boolean("managed")?,
        exclude_table: reader.strings("exclude-table")?,
        exclude_table_data: reader.strings("exclude-table-data")?,
        pre_dump: hooks(reader, "pre-dump")?,
        post_create: hooks(reader, "post-create")?,
        pre_swap: hooks(reader, "pre-swap")?,
        post_swap: hooks(reader, "post-swap")?,
        hook_timeout: reader.duration("hook-timeout")?,
        ..Layer::default()
    })
}

fn hooks(reader: &mut Reader<'_>, key: &'static str) -> CliResult<Vec<Set<HookEntry>>> {
    let mut hooks = Vec::new();
    for (mut entry, origin) in reader.tables(key, HOOK_EXAMPLE)? {
        let (command, sql) = (entry.string("command")?, entry.path("sql")?);
        let folder = reader.source().folder().to_owned();
        let one_of_both =
            |what: &str| entry.refuse(what, &format!("write `{key} = {HOOK_EXAMPLE}`, in the order in which they run"));
        let value = match (command, sql) {
            (Some(command), None) => Ok(HookEntry::Command { command: command.value, folder }),
            (None, Some(sql)) => Ok(HookEntry::Sql(sql.value)),
            (None, None) => Err(one_of_both("has neither a command nor SQL")),
            (Some(_), Some(_)) => Err(one_of_both("has both a command and SQL")),
        };
        // A misspelt key first: it says more than what is missing because of it.
        entry.finish()?;
        hooks.push(Set { value: value?, origin });
    }
    Ok(hooks)
}

/// A location that is a relative path starts at the file's folder.
fn beside(source: &Source, repo: Set<String>) -> Set<String> {
    let is_path = !repo.value.is_empty() && !repo.value.contains("://") && !repo.value.starts_with("mem:");
    if !is_path || Path::new(&repo.value).is_absolute() {
        return repo;
    }
    // By its components, so that `./` does not add up.
    let path: PathBuf = source.folder().join(repo.value).components().collect();
    Set { value: path.display().to_string(), origin: repo.origin }
}

#[cfg(test)]
mod tests;
