//! Targets of records. All or nothing: loaded records become visible only with the commit.

use std::fmt;

use serde::Serialize;

use crate::detail::Column;
use crate::error::ObjectResult;
use crate::type_key::TypeKey;

/// What becomes of a record that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnConflict {
    /// Nothing is restored at all.
    #[default]
    Fail,
    /// What is there stays.
    Skip,
    /// What is there is replaced.
    Replace,
}

impl std::str::FromStr for OnConflict {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "fail" => Ok(Self::Fail),
            "skip" => Ok(Self::Skip),
            "replace" => Ok(Self::Replace),
            other => Err(format!("`{other}` is not one of fail, skip, replace")),
        }
    }
}

impl fmt::Display for OnConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::Replace => "replace",
        })
    }
}

/// Something records can be restored into.
pub trait Target: fmt::Debug + Send + Sync + 'static {
    /// For people: what it is and where.
    fn describe(&self) -> String;

    /// Says what [`Target::begin`] would refuse before it takes a record: names it cannot keep apart, what is in the way.
    /// Changes nothing, and may block.
    ///
    /// # Errors
    /// Why it cannot be written.
    fn check(&self, _types: &[Restoring], _on_conflict: OnConflict) -> ObjectResult<()> {
        Ok(())
    }

    /// Whether two records of one type can only both be kept if their ids differ.
    fn tells_ids_apart(&self) -> bool {
        true
    }

    /// Begins. Nothing may show before [`Load::commit`]; dropping what is returned undoes everything.
    ///
    /// # Errors
    /// Why it cannot be written, conflicts that are known beforehand included.
    fn begin(&self, types: &[Restoring], on_conflict: OnConflict) -> ObjectResult<Box<dyn Load>>;
}

/// A restore in the making.
pub trait Load: Send {
    /// Takes the record `text` of `key`; its id was found to be `id`.
    ///
    /// # Errors
    /// [`crate::ObjectError::Conflict`]; why it cannot be written.
    fn record(&mut self, key: &TypeKey, id: &str, text: &[u8]) -> ObjectResult<()>;

    /// A type is over. Each type comes once, even one without records.
    ///
    /// # Errors
    /// Why it cannot be written.
    fn end(&mut self, key: &TypeKey) -> ObjectResult<Loaded>;

    /// Makes everything visible at once, and durable.
    ///
    /// # Errors
    /// Why it cannot be; then nothing was restored.
    fn commit(self: Box<Self>) -> ObjectResult<()>;
}

/// A type about to be restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Restoring {
    /// Which.
    #[serde(flatten)]
    pub key: TypeKey,
    /// Its records.
    pub records: u64,
    /// Columns its table had.
    pub columns: Vec<Column>,
}

/// What became of the records of a type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Loaded {
    /// New ones.
    pub inserted: u64,
    /// Left as they were in the target.
    pub skipped: u64,
    /// Replaced in the target.
    pub replaced: u64,
}
