//! What every command works with: the options of all, the printer, the run, and the ways to the location and the server.

use std::sync::Arc;

use backup_core::location::Location;
use backup_core::probe;
use backup_core::store::SharedStore;
use pg_clone::{Environment, Origin, Run, Server};

use crate::args::Global;
use crate::args::server::ServerArgs;
use crate::config::{Config, Layer, Settings};
use crate::error::{CliError, CliResult};
use crate::render::printer::Printer;

/// What every command works with.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) printer: Arc<Printer>,
    pub(crate) run: Run,
    pub(crate) config: Config,
    /// What counts for this command.
    pub(crate) settings: Settings,
}

impl Context {
    /// The same surroundings under the settings of the configuration `config` and of a command's own options.
    ///
    /// # Errors
    /// [`CliError::Usage`] for a configuration the file does not have.
    pub(crate) fn with(&self, config: &str, flags: Layer) -> CliResult<Self> {
        let settings = self.config.settings(Some(config), flags)?;
        let (global, printer, run) = (self.global.clone(), Arc::clone(&self.printer), self.run.clone());
        Ok(Self { global, printer, run, config: self.config.clone(), settings })
    }

    /// The location meant by `-r`, LASTGOOD_REPO, the configuration file or nothing.
    pub(crate) fn location(&self) -> CliResult<Location> {
        match self.settings.repo() {
            Some(text) => Ok(text.parse()?),
            None => Ok(Location::default_local()),
        }
    }

    /// Opens the location for a command that needs it to be there.
    pub(crate) async fn open(&self) -> CliResult<SharedStore> {
        let location = self.location()?;
        self.warn_if_exposed(&location);
        let store = location.open().await?;
        // A newer layout must be refused before it is misread.
        probe::check(&*store).await?;
        Ok(store)
    }

    /// Opens the location for a dump, which makes it if it is missing.
    pub(crate) async fn open_or_create(&self) -> CliResult<SharedStore> {
        let location = self.location()?;
        self.warn_if_exposed(&location);
        Ok(location.open_or_create().await?)
    }

    /// Opens the location for the dry run of a dump: a folder that is missing stays missing.
    pub(crate) async fn open_or_pretend(&self) -> CliResult<SharedStore> {
        let location = self.location()?;
        match &location {
            Location::File(path) if !path.exists() => Ok(Location::Memory.open().await?),
            _ => self.open().await,
        }
    }

    fn warn_if_exposed(&self, location: &Location) {
        if let Some(exposure) = location.exposure() {
            self.printer.warn(&exposure.to_string());
        }
    }

    /// Runs `work` until it ends or a signal comes. For reading: nothing is left to clear up.
    pub(crate) async fn or_cancelled<T>(&self, work: impl Future<Output = CliResult<T>>) -> CliResult<T> {
        tokio::select! {
            biased;
            () = self.run.cancel.cancelled() => Err(CliError::Interrupted),
            result = work => result,
        }
    }

    /// The server, and the database if one is named by `target`, the environment or the configuration file.
    pub(crate) fn server(&self, target: Option<&str>) -> CliResult<(Server, Option<String>)> {
        self.resolve(target, &self.settings.environment()?)
    }

    /// [`Context::server`] with what the options of a command line say; `argument` is what `-d` may stand for.
    pub(crate) fn server_of(&self, args: &ServerArgs, argument: Option<&str>) -> CliResult<(Server, Option<String>)> {
        let target = args.target(argument)?;
        let mut environment = self.settings.environment()?;
        args.apply(&mut environment);
        self.resolve(target, &environment)
    }

    fn resolve(&self, target: Option<&str>, environment: &Environment) -> CliResult<(Server, Option<String>)> {
        let (server, database) = Server::resolve(target, Origin::CommandLine, environment)?;
        let server = self.settings.limit(server)?;
        if let Some(secret) = server.known_secret() {
            self.printer.redactor().register(secret);
        }
        Ok((server, database))
    }
}
