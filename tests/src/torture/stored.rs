//! What a location holds, kept so that every round begins with the same.

use std::fs;
use std::path::Path;

use crate::harness::{Place, RowResult, World};

/// Every object of a location.
#[derive(Clone, Debug)]
pub(super) struct Stored(pub(super) Vec<(String, Vec<u8>)>);

impl Stored {
    /// Takes everything.
    pub(super) async fn of(world: &World) -> RowResult<Self> {
        let mut objects = Vec::new();
        for object in world.place().objects().await? {
            let bytes = world.place().read(&object.key).await?;
            objects.push((object.key, bytes));
        }
        Ok(Self(objects))
    }

    /// Puts it back, whatever is there now.
    pub(super) async fn put_back(&self, world: &World) -> RowResult {
        match world.place() {
            // Its folder stays: it may be a mounted disk.
            Place::Folder(root) => emptied(root)?,
            Place::S3 { peer, .. } => peer.reset(),
        }
        for (key, bytes) in &self.0 {
            world.place().write(key, bytes).await?;
        }
        Ok(())
    }
}

fn emptied(folder: &Path) -> RowResult {
    if !folder.exists() {
        return Ok(fs::create_dir_all(folder)?);
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // Links are removed and not followed.
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
