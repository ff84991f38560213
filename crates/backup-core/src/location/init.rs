//! Creates a location, always explicitly, so that a mistyped name does not become one.

use std::path::Path;

use super::{Access, Layout, Location, access, contents, open_s3, wrapped};
use crate::clock::{Clock, SystemClock};
use crate::error::{CoreError, StoreError};
use crate::key::Key;
use crate::probe::{self, MARKER_KEY, Marker};
use crate::store::fs::FsStore;
use crate::store::{SharedStore, StoreRead};

/// How a location is made.
#[derive(Clone, Copy, Debug)]
pub struct Init<'a> {
    /// Backups that may be there already. Whatever else there is stands against it.
    pub known: &'a [Layout],
    /// Tells when it was made.
    pub clock: &'a dyn Clock,
    /// How it is opened.
    pub access: &'a Access,
}

impl<'a> Init<'a> {
    /// Beside backups of the `known` forms, by the machine's clock, with the environment's credentials.
    #[must_use]
    pub fn new(known: &'a [Layout]) -> Self {
        Self { known, clock: &SystemClock, access: &access::PLAIN }
    }
}

/// A location that is there.
#[derive(Clone, Debug)]
pub struct Initialized {
    /// It, open.
    pub store: SharedStore,
    /// What its marker says.
    pub marker: Marker,
    /// Whether it was made just now.
    pub created: bool,
}

impl Location {
    /// Makes it a location of backups: the folder, readable by its owner only, and the marker, which proves that the store
    /// publishes atomically. One that was made before is opened.
    ///
    /// # Errors
    /// [`StoreError::Occupied`] if something else is there, or if it lies inside another location; [`StoreError::Unsuitable`]
    /// if the store cannot publish atomically; what the store says.
    pub async fn init(&self, init: &Init<'_>) -> Result<Initialized, CoreError> {
        let found = self.before_init(init).await?;
        let store = match (found, self) {
            (Some(store), _) => store,
            (None, Self::File(path)) => wrapped(init.access.waited_for(FsStore::create(path)?), init.access),
            (None, _) => self.open_with(init.access).await?,
        };
        mark(store, init).await
    }

    /// Refuses what [`Location::init`] refuses, and writes nothing. The store, unless its folder is yet to be made.
    ///
    /// # Errors
    /// As [`Location::init`].
    pub async fn before_init(&self, init: &Init<'_>) -> Result<Option<SharedStore>, CoreError> {
        let store = match self.open_with(init.access).await {
            Ok(store) => Some(store),
            Err(StoreError::NoLocation { .. }) if matches!(self, Self::File(path) if !path.exists()) => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(store) = &store
            && probe::check(&**store).await?.is_some()
        {
            return Ok(Some(store.clone()));
        }
        if let Some(outer) = self.enclosing(init.access).await {
            return Err(occupied(self.to_string(), format!("it lies inside another location, `{outer}`")).into());
        }
        if let Some(store) = &store {
            refuse_foreign(store, init).await?;
        }
        Ok(store)
    }

    /// The location this one would lie in: two in one another would take each other's objects for their own. Best effort:
    /// whoever may not look further up has no business there.
    async fn enclosing(&self, access: &Access) -> Option<Self> {
        match self {
            Self::Memory => None,
            Self::File(path) => enclosing_folder(path).map(Self::File),
            Self::S3 { bucket, prefix } => {
                let marker = Key::new(MARKER_KEY).ok()?;
                let mut prefix = prefix.as_str();
                while !prefix.is_empty() {
                    prefix = prefix.rsplit_once('/').map_or("", |(above, _)| above);
                    let store = open_s3(bucket, prefix, access).await.ok()?;
                    if store.head(&marker).await.is_ok() {
                        return Some(Self::S3 { bucket: bucket.clone(), prefix: prefix.to_owned() });
                    }
                }
                None
            }
        }
    }
}

/// Makes a location of a store that is open, as [`Location::init`] does, but for what lies around it.
///
/// # Errors
/// As [`Location::init`].
pub async fn init_store(store: &SharedStore, init: &Init<'_>) -> Result<Initialized, CoreError> {
    if probe::check(&**store).await?.is_none() {
        refuse_foreign(store, init).await?;
    }
    mark(store.clone(), init).await
}

async fn mark(store: SharedStore, init: &Init<'_>) -> Result<Initialized, CoreError> {
    let created = probe::check(&*store).await?.is_none();
    let marker = probe::init(&*store, init.clock).await?;
    Ok(Initialized { store, marker, created })
}

async fn refuse_foreign(store: &SharedStore, init: &Init<'_>) -> Result<(), CoreError> {
    let contents = contents::look(&**store, init.known, |contents| contents.foreign.is_some()).await?;
    match contents.foreign {
        Some(foreign) => Err(occupied(store.describe(), format!("it holds {foreign}")).into()),
        None => Ok(()),
    }
}

fn occupied(location: String, what: String) -> StoreError {
    let help = "nothing was written. Choose a folder or prefix that is empty or does not exist yet".into();
    StoreError::Occupied { location, what, help }
}

/// The nearest folder above that is a location. What is not there yet is looked for from where it will be.
fn enclosing_folder(path: &Path) -> Option<std::path::PathBuf> {
    let there = path.canonicalize().or_else(|_| std::path::absolute(path)).ok()?;
    let mut above = there.ancestors().skip(1);
    let nearest = above.find_map(|folder| folder.canonicalize().ok())?;
    nearest.ancestors().find(|folder| folder.join(MARKER_KEY).is_file()).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMPS: [Layout; 1] = [Layout { name: "dumps", ours: true, holds: |key| key.as_str().starts_with("pg/") }];

    fn location(path: &Path) -> Location {
        Location::File(path.to_owned())
    }

    async fn refused(path: &Path) -> String {
        let error = location(path).init(&Init::new(&DUMPS)).await.unwrap_err();
        assert!(matches!(error, CoreError::Store(StoreError::Occupied { .. })), "{error:?}");
        assert!(!path.join(MARKER_KEY).exists(), "it was marked all the same");
        error.to_string()
    }

    #[tokio::test]
    async fn a_location_is_made_once_and_then_opened() {
        let parent = tempfile::tempdir().unwrap();
        let place = location(&parent.path().join("a/b"));
        assert!(place.before_init(&Init::new(&[])).await.unwrap().is_none());
        assert!(!parent.path().join("a").exists(), "asking makes nothing");
        let made = place.init(&Init::new(&[])).await.unwrap();
        assert!(made.created && made.marker.atomic);
        assert_eq!(place.exposure(), None, "it is its owner's only");
        let again = place.init(&Init::new(&[])).await.unwrap();
        assert!(!again.created);
        assert_eq!(again.marker, made.marker);
    }

    #[tokio::test]
    async fn what_others_wrote_is_not_written_into() {
        let parent = tempfile::tempdir().unwrap();
        std::fs::write(parent.path().join("thesis.odt"), "x").unwrap();
        assert!(refused(parent.path()).await.contains("such as `thesis.odt`"));
        let file = parent.path().join("thesis.odt");
        let error = location(&file).init(&Init::new(&[])).await.unwrap_err();
        assert!(error.to_string().contains("it is a file"), "{error}");
    }

    #[tokio::test]
    async fn a_location_that_lost_its_marker_gets_it_back() {
        let parent = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(parent.path().join("pg/shop")).unwrap();
        std::fs::write(parent.path().join("pg/shop/latest.json"), "{}").unwrap();
        assert!(location(parent.path()).init(&Init::new(&DUMPS)).await.unwrap().created);
    }

    #[tokio::test]
    async fn no_location_is_made_in_or_around_another() {
        let parent = tempfile::tempdir().unwrap();
        let outer = parent.path().join("outer");
        location(&outer).init(&Init::new(&[])).await.unwrap();
        let error = refused(&outer.join("pg/shop")).await;
        assert!(error.contains("it lies inside another location"), "{error}");
        assert!(!outer.join("pg").exists(), "its folders were made all the same");
        assert!(refused(parent.path()).await.contains("it holds another location, `outer`"));
    }
}
