//! What is known of an object by its file.

use rustix::fs::{FileType, Stat};

use super::beneath::{Root, kind_of};
use super::publish;
use crate::error::StoreError;
use crate::key::Key;
use crate::store::{ObjectMeta, StoreResult};

impl Root {
    /// What is known of an object by what the kernel says of its file; a folder is not an object.
    pub(super) fn object(&self, key: &Key, stat: &Stat) -> StoreResult<ObjectMeta> {
        match kind_of(stat) {
            FileType::RegularFile => Ok(meta_of(key, stat)),
            FileType::Directory => Err(StoreError::not_found(key)),
            kind => Err(self.not_an_object(key.as_str(), kind)),
        }
    }
}

fn meta_of(key: &Key, stat: &Stat) -> ObjectMeta {
    ObjectMeta {
        key: key.clone(),
        bytes: u64::try_from(stat.st_size).unwrap_or_default(),
        modified: publish::modified(stat),
        tag: Some(publish::tag_of(stat)),
    }
}
