//! The API for applications: a named backup of their types, to one location.

use std::sync::Arc;

use backup_core::aws::Credentials;
use backup_core::location::{Access, Init, Location};
use backup_core::store::SharedStore;
use jiff::SignedDuration;

use crate::backup::{Backup, BackupReport};
use crate::error::{ObjectError, ObjectResult};
use crate::key;
use crate::options::BackupOptions;
use crate::plan::{Recurse, Types};
use crate::registry::Registry;
use crate::run::Run;
use crate::source::Source;
use crate::storable::Storable;

/// An application: its types, what its backups are called and where they go. Run it as often as wanted.
#[derive(Clone, Debug)]
pub struct Application {
    options: BackupOptions,
    location: Location,
    credentials: Option<Credentials>,
    init: bool,
    surroundings: Run,
    types: Registry,
}

impl Application {
    /// A backup called `name`, to [`Location::default_local`] unless told otherwise.
    #[must_use]
    pub fn builder(name: &str) -> ApplicationBuilder {
        ApplicationBuilder {
            options: BackupOptions::new().name(name),
            location: None,
            credentials: None,
            init: false,
            surroundings: Run::silent(),
        }
    }

    /// Adds `T` and all its bases; returns how many were new. Adding twice is harmless.
    ///
    /// # Errors
    /// As [`Registry::add`].
    pub fn add<T: Storable>(&mut self) -> ObjectResult<usize> {
        self.types.add::<T>()
    }

    /// Adds `T` without its bases; returns how many were new.
    ///
    /// # Errors
    /// As [`Registry::add`].
    pub fn add_only<T: Storable>(&mut self) -> ObjectResult<usize> {
        self.types.add_only::<T>()
    }

    /// Adds every registered type of the module `path`, each with its bases; returns how many were new.
    ///
    /// # Errors
    /// As [`Registry::add_module`].
    pub fn add_module(&mut self, path: &str, recurse: Recurse) -> ObjectResult<usize> {
        self.types.add_module(path, recurse)
    }

    /// As [`Application::add_module`], without bases.
    ///
    /// # Errors
    /// As [`Registry::add_module`].
    pub fn add_module_only(&mut self, path: &str, recurse: Recurse) -> ObjectResult<usize> {
        self.types.add_module_only(path, recurse)
    }

    /// The types added so far.
    #[must_use]
    pub fn types(&self) -> &Registry {
        &self.types
    }

    /// Opens the location, for [`crate::list`], [`crate::Restore`] and the others.
    ///
    /// # Errors
    /// What the store says: a bucket must exist already, and a folder unless [`ApplicationBuilder::init`] is asked for.
    pub async fn open(&self) -> ObjectResult<SharedStore> {
        let mut access = Access::new().progress(Arc::clone(&self.surroundings.progress));
        if let Some(credentials) = &self.credentials {
            access = access.credentials(credentials.clone());
        }
        if self.init {
            let (clock, access) = (&*self.surroundings.clock, &access);
            let init = Init { clock, access, ..Init::new(&key::LAYOUTS) };
            return Ok(self.location.init(&init).await?.store);
        }
        Ok(self.location.open_with(&access).await?)
    }

    /// Backs the added types up from `source`: they make up the application, so that the backup is complete, whatever else
    /// the source holds.
    ///
    /// # Errors
    /// [`ObjectError::Usage`] if no type was added; as [`crate::Backup`].
    pub async fn run(&self, source: Arc<dyn Source>) -> ObjectResult<BackupReport> {
        if self.types.is_empty() {
            let help = "call `add` or `add_module` first; `object_backup::Backup` backs up all types of a source";
            return Err(ObjectError::usage(format!("no type was added to the backup `{}`", self.options.name), help));
        }
        let options = BackupOptions { types: Types::Application(self.types.wanted()), ..self.options.clone() };
        let store = Box::pin(self.open()).await?;
        Backup::prepare(&store, source, &options, &self.surroundings).await?.run().await
    }
}

/// Says what the backups of an [`Application`] are called and where it goes.
#[derive(Clone, Debug)]
pub struct ApplicationBuilder {
    options: BackupOptions,
    location: Option<String>,
    credentials: Option<Credentials>,
    init: bool,
    surroundings: Run,
}

impl ApplicationBuilder {
    /// `s3://bucket/prefix`, or a folder.
    #[must_use]
    pub fn location(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }

    /// The key for the bucket; else it comes from the usual AWS environment and profile. Never shown.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Makes the location at first use, as `lastgood init` does beforehand. Without it nothing is written where nobody made
    /// a location: the name may have been mistyped.
    #[must_use]
    pub fn init(mut self) -> Self {
        self.init = true;
        self
    }

    /// Does nothing if the newest complete backup of the same source is younger.
    #[must_use]
    pub fn min_age(mut self, least: SignedDuration) -> Self {
        self.options.min_age = Some(least);
        self
    }

    /// Leaves out types that cannot be read. The backup is then partial.
    #[must_use]
    pub fn allow_partial(mut self) -> Self {
        self.options.allow_partial = true;
        self
    }

    /// Publishes even if there is no record at all, or if types that had records have none any more.
    #[must_use]
    pub fn allow_empty(mut self) -> Self {
        self.options.allow_empty = true;
        self
    }

    /// Publishes nothing if records or bytes fell by more than `percent` since the last complete backup of the same source.
    /// A fall by more than half is told without it.
    #[must_use]
    pub fn max_shrink(mut self, percent: u8) -> Self {
        self.options.max_shrink = Some(percent);
        self
    }

    /// Adds a label; retention can keep by it.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.options.tags.push(tag.into());
        self
    }

    /// The clock, who is told what happens, and who can stop it.
    #[must_use]
    pub fn surroundings(mut self, run: Run) -> Self {
        self.surroundings = run;
        self
    }

    /// Checks name and location. Nothing is opened.
    ///
    /// # Errors
    /// [`ObjectError::Usage`] for a name that cannot be used; what is wrong with the location.
    pub fn build(self) -> ObjectResult<Application> {
        key::folder(&self.options.name)?;
        let location = self.location.as_deref().map_or_else(|| Ok(Location::default_local()), str::parse)?;
        if self.credentials.is_some() && !matches!(location, Location::S3 { .. }) {
            return Err(ObjectError::usage(
                format!("`{location}` takes no credentials"),
                "omit them, or use a bucket such as `s3://bucket/prefix`",
            ));
        }
        let Self { options, credentials, init, surroundings, .. } = self;
        Ok(Application { options, location, credentials, init, surroundings, types: Registry::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c17_a_key_is_never_shown() {
        let key = || Credentials::new("AKIAEXAMPLE", "hunter2");
        let built = Application::builder("nightly").location("s3://bucket/prefix").credentials(key()).build().unwrap();
        let shown = format!("{built:?} {:?}", Application::builder("x").credentials(key()));
        assert!(!shown.contains("AKIA") && !shown.contains("hunter"), "{shown}");
        let refused = Application::builder("nightly").location("/backups").credentials(key()).build().unwrap_err();
        assert_eq!(refused.to_string(), "`/backups` takes no credentials");
    }

    #[tokio::test]
    async fn a_location_is_made_only_if_that_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("backups");
        let named = || Application::builder("nightly").location(place.display().to_string());
        assert!(named().build().unwrap().open().await.is_err());
        assert!(!place.exists());
        let store = named().init().build().unwrap().open().await.unwrap();
        assert!(backup_core::probe::check(&*store).await.unwrap().is_some());
        named().build().unwrap().open().await.unwrap();
    }

    #[tokio::test]
    async fn what_cannot_be_meant_is_refused() {
        assert!(Application::builder("../x").build().is_err());
        assert!(Application::builder("x").location("ftp://x").build().is_err());
        let empty = Application::builder("x").location("mem:").build().unwrap();
        let source = Arc::new(crate::NdjsonSource::new("/does/not/exist"));
        let error = empty.run(source).await.unwrap_err();
        assert!(error.to_string().contains("no type was added"), "{error}");
    }
}
