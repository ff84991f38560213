//! The catalogue in tables of the application's PostgreSQL database.
//!
//! One database can hold the catalogues of many backups: every row says whose it is. A restore that replaces the database
//! must carry these tables over ([`Tables::names`]), or last week's restore forgets yesterday's backup.

mod connect;
pub mod gem;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;

use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use jiff::Timestamp;

pub use self::connect::{Configured, Connect, Connection};
pub use self::schema::Tables;
use self::work::Worker;
use crate::catalogue::{Archive, Catalogue, KnownFile};
use crate::error::GlacierResult;
use crate::lifecycle::Retrieval;
use crate::vaulted::Vaulted;

/// A catalogue in a PostgreSQL database. It is of the backups of one name in one location.
#[derive(Debug)]
pub struct PostgresCatalogue {
    worker: Worker,
    tables: Arc<Tables>,
    owner: String,
}

impl PostgresCatalogue {
    /// Connects, and makes the tables that are missing, for the backups that `owner` says: location and name.
    ///
    /// # Errors
    /// [`GlacierError::Usage`](crate::GlacierError::Usage) if other tables have their names,
    /// [`GlacierError::NewerCatalogue`](crate::GlacierError::NewerCatalogue),
    /// [`GlacierError::Catalogue`](crate::GlacierError::Catalogue).
    pub fn open(connect: Arc<dyn Connect>, tables: Tables, owner: &str) -> GlacierResult<Self> {
        let catalogue = Self { worker: Worker::start(connect)?, tables: Arc::new(tables), owner: owner.to_owned() };
        catalogue.set_up()?;
        Ok(catalogue)
    }

    fn set_up(&self) -> GlacierResult<()> {
        let tables = Arc::clone(&self.tables);
        let found = self.worker.run("open", move |client| {
            let tables = Arc::clone(&tables);
            Box::pin(async move { schema::prepare(client, &tables).await })
        })?;
        schema::check(&found, &self.worker, &self.tables)
    }

    /// Runs one statement of many values for this owner, in a transaction.
    fn change(&self, changes: Vec<rows::Change>) -> GlacierResult<()> {
        let (tables, owner, changes) = (Arc::clone(&self.tables), self.owner.clone(), Arc::new(changes));
        self.worker.run("write", move |client| {
            let (tables, owner, changes) = (Arc::clone(&tables), owner.clone(), Arc::clone(&changes));
            Box::pin(async move { rows::make(client, &tables, &owner, &changes).await })
        })
    }

    /// Text pairs of a table whose rows are a key and a document.
    fn keyed<T: serde::de::DeserializeOwned>(&self, of: rows::Keyed) -> GlacierResult<BTreeMap<Key, T>> {
        let (tables, owner) = (Arc::clone(&self.tables), self.owner.clone());
        let found = self.worker.run("read", move |client| {
            let (tables, owner) = (Arc::clone(&tables), owner.clone());
            Box::pin(async move { rows::keyed(client, &tables, &owner, of).await })
        })?;
        let parsed =
            found.into_iter().map(|(key, state)| Some((Key::new(key).ok()?, serde_json::from_str(&state).ok()?)));
        parsed.collect::<Option<_>>().ok_or_else(|| self.worker.unreadable())
    }
}

impl Catalogue for PostgresCatalogue {
    fn archives(&self) -> GlacierResult<Vec<Archive>> {
        let (tables, owner) = (Arc::clone(&self.tables), self.owner.clone());
        let rows = self.worker.run("read", move |client| {
            let (tables, owner) = (Arc::clone(&tables), owner.clone());
            Box::pin(async move { client.query(&tables.select_archives(), &[&owner]).await })
        })?;
        rows.iter().map(rows::archive).collect::<Option<_>>().ok_or_else(|| self.worker.unreadable())
    }

    fn files(&self) -> GlacierResult<Vec<KnownFile>> {
        let (tables, owner) = (Arc::clone(&self.tables), self.owner.clone());
        let rows = self.worker.run("read", move |client| {
            let (tables, owner) = (Arc::clone(&tables), owner.clone());
            Box::pin(async move { client.query(&tables.select_files(), &[&owner]).await })
        })?;
        rows.iter().map(rows::file).collect::<Option<_>>().ok_or_else(|| self.worker.unreadable())
    }

    fn add(&self, archive: Option<&Archive>, files: &[KnownFile]) -> GlacierResult<()> {
        let archive = archive.map(|archive| rows::Change::Archive(archive.clone()));
        let files = files.chunks(rows::FILES_AT_ONCE).map(|files| rows::Change::Files(files.to_vec()));
        self.change(archive.into_iter().chain(files).collect())
    }

    fn stored(&self, archive: &Key, at: Timestamp) -> GlacierResult<()> {
        self.change(vec![rows::Change::Stored(archive.clone(), at)])
    }

    fn forget(&self, archive: &Key) -> GlacierResult<()> {
        self.change(vec![rows::Change::Forget(archive.clone())])
    }

    fn retrievals(&self) -> GlacierResult<BTreeMap<Key, Retrieval>> {
        self.keyed(rows::Keyed::Retrievals)
    }

    fn keep(&self, archive: &Key, retrieval: &Retrieval) -> GlacierResult<()> {
        let state = serde_json::to_string(retrieval).map_err(crate::GlacierError::internal)?;
        self.change(vec![rows::Change::Keep(rows::Keyed::Retrievals, archive.clone(), Some(state))])
    }

    fn vaulted(&self) -> GlacierResult<BTreeMap<Key, Vaulted>> {
        self.keyed(rows::Keyed::Vaulted)
    }

    fn keep_vaulted(&self, archive: &Key, vaulted: &Vaulted) -> GlacierResult<()> {
        let state = match vaulted.is_empty() {
            true => None,
            false => Some(serde_json::to_string(vaulted).map_err(crate::GlacierError::internal)?),
        };
        self.change(vec![rows::Change::Keep(rows::Keyed::Vaulted, archive.clone(), state)])
    }

    fn leaves(&self, archive: &Key) -> GlacierResult<Vec<Sha256Digest>> {
        let (tables, owner, key) = (Arc::clone(&self.tables), self.owner.clone(), archive.to_string());
        let found = self.worker.run("read", move |client| {
            let (tables, owner, key) = (Arc::clone(&tables), owner.clone(), key.clone());
            Box::pin(async move { client.query_opt(&tables.select_leaves(), &[&owner, &key]).await })
        })?;
        let digests: Vec<u8> = found.map(|row| row.get(0)).unwrap_or_default();
        let (digests, _) = digests.as_chunks::<32>();
        Ok(digests.iter().map(|digest| Sha256Digest::from_bytes(*digest)).collect())
    }

    fn keep_leaves(&self, archive: &Key, leaves: &[Sha256Digest]) -> GlacierResult<()> {
        let digests: Vec<u8> = leaves.iter().flat_map(|leaf| *leaf.as_bytes()).collect();
        self.change(vec![rows::Change::Leaves(archive.clone(), digests)])
    }
}
