//! Settings from the configuration file, the environment and the command line, each with its origin.

mod check;
mod document;
pub mod ec2;
mod error;
mod file;
mod hooks;
mod layer;
mod names;
mod near;
mod origin;
mod placed;
pub mod rate;
mod reader;
mod schema;
mod show;
mod source;
pub mod time;
mod trust;
mod values;

use std::path::{Path, PathBuf};
use std::time::Duration;

use pg_clone::guard::Guard;
use pg_clone::hook::Hooks;
use pg_clone::{Environment, PgResult, Server};

pub use crate::settings::check::Checked;
use crate::settings::document::Document;
pub use crate::settings::error::{Distrust, SettingsError, SettingsResult, Wanted};
pub use crate::settings::layer::{HookEntry, Layer};
pub use crate::settings::names::{Named, NamedKind};
pub use crate::settings::origin::{Origin, Set};
pub use crate::settings::schema::schema;
pub use crate::settings::show::Shown;

/// The settings of a run, from every place.
#[derive(Clone, Debug, Default)]
pub struct Config {
    document: Document,
    profile: Option<String>,
    /// What files forbid that another one stands before: who names a file of his own is not freed by it.
    elsewhere: Layer,
    environment: Layer,
    flags: Layer,
}

/// The files that may be read, and the one that is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Located {
    /// The file that counts.
    pub path: Option<PathBuf>,
    /// The files looked for.
    pub looked: Vec<PathBuf>,
}

impl Located {
    /// Finds the configuration file without reading it: `named`, or the first that is there of those that are looked for.
    /// `variable` is the environment.
    ///
    /// # Errors
    /// [`SettingsError::Missing`] if the one that was named is not there.
    pub fn find(named: Option<&Path>, variable: impl Fn(&str) -> Option<String>) -> SettingsResult<Self> {
        let looked = trust::candidates(variable);
        let path = match named {
            Some(named) if !named.exists() => return Err(SettingsError::Missing { path: named.to_owned() }),
            Some(named) => Some(named.to_owned()),
            None => looked.iter().find(|path| path.exists()).cloned(),
        };
        Ok(Self { path, looked })
    }
}

/// Reads the file at `path` and judges all of it; none if there is no such file.
///
/// # Errors
/// [`SettingsError`] for the first thing in it that cannot be used.
pub fn check(path: &Path) -> SettingsResult<Option<Checked>> {
    let Some(text) = trust::read(path)? else { return Ok(None) };
    check::check(&Document::read(path, text)?).map(Some)
}

impl Config {
    /// Reads the file; `environment` and `flags` are what stands in the other places.
    ///
    /// # Errors
    /// [`SettingsError`] for whatever cannot be used: half of a configuration is none.
    pub fn load(located: &Located, profile: Option<String>, environment: Layer, flags: Layer) -> SettingsResult<Self> {
        let document = located.path.as_deref().map_or(Ok(Document::default()), read)?;
        document.sections(profile.as_deref())?;
        let mut elsewhere = Layer::default();
        for other in located.looked.iter().filter(|path| Some(*path) != located.path.as_ref()) {
            let other = read(other)?;
            // A profile of that name need not be there.
            let profile = profile.as_deref().filter(|name| other.profiles.contains_key(*name));
            elsewhere = elsewhere.over(other.layer(profile, None)?.prohibitions());
        }
        Ok(Self { document, profile, elsewhere, environment, flags })
    }

    /// Whether the file has the configuration `config`.
    #[must_use]
    pub fn defines(&self, config: &str) -> bool {
        self.document.defines(self.profile.as_deref(), config)
    }

    /// The names that the file defines: configurations that count here, then profiles.
    #[must_use]
    pub fn names(&self) -> Vec<Named> {
        names::of(&self.document, self.profile.as_deref())
    }

    /// What counts for the configuration `config`, or for commands that have none.
    ///
    /// # Errors
    /// [`SettingsError::NoSection`] for a configuration the file does not have.
    pub fn settings(&self, config: Option<&str>, flags: Layer) -> SettingsResult<Settings> {
        let file = self.document.layer(self.profile.as_deref(), config)?;
        let stronger = flags.over(self.flags.clone()).over(self.environment.clone());
        Ok(Settings { layer: stronger.over(file).over(self.elsewhere.clone()) })
    }
}

fn read(path: &Path) -> SettingsResult<Document> {
    trust::read(path)?.map_or(Ok(Document::default()), |text| Document::read(path, text))
}

/// Settings that count, with the places they come from.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    layer: Layer,
}

impl Settings {
    /// The location, as it was written.
    #[must_use]
    pub fn repo(&self) -> Option<&str> {
        self.layer.repo.as_ref().map(|repo| repo.value.as_str())
    }

    /// Folder of the PostgreSQL programs.
    #[must_use]
    pub fn bin_dir(&self) -> Option<PathBuf> {
        self.layer.bin_dir.as_ref().map(|path| path.value.clone())
    }

    /// Whether the server is a managed one.
    #[must_use]
    pub fn managed(&self) -> bool {
        self.layer.managed.as_ref().is_some_and(|managed| managed.value)
    }

    /// Whether restores keep what they replace.
    #[must_use]
    pub fn reversible(&self) -> bool {
        self.layer.reversible.as_ref().is_some_and(|reversible| reversible.value)
    }

    /// The hooks of the file.
    #[must_use]
    pub fn hooks(&self) -> Hooks {
        hooks::of(&self.layer)
    }

    /// Everything, for what has no accessor of its own.
    #[must_use]
    pub fn layer(&self) -> &Layer {
        &self.layer
    }

    /// What may not be replaced.
    ///
    /// # Errors
    /// [`pg_clone::PgError::Usage`] for a pattern that cannot be read: a guard nobody understands guards nothing.
    pub fn guard(&self) -> PgResult<Guard> {
        let mut guard = Guard::default();
        if let Some(set) = self.layer.allow_restore.as_ref().filter(|set| !set.value) {
            guard.forbid(set.origin.to_string());
        }
        for pattern in &self.layer.protected {
            guard.protect(&pattern.value, pattern.origin.to_string())?;
        }
        Ok(guard)
    }

    /// The environment that says where the server is, with what the configuration says below it.
    ///
    /// # Errors
    /// [`pg_clone::PgError`] for a URL that cannot be understood.
    pub fn environment(&self) -> PgResult<Environment> {
        let mut environment = Environment::current();
        if let Some(url) = &self.layer.url {
            environment.set_fallback_url(&url.value)?;
        }
        if let Some(name) = &self.layer.application_name {
            environment.set_fallback("application_name", &*name.value);
        }
        if let Some(timeout) = &self.layer.connect_timeout {
            // libpq counts in seconds, and 0 is for ever.
            let seconds = timeout.value.as_millis().div_ceil(1_000);
            environment.set_fallback("connect_timeout", seconds.to_string());
        }
        Ok(environment)
    }

    /// The server with its limits and its guard.
    ///
    /// # Errors
    /// As [`Settings::guard`].
    pub fn limit(&self, server: Server) -> PgResult<Server> {
        let timeout = self.layer.statement_timeout.as_ref().map_or(Duration::ZERO, |timeout| timeout.value);
        Ok(server.with_statement_timeout(timeout).with_guard(self.guard()?))
    }

    /// Every setting with its origin, in the file's notation.
    #[must_use]
    pub fn shown(&self) -> Vec<Shown> {
        show::shown(&self.layer)
    }
}

#[cfg(test)]
mod tests;
