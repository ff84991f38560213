//! The configuration file as layers: what stands at its top, its configurations, its profiles.

use std::collections::BTreeMap;
use std::path::Path;

use crate::settings::error::{SettingsError, SettingsResult};
use crate::settings::file::{Ec2, Glacier, Pg};
use crate::settings::layer::Layer;
use crate::settings::placed::Given;
use crate::settings::reader;
use crate::settings::source::Source;
use crate::settings::values::Table;

/// The settings of the file's top, or of a profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) general: Layer,
    /// `[pg.configs.NAME]`.
    pub(super) configs: BTreeMap<String, Layer>,
}

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) top: Section,
    /// `[profile.NAME]`.
    pub(super) profiles: BTreeMap<String, Section>,
}

impl Document {
    /// Reads the text of the file at `path`.
    ///
    /// # Errors
    /// [`SettingsError`] for what is not TOML, not a setting, of the wrong type or a secret; with key, file and line.
    pub(super) fn read(path: &Path, text: String) -> SettingsResult<Self> {
        let source = Source::new(path, text);
        let file = reader::read(&source)?;
        let table = Table::new(&source);
        let mut profiles = BTreeMap::new();
        for (name, profile) in &file.profile {
            let below = table.below("profile").below(name);
            let limits = [&profile.limit_upload, &profile.limit_download];
            profiles.insert(
                name.clone(),
                section(&below, &profile.repo, limits, &profile.pg, (&profile.ec2, &profile.glacier))?,
            );
        }
        let limits = [&file.limit_upload, &file.limit_download];
        Ok(Self { top: section(&table, &file.repo, limits, &file.pg, (&file.ec2, &file.glacier))?, profiles })
    }

    /// The sections that count, strongest first.
    ///
    /// # Errors
    /// [`SettingsError::NoSection`] for a profile the file does not have.
    pub(super) fn sections(&self, profile: Option<&str>) -> SettingsResult<Vec<&Section>> {
        let Some(name) = profile else { return Ok(vec![&self.top]) };
        let profile = self.profiles.get(name).ok_or_else(|| missing("profile", name, self.profiles.keys()))?;
        Ok(vec![profile, &self.top])
    }

    /// What the file says for `config` under `profile`. What is said in the profile counts more than what is said at the
    /// top, and in each of them what is said for the configuration more than what is said for all.
    ///
    /// # Errors
    /// [`SettingsError::NoSection`] for a profile the file does not have, and for a configuration it does not have
    /// although it has others: a dump without the hooks and exclusions somebody wrote down would be a surprise.
    pub(super) fn layer(&self, profile: Option<&str>, config: Option<&str>) -> SettingsResult<Layer> {
        let sections = self.sections(profile)?;
        let names: Vec<&String> = sections.iter().flat_map(|section| section.configs.keys()).collect();
        if let Some(config) = config
            && config != pg_clone::options::CONFIG_DEFAULT
            && !names.is_empty()
            && !names.iter().any(|name| *name == config)
        {
            return Err(missing("pg.configs", config, names));
        }
        let mut all = Layer::default();
        for section in sections {
            let own = config.and_then(|config| section.configs.get(config)).cloned().unwrap_or_default();
            all = all.over(own).over(section.general.clone());
        }
        Ok(all)
    }

    /// Whether the file has the configuration `config`.
    pub(super) fn defines(&self, profile: Option<&str>, config: &str) -> bool {
        self.sections(profile).is_ok_and(|sections| sections.iter().any(|section| section.configs.contains_key(config)))
    }

    /// Every section of the file.
    pub(super) fn all(&self) -> impl Iterator<Item = &Section> {
        std::iter::once(&self.top).chain(self.profiles.values())
    }
}

fn missing<'n>(table: &'static str, name: &str, known: impl IntoIterator<Item = &'n String>) -> SettingsError {
    SettingsError::NoSection { table, name: name.to_owned(), known: known.into_iter().cloned().collect() }
}

fn section(
    table: &Table<'_>,
    repo: &Given<String>,
    limits: [&Given<String>; 2],
    pg: &Pg,
    (ec2, glacier): (&Ec2, &Glacier),
) -> SettingsResult<Section> {
    let below = table.below("pg");
    let mut section = Section::default();
    for (name, config) in &pg.configs {
        let below = below.below("configs").below(name);
        let layer = Layer { repo: below.repo(&config.repo)?, ..config.shared(&below)? };
        section.configs.insert(name.clone(), layer);
    }
    section.general = Layer {
        repo: table.repo(repo)?,
        limit_upload: table.rate("limit-upload", limits[0])?,
        limit_download: table.rate("limit-download", limits[1])?,
        url: below.string("url", &pg.url)?,
        allow_restore: below.plain(&pg.allow_restore),
        protected: below.strings("protected", &pg.protected)?,
        ..pg.shared(&below)?
    };
    section.general = section.general.over(ec2.layer(&table.below("ec2"))?);
    section.general = section.general.over(glacier.layer(&table.below("glacier"))?);
    Ok(section)
}

#[cfg(test)]
mod tests;
