//! A document written under a lease: the store itself refuses a holder that has lost it.
//!
//! It has the generation of the lease it was written under. A new holder rewrites it under its own generation before it reads
//! it, so that a replacement by an earlier holder, however late it arrives, names a version that is gone.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::error::{LeaseError, LeaseResult};
use super::held::{Lease, conflict};
use super::record::NUMBER_MAX;
use super::versioned::{Versioned, is_open, versioned};
use crate::error::{CoreError, FormatError, StoreError};
use crate::key::Key;
use crate::store::{PutMode, PutOptions, Tag};
use crate::units;

/// Longest document in bytes: it is read and written whole.
pub const DOCUMENT_BYTES_MAX: usize = 1024 * 1024;

/// The field that is the lease's own.
const STAMP: &str = "lease";

/// Times opening begins again because what was read changed meanwhile.
const ROUNDS_MAX: usize = 8;

/// Under which claim a document was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    generation: u64,
    /// Counts writes, so that no two contents are the same, nor their versions where these follow from the content: a
    /// request that arrives twice is refused the second time.
    revision: u64,
}

/// A JSON object that only the holder of the lease can write.
#[derive(Debug)]
pub struct Document<'a> {
    lease: &'a Lease,
    key: Key,
    tag: Tag,
    stamp: Stamp,
    fields: Map<String, Value>,
}

impl Lease {
    /// Opens the document `key` for this holder alone; it is made, empty, if it is not there.
    ///
    /// # Errors
    /// [`LeaseError::Lost`], also if a later holder opened it; [`FormatError::Invalid`] if it is no such document; what the
    /// store says.
    pub async fn document(&self, key: &Key) -> LeaseResult<Document<'_>> {
        for _ in 0..ROUNDS_MAX {
            let found = versioned(&*self.store, key, DOCUMENT_BYTES_MAX).await?;
            let (mode, revision, fields) = match found {
                None => (PutMode::Create, 0, Map::new()),
                Some(Versioned { tag, bytes }) => {
                    let (stamp, fields) = parse(key, &bytes)?;
                    self.not_overtaken(key, stamp)?;
                    if stamp.generation == self.generation {
                        return Ok(Document { lease: self, key: key.clone(), tag, stamp, fields });
                    }
                    (PutMode::IfMatch(tag), stamp.revision, fields)
                }
            };
            let stamp = Stamp { generation: self.generation, revision: revision + 1 };
            match self.write(key, stamp, &fields, mode).await {
                Ok(tag) => return Ok(Document { lease: self, key: key.clone(), tag, stamp, fields }),
                // Changed meanwhile, as by a holder before us whose request was late: it is looked at again.
                Err(LeaseError::Core(CoreError::Store(StoreError::Precondition { .. }))) => {}
                Err(error) => return Err(error),
            }
        }
        Err(conflict(key))
    }

    fn not_overtaken(&self, key: &Key, stamp: Stamp) -> LeaseResult<()> {
        if stamp.generation <= self.generation {
            return Ok(());
        }
        Err(self.lose(format!("generation {} has written `{key}`", stamp.generation)))
    }

    /// Writes the document and returns its version; [`StoreError::Precondition`] if `mode` did not allow it.
    async fn write(&self, key: &Key, stamp: Stamp, fields: &Map<String, Value>, mode: PutMode) -> LeaseResult<Tag> {
        let mut fields = fields.clone();
        fields.insert(STAMP.to_owned(), json!(stamp));
        let body = Bytes::from(Value::Object(fields).to_string());
        if body.len() > DOCUMENT_BYTES_MAX {
            let limit = units::bytes(DOCUMENT_BYTES_MAX as u64);
            let what = format!("`{key}` would be larger than {limit}, the limit for such documents");
            return Err(StoreError::Invalid { what }.into());
        }
        // The last moment: what follows, only the store can refuse.
        self.check()?;
        let unclear = match self.store.put(key, body.clone(), &PutOptions::new(mode)).await {
            Ok(()) => None,
            Err(error) if is_open(&error) => Some(error),
            Err(error) => return Err(error.into()),
        };
        let found = versioned(&*self.store, key, DOCUMENT_BYTES_MAX).await?;
        self.check()?;
        if let Some(Versioned { tag, bytes }) = found {
            if bytes == body {
                return Ok(tag);
            }
            self.not_overtaken(key, parse(key, &bytes)?.0)?;
        }
        match unclear {
            Some(error) if error.is_ambiguous() => Err(error.into()),
            _ => Err(conflict(key)),
        }
    }
}

impl Document<'_> {
    /// What it says.
    #[must_use]
    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// Replaces what it says. A field `lease` is the lease's own and is left out.
    ///
    /// # Errors
    /// [`LeaseError::Lost`]: a later holder's document is untouched; [`StoreError::Precondition`] if somebody wrote it
    /// without the lease; what the store says, after which it may have been written.
    pub async fn write(&mut self, mut fields: Map<String, Value>) -> LeaseResult<()> {
        fields.remove(STAMP);
        let stamp = Stamp { revision: self.stamp.revision + 1, ..self.stamp };
        self.tag = self.lease.write(&self.key, stamp, &fields, PutMode::IfMatch(self.tag.clone())).await?;
        (self.stamp, self.fields) = (stamp, fields);
        Ok(())
    }
}

/// The claim it was written under, and what it says.
fn parse(key: &Key, bytes: &[u8]) -> Result<(Stamp, Map<String, Value>), FormatError> {
    let invalid = |what: String| FormatError::Invalid { key: key.to_string(), what };
    let mut fields: Map<String, Value> = serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))?;
    let stamp = fields.remove(STAMP).ok_or_else(|| invalid(format!("there is no field `{STAMP}`")))?;
    let stamp: Stamp = serde_json::from_value(stamp).map_err(|error| invalid(error.to_string()))?;
    if stamp.generation >= NUMBER_MAX || stamp.revision >= NUMBER_MAX {
        return Err(invalid("its numbers are out of range".to_owned()));
    }
    Ok((stamp, fields))
}
