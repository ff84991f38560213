//! Settings from the configuration file, the environment and the command line, each with its origin.

mod document;
mod file;
mod guard;
mod hooks;
mod layer;
mod origin;
mod reader;
mod show;

use std::path::{Path, PathBuf};
use std::time::Duration;

use pg_clone::guard::Guard;
use pg_clone::hook::Hooks;
use pg_clone::{Environment, Server};

use crate::args::Global;
use crate::config::document::Document;
pub(crate) use crate::config::layer::Layer;
pub(crate) use crate::config::origin::{Origin, Set};
pub(crate) use crate::config::show::Shown;
use crate::env;
use crate::error::{CliError, CliResult};

/// The configuration of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    document: Document,
    profile: Option<String>,
    /// What files forbid that another one stands before: who names a file of his own is not freed by it.
    elsewhere: Layer,
    environment: Layer,
    flags: Layer,
}

/// The files that may be read, and the one that is.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    /// The file that counts.
    pub(crate) path: Option<PathBuf>,
    /// The files looked for.
    pub(crate) looked: Vec<PathBuf>,
}

/// Finds the configuration file without reading it.
///
/// # Errors
/// [`CliError::Usage`] if the one that was named is not there.
pub(crate) fn locate(global: &Global) -> CliResult<Located> {
    let looked = file::candidates();
    let named = global.config_file.as_ref().filter(|path| !path.is_empty()).map(PathBuf::from);
    if let Some(path) = named {
        if !path.exists() {
            return Err(CliError::usage(
                format!("there is no configuration file `{}`", path.display()),
                format!(
                    "--config-file and {} name one; without them `lastgood config path` says which is read",
                    env::CONFIG_FILE
                ),
            ));
        }
        return Ok(Located { path: Some(path), looked });
    }
    Ok(Located { path: looked.iter().find(|path| path.exists()).cloned(), looked })
}

impl Config {
    /// Reads the file and the environment.
    ///
    /// # Errors
    /// [`CliError::Usage`] for whatever cannot be used: half of a configuration is none.
    pub(crate) fn load(global: &Global) -> CliResult<Self> {
        let located = locate(global)?;
        let profile = global.profile.clone().filter(|name| !name.is_empty());
        let document = located.path.as_deref().map_or(Ok(Document::default()), read)?;
        document.sections(profile.as_deref())?;
        let mut elsewhere = Layer::default();
        for other in located.looked.iter().filter(|path| Some(*path) != located.path.as_ref()) {
            let other = read(other)?;
            // A profile of that name need not be there.
            let profile = profile.as_deref().filter(|name| other.profiles.contains_key(*name));
            elsewhere = elsewhere.over(other.layer(profile, None)?.prohibitions());
        }
        let (flags, environment) = given(global)?;
        Ok(Self { document, profile, elsewhere, environment, flags })
    }

    /// Whether the file has the configuration `config`.
    pub(crate) fn defines(&self, config: &str) -> bool {
        self.document.defines(self.profile.as_deref(), config)
    }

    /// What counts for the configuration `config`, or for commands that have none.
    ///
    /// # Errors
    /// [`CliError::Usage`] for a configuration the file does not have.
    pub(crate) fn settings(&self, config: Option<&str>, flags: Layer) -> CliResult<Settings> {
        let file = self.document.layer(self.profile.as_deref(), config)?;
        let stronger = flags.over(self.flags.clone()).over(self.environment.clone());
        Ok(Settings { layer: stronger.over(file).over(self.elsewhere.clone()) })
    }
}

fn read(path: &Path) -> CliResult<Document> {
    file::read(path)?.map_or(Ok(Document::default()), |text| Document::read(path, text))
}

/// What every command's options and the environment say.
fn given(global: &Global) -> CliResult<(Layer, Layer)> {
    let of_variable = env::value(env::REPO);
    let (mut flags, mut environment) = (Layer::default(), Layer::default());
    match &global.repo {
        // An empty variable means unset, as everywhere else; an empty option is a mistake and is told so.
        Some(text) if text.is_empty() && std::env::var(env::REPO).is_ok_and(|value| value.is_empty()) => {}
        Some(text) if of_variable.as_ref() == Some(text) => {
            environment.repo = Some(Set::variable(env::REPO, text.clone()))
        }
        Some(text) => flags.repo = Some(Set::flag("--repo", text.clone())),
        None => {}
    }
    environment.bin_dir = env::value(env::PG_BIN).map(|text| Set::variable(env::PG_BIN, text.into()));
    environment.application_name = env::value("PGAPPNAME").map(|name| Set::variable("PGAPPNAME", name));
    let seconds = env::value("PGCONNECT_TIMEOUT").and_then(|text| text.parse().ok());
    environment.connect_timeout =
        seconds.map(|seconds| Set::variable("PGCONNECT_TIMEOUT", Duration::from_secs(seconds)));
    environment.allow_restore =
        guard::allowed_by_environment()?.map(|allowed| Set::variable(env::ALLOW_RESTORE, allowed));
    Ok((flags, environment))
}

/// Settings that count, with the places they come from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    layer: Layer,
}

impl Settings {
    /// The location, as it was written.
    pub(crate) fn repo(&self) -> Option<&str> {
        self.layer.repo.as_ref().map(|repo| repo.value.as_str())
    }

    /// Folder of the PostgreSQL programs.
    pub(crate) fn bin_dir(&self) -> Option<PathBuf> {
        self.layer.bin_dir.as_ref().map(|path| path.value.clone())
    }

    /// Whether the server is a managed one.
    pub(crate) fn managed(&self) -> bool {
        self.layer.managed.as_ref().is_some_and(|managed| managed.value)
    }

    /// Whether restores keep what they replace.
    pub(crate) fn reversible(&self) -> bool {
        self.layer.reversible.as_ref().is_some_and(|reversible| reversible.value)
    }

    /// The hooks of the file.
    pub(crate) fn hooks(&self) -> Hooks {
        hooks::of(&self.layer)
    }

    /// Everything, for what has no accessor of its own.
    pub(crate) fn layer(&self) -> &Layer {
        &self.layer
    }

    /// What may not be replaced.
    ///
    /// # Errors
    /// [`CliError::Usage`] for a pattern that cannot be read: a guard nobody understands guards nothing.
    pub(crate) fn guard(&self) -> CliResult<Guard> {
        guard::of(&self.layer)
    }

    /// The environment that says where the server is, with what the configuration says below it.
    ///
    /// # Errors
    /// [`CliError::Pg`] for a URL that cannot be understood.
    pub(crate) fn environment(&self) -> CliResult<Environment> {
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
    pub(crate) fn limit(&self, server: Server) -> CliResult<Server> {
        let timeout = self.layer.statement_timeout.as_ref().map_or(Duration::ZERO, |timeout| timeout.value);
        Ok(server.with_statement_timeout(timeout).with_guard(self.guard()?))
    }

    /// Every setting with its origin, in the file's notation.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        show::shown(&self.layer)
    }
}

#[cfg(test)]
mod tests;
