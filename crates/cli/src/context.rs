//! What every command works with: the options of all, the printer, the run, and the ways to the location and the server.

use std::sync::Arc;

use backup_core::location::Location;
use backup_core::probe;
use backup_core::store::SharedStore;
use pg_clone::{Environment, Origin, Run, Server};

use crate::args::Global;
use crate::env;
use crate::error::{CliError, CliResult};
use crate::render::printer::Printer;

/// What every command works with.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) printer: Arc<Printer>,
    pub(crate) run: Run,
}

impl Context {
    /// The location meant by `-r`, LASTGOOD_REPO or nothing.
    pub(crate) fn location(&self) -> CliResult<Location> {
        // An empty variable means unset, as everywhere else; an empty option is a mistake and is told so.
        let given = self.global.repo.as_deref();
        let unset = given == Some("") && std::env::var(env::REPO).is_ok_and(|value| value.is_empty());
        match given.filter(|_| !unset) {
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

    /// The server, and the database if one is named by `target` or the environment.
    pub(crate) fn server(&self, target: Option<&str>) -> CliResult<(Server, Option<String>)> {
        let (server, database) = Server::resolve(target, Origin::CommandLine, &Environment::current())?;
        if let Some(secret) = server.known_secret() {
            self.printer.redactor().register(secret);
        }
        Ok((server, database))
    }
}
