//! What a folder or prefix without a marker contains: nothing, known backups, or something else.

use futures_util::{StreamExt, stream};

use super::peers;
use crate::error::{CoreError, StoreError};
use crate::key::Key;
use crate::probe::{self, MARKER_KEY, Marker};
use crate::store::{StoreRead, StoreResult};

/// Folders looked into, and objects looked at in each: more than backups need to be recognised by, and an answer within
/// seconds about somebody else's million objects.
const FOLDERS_MAX: usize = 1_000;
const OBJECTS_MAX: usize = 1_000;

/// Folders looked into at once.
const IN_FLIGHT: usize = 16;

/// What file systems, desktops and storage boxes put into folders by themselves.
const OF_THE_SYSTEM: [&str; 9] = [
    "lost+found/",
    ".snapshot/",
    ".snapshots/",
    ".zfs/",
    ".DS_Store",
    "@eaDir/",
    "#recycle/",
    "$RECYCLE.BIN/",
    "System Volume Information/",
];

/// A form of backups that a location may hold: one of ours, or of a program whose backups we read.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// For people: `dumps of django-pgclone`.
    pub name: &'static str,
    /// Whether lastgood itself writes it, and so writes the marker first.
    pub ours: bool,
    /// Whether an object of this key belongs to it.
    pub holds: fn(&Key) -> bool,
}

/// What is there.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Backups of this form.
    pub known: Option<Layout>,
    /// Something else.
    pub foreign: Option<String>,
    /// Whether there is more than was looked at.
    pub more: bool,
}

/// What a location is to somebody who only reads.
#[derive(Clone, Debug)]
pub enum Standing {
    /// It was made one.
    Made(Marker),
    /// It has no marker, and backups of this form.
    Unmarked(Layout),
    /// It has no marker, and more of other things than were looked at: there may be backups among them.
    Unclear,
}

/// What `store` is to somebody who only reads: what the originals wrote has no marker and is read as it is.
///
/// # Errors
/// [`StoreError::NotInitialized`] if there is neither a marker nor a backup of one of the `known` forms; as
/// [`probe::check`].
pub async fn standing(store: &dyn StoreRead, known: &[Layout]) -> Result<Standing, CoreError> {
    if let Some(marker) = probe::check(store).await? {
        return Ok(Standing::Made(marker));
    }
    let contents = look(store, known, |contents| contents.known.is_some()).await?;
    match contents {
        Contents { known: Some(layout), .. } => Ok(Standing::Unmarked(layout)),
        Contents { more: true, .. } => Ok(Standing::Unclear),
        _ => Err(probe::unmarked(store).into()),
    }
}

/// Looks at what there is until it is `enough`. Backups count as foreign unless they are of a `known` form.
///
/// # Errors
/// What the store says.
pub async fn look(
    store: &dyn StoreRead,
    known: &[Layout],
    enough: impl Fn(&Contents) -> bool,
) -> StoreResult<Contents> {
    let mut names = store.list_children("").await?;
    names.retain(|name| !OF_THE_SYSTEM.contains(&name.as_str()));
    let (folders, objects): (Vec<String>, Vec<String>) = names.iter().cloned().partition(|name| name.ends_with('/'));
    let mut contents = Contents { foreign: peers::name(&names).map(str::to_owned), ..Contents::default() };
    for object in &objects {
        contents.add(object, known);
    }
    contents.more = folders.len() > FOLDERS_MAX;
    let looks = folders.into_iter().take(FOLDERS_MAX).map(|folder| look_into(store, folder, known));
    let mut looks = stream::iter(looks).buffer_unordered(IN_FLIGHT);
    while !enough(&contents)
        && let Some(below) = looks.next().await
    {
        contents.join(below?);
    }
    if let (None, Some(unfollowed)) = (&contents.foreign, store.unfollowed().first()) {
        contents.foreign = Some(format!("something that is not a backup: {unfollowed}"));
    }
    Ok(contents)
}

async fn look_into(store: &dyn StoreRead, folder: String, known: &[Layout]) -> StoreResult<Contents> {
    let mut contents = Contents::default();
    let mut objects = store.list(&folder, None).take(OBJECTS_MAX);
    while let Some(object) = objects.next().await {
        match object {
            Ok(object) => contents.add(object.key.as_str(), known),
            Err(StoreError::PermissionDenied { .. }) => {
                contents.foreign = Some(format!("`{folder}`, which cannot be read"));
                break;
            }
            Err(error) => return Err(error),
        }
        if contents.known.is_some() && contents.foreign.is_some() {
            break;
        }
    }
    Ok(contents)
}

impl Contents {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_none() && self.foreign.is_none()
    }

    fn add(&mut self, key: &str, known: &[Layout]) {
        let layout = Key::new(key).ok().and_then(|key| known.iter().find(|layout| (layout.holds)(&key)));
        match layout {
            Some(layout) => self.known = self.known.or(Some(*layout)),
            None if self.foreign.is_some() => {}
            None => self.foreign = Some(foreign(key)),
        }
    }

    fn join(&mut self, other: Self) {
        self.known = self.known.or(other.known);
        self.foreign = self.foreign.take().or(other.foreign);
        self.more |= other.more;
    }
}

/// What an object is that belongs to no known form.
fn foreign(key: &str) -> String {
    match key.strip_suffix(MARKER_KEY).and_then(|folder| folder.strip_suffix('/')) {
        Some(folder) => format!("another location, `{folder}`"),
        None => format!("files that are not backups, such as `{key}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;
    use crate::store::{Bytes, PutMode, PutOptions, StoreWrite as _};

    const KNOWN: [Layout; 1] =
        [Layout { name: "dumps", ours: false, holds: |key| key.as_str().starts_with("db/") || key.as_str() == "dump" }];

    async fn holding(keys: &[&str]) -> MemoryStore {
        let store = MemoryStore::new();
        for key in keys {
            let options = PutOptions::new(PutMode::Create);
            store.put(&Key::new(*key).unwrap(), Bytes::from_static(b"x"), &options).await.unwrap();
        }
        store
    }

    async fn seen(keys: &[&str]) -> (Option<&'static str>, Option<String>) {
        let contents = look(&holding(keys).await, &KNOWN, |_| false).await.unwrap();
        (contents.known.map(|layout| layout.name), contents.foreign)
    }

    #[tokio::test]
    async fn backups_and_other_things_are_told_apart() {
        assert_eq!(seen(&[]).await, (None, None));
        assert_eq!(seen(&["lost+found/x", ".DS_Store"]).await, (None, None));
        assert_eq!(seen(&["db/1", "db/2", "dump"]).await, (Some("dumps"), None));
        let other = Some("files that are not backups, such as `photos/1.jpg`".to_owned());
        assert_eq!(seen(&["photos/1.jpg"]).await, (None, other.clone()));
        assert_eq!(seen(&["db/1", "photos/1.jpg"]).await, (Some("dumps"), other));
        assert_eq!(seen(&["prod/lastgood.json"]).await, (None, Some("another location, `prod`".to_owned())));
        let restic = Some("a repository of restic or rustic".to_owned());
        assert_eq!(seen(&["config", "keys/1", "data/00/1"]).await, (None, restic));
    }

    #[tokio::test]
    async fn who_reads_needs_a_marker_or_a_backup() {
        let error = standing(&holding(&["photos/1.jpg"]).await, &KNOWN).await.unwrap_err();
        assert!(matches!(error, CoreError::Store(StoreError::NotInitialized { .. })), "{error}");
        let error = standing(&holding(&[]).await, &KNOWN).await.unwrap_err();
        assert!(matches!(error, CoreError::Store(StoreError::NotInitialized { .. })), "{error}");
        let unmarked = standing(&holding(&["photos/1.jpg", "db/1"]).await, &KNOWN).await.unwrap();
        assert!(matches!(unmarked, Standing::Unmarked(layout) if layout.name == "dumps"), "{unmarked:?}");
    }

    #[tokio::test]
    async fn what_was_not_looked_at_may_be_backups() {
        let keys: Vec<String> = (0..=FOLDERS_MAX).map(|number| format!("f{number:04}/x")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let standing = standing(&holding(&keys).await, &KNOWN).await.unwrap();
        assert!(matches!(standing, Standing::Unclear), "{standing:?}");
    }
}
