//! What every command needs: global options, the printer, the run, and access to the location and the server.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use backup_core::location::contents::standing;
use backup_core::location::{Access, Init, Initialized, Location, Standing, shell_word};
use backup_core::probe::{self, MARKER_KEY};
use backup_core::run::Run;
use backup_core::store::SharedStore;
use backup_core::store::limit::Rates;
use lastgood_operator::settings::rate::Rate;
use lastgood_operator::settings::{Config, Layer, Set, Settings};
use pg_clone::{Environment, Origin, Resolved, Server};

use crate::args::server::ServerArgs;
use crate::args::{self, Global};
use crate::error::{CliError, CliResult};
use crate::layouts::layouts;
use crate::render::printer::Printer;

/// What every command works with.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) printer: Arc<Printer>,
    pub(crate) run: Run,
    pub(crate) config: Config,
    /// What counts for this command.
    pub(crate) settings: Settings,
    /// Locations that were opened: what they did not follow is told at the end. What turns out to be none is told as that alone.
    stores: Arc<Mutex<Vec<SharedStore>>>,
}

impl Context {
    pub(crate) fn new(global: Global, printer: Arc<Printer>, run: Run, config: Config, settings: Settings) -> Self {
        Self { global, printer, run, config, settings, stores: Arc::default() }
    }

    /// The same surroundings under the settings of the configuration `config` and of a command's own options.
    ///
    /// # Errors
    /// [`CliError::Settings`] for a configuration the file does not have.
    pub(crate) fn with(&self, config: &str, flags: Layer) -> CliResult<Self> {
        let settings = self.config.settings(Some(config), flags)?;
        Ok(Self { settings, ..self.clone() })
    }

    /// The location meant by `-r`, LASTGOOD_REPO, the configuration file or nothing.
    pub(crate) fn location(&self) -> CliResult<Location> {
        match self.settings.repo() {
            Some(text) => Ok(text.parse()?),
            None => Ok(Location::default_local()),
        }
    }

    /// Opens the location for a command that only reads: what the originals wrote has no marker and is read all the same.
    pub(crate) async fn open(&self) -> CliResult<SharedStore> {
        let location = self.location()?;
        let store = self.opened(&location).await?;
        let standing = self.or_cancelled(async { Ok(standing(&*store, &layouts()).await?) }).await?;
        self.remember(&store);
        match standing {
            Standing::Unmarked(layout) if layout.ours => self.printer.warn(&format!(
                "`{location}` has {} but no `{MARKER_KEY}`; run `lastgood init -r {}` to write it again",
                layout.name,
                shell_word(&location.to_string())
            )),
            Standing::Unclear => self.printer.warn(&format!(
                "`{location}` has no `{MARKER_KEY}`, and too many objects to look at them all: \
                 the backups may be somewhere else"
            )),
            Standing::Made(_) | Standing::Unmarked(_) => {}
        }
        Ok(store)
    }

    /// Opens the location for a command that deletes or sets something in it: somebody must have made it one.
    pub(crate) async fn open_to_change(&self) -> CliResult<SharedStore> {
        let location = self.location()?;
        let store = self.opened(&location).await?;
        match self.or_cancelled(async { Ok(probe::check(&*store).await?) }).await? {
            Some(_) => {
                self.remember(&store);
                Ok(store)
            }
            None => Err(probe::unmarked(&*store).into()),
        }
    }

    /// Opens the location for a backup, which asks itself whether it is one, and makes it only if `--init` says so.
    pub(crate) async fn open_to_write(&self, init: args::Init) -> CliResult<SharedStore> {
        if init.init {
            return Ok(self.init().await?.store);
        }
        let store = self.opened(&self.location()?).await?;
        self.remember(&store);
        Ok(store)
    }

    /// Opens the location for the dry run of a backup, which ends as the run would. A folder that `--init` would make
    /// stays missing: an empty store stands for it.
    pub(crate) async fn open_to_plan(&self, init: args::Init) -> CliResult<SharedStore> {
        if !init.init {
            return self.open_to_change().await;
        }
        match self.before_init().await? {
            Some(store) => Ok(store),
            None => Ok(Location::Memory.open().await?),
        }
    }

    /// Makes the location.
    pub(crate) async fn init(&self) -> CliResult<Initialized> {
        let (location, known, access) = (self.location()?, layouts(), self.access());
        self.warn_if_exposed(&location);
        let init = Init { clock: &*self.run.clock, access: &access, ..Init::new(&known) };
        let made = self.or_cancelled(async { Ok(location.init(&init).await?) }).await?;
        self.remember(&made.store);
        Ok(made)
    }

    /// Refuses what [`Context::init`] refuses, and makes nothing.
    pub(crate) async fn before_init(&self) -> CliResult<Option<SharedStore>> {
        let (location, known, access) = (self.location()?, layouts(), self.access());
        self.warn_if_exposed(&location);
        let init = Init { access: &access, ..Init::new(&known) };
        self.or_cancelled(async { Ok(location.before_init(&init).await?) }).await
    }

    async fn opened(&self, location: &Location) -> CliResult<SharedStore> {
        self.warn_if_exposed(location);
        let access = self.access();
        // Credentials may be asked of a service that does not answer.
        self.or_cancelled(async { Ok(location.open_with(&access).await?) }).await
    }

    /// How locations are opened.
    pub(crate) fn access(&self) -> Access {
        let layer = self.settings.layer();
        let rate = |set: Option<&Set<Rate>>| set.and_then(|set| set.value.0);
        let rates = Rates { upload: rate(layer.limit_upload.as_ref()), download: rate(layer.limit_download.as_ref()) };
        Access::new().progress(Arc::clone(&self.run.progress)).cancelled_by(self.run.cancel.clone()).rates(rates)
    }

    fn remember(&self, store: &SharedStore) {
        self.stores.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(store));
    }

    /// Says of links in the locations that were opened that nothing was followed.
    pub(crate) fn warn_of_links(&self) {
        let stores = std::mem::take(&mut *self.stores.lock().unwrap_or_else(PoisonError::into_inner));
        let mut told = BTreeSet::new();
        for store in stores {
            for met in store.unfollowed() {
                if told.insert(met.clone()) {
                    self.printer.warn(&format!("{met} (in `{}`)", store.describe()));
                }
            }
        }
    }

    fn warn_if_exposed(&self, location: &Location) {
        if let Some(exposure) = location.exposure() {
            self.printer.warn(&exposure.to_string());
        }
    }

    /// Runs `work` until it ends or a signal comes. For reading: nothing is left to clear up.
    pub(crate) async fn or_cancelled<T>(&self, work: impl Future<Output = CliResult<T>>) -> CliResult<T> {
        self.run.or_cancelled(work).await
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

    /// [`Context::server_of`] for a command that cannot do without a database.
    pub(crate) fn database_of(&self, args: &ServerArgs, argument: Option<&str>) -> CliResult<(Server, String)> {
        let (server, database) = self.server_of(args, argument)?;
        Ok((server, required(database)?))
    }

    fn resolve(&self, target: Option<&str>, environment: &Environment) -> CliResult<(Server, Option<String>)> {
        let Resolved { server, database, .. } = Server::resolve(target, Origin::CommandLine, environment)?;
        let server = self.settings.limit(server)?;
        if let Some(secret) = server.known_secret() {
            self.printer.redactor().register(secret);
        }
        Ok((server, database))
    }
}

/// The database of a command that cannot do without one.
fn required(database: Option<String>) -> CliResult<String> {
    database.ok_or_else(|| {
        CliError::usage("no database given", "give one as an argument, or set PGDATABASE or LASTGOOD_PG_URL")
    })
}
