//! A manifest that somebody changed and gave its digest again, as whoever can write to the location can.

use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use backup_core::manifest::Manifest;

use crate::harness::{Failure, RowResult, World};

/// Changes the manifest of the dump `key`.
pub(super) async fn reseal(world: &World, key: &str, change: impl FnOnce(&mut Manifest)) -> RowResult {
    let name = format!("pg/{key}/manifest.json");
    let at: Key = name.parse().map_err(|error| Failure::new(format!("{error}")))?;
    let mut manifest: Manifest = Manifest::from_bytes(&at, &world.place().read(&name).await?)?;
    change(&mut manifest);
    world.place().write(&name, &manifest.to_bytes()?).await
}

/// Puts other bytes in the place of the first object with this role, in the manifest too.
pub(super) async fn replace_part(world: &World, key: &str, role: &str, bytes: &[u8]) -> RowResult {
    let mut object = None;
    reseal(world, key, |manifest| {
        let Some(part) = manifest.parts.iter_mut().find(|part| part.role == role) else { return };
        part.stored_sha256 = Sha256Digest::of(bytes);
        part.stored_bytes = bytes.len() as u64;
        if part.content_sha256.is_some() {
            part.content_sha256 = Some(Sha256Digest::of(bytes));
            part.content_bytes = bytes.len() as u64;
        }
        object = Some(part.key.to_string());
    })
    .await?;
    let object = object.ok_or_else(|| Failure::new(format!("the dump has no part `{role}`")))?;
    world.place().write(&object, bytes).await
}
