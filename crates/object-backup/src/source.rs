//! Sources of records. Applications can implement their own.

use std::fmt;

use backup_core::source::Identity;
use tokio_util::sync::CancellationToken;

use crate::detail::Column;
use crate::error::ObjectResult;
use crate::type_key::TypeKey;

/// Something records can be read from.
pub trait Source: fmt::Debug + Send + Sync + 'static {
    /// What kind it is, in a word, for manifests: `sqlite`. Never a path and never a secret.
    fn kind(&self) -> &str;

    /// Opens one view of it: everything read through it is as of one moment, as far as the source can.
    ///
    /// Whoever may wait for long on the way gives up when `cancel` is cancelled.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn open(&self, cancel: &CancellationToken) -> ObjectResult<Box<dyn View>>;
}

/// One moment of a source. One thread at a time uses it, and it changes nothing.
pub trait View: Send {
    /// Which database, file or folder this is, so that backups of two of one name are never mixed; `None` if nothing can
    /// tell: then its backups are all of one source, and not compared with those of sources that can.
    ///
    /// # Errors
    /// Why it cannot be asked.
    fn identity(&mut self) -> ObjectResult<Option<Identity>>;

    /// The types there are, in the order in which they are to be backed up; `None` if the source cannot tell.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn types(&mut self) -> ObjectResult<Option<Vec<Available>>>;

    /// What a type looks like here, for whoever finds none: `table with the columns`…
    fn form(&self) -> &'static str {
        "type"
    }

    /// What the source has and cannot give, in words: tables of another form.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn left_out(&mut self) -> ObjectResult<Vec<String>> {
        Ok(Vec::new())
    }

    /// Records and bytes of `key`, if the source knows them without reading all records. A record counts one byte more
    /// than its text.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn size(&mut self, _key: &TypeKey) -> ObjectResult<Option<Size>> {
        Ok(None)
    }

    /// Whether the source itself makes sure that no two records of `key` have one id. Otherwise all ids are compared while the
    /// records are read.
    ///
    /// # Errors
    /// Why it cannot be asked.
    fn ids_are_unique(&mut self, _key: &TypeKey) -> ObjectResult<bool> {
        Ok(false)
    }

    /// Whether nobody can write to the source while the view is open. What is read then waits on disk for the store, so that
    /// writers do not.
    fn holds_writers(&self) -> bool {
        false
    }

    /// Where the record `number` of `key` is, counted from 1, in words.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn position(&mut self, _key: &TypeKey, number: u64) -> ObjectResult<String> {
        Ok(format!("record {number}"))
    }

    /// The columns of `key` beside `id` and `value`. Asked once its records were read: what they are compared with may pass then.
    ///
    /// # Errors
    /// Why they cannot be read.
    fn columns(&mut self, _key: &TypeKey) -> ObjectResult<Vec<Column>> {
        Ok(Vec::new())
    }

    /// Gives each record of `key` to `take`, always in the same order. May be called twice for one type.
    ///
    /// # Errors
    /// Why they cannot be read; whatever `take` says, at once.
    fn read(&mut self, key: &TypeKey, take: &mut Take<'_>) -> ObjectResult<()>;
}

/// Takes one record: the id the source knows it by, if it does, and its text.
pub type Take<'a> = dyn FnMut(Option<&str>, &[u8]) -> ObjectResult<()> + 'a;

/// A type that a source has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Available {
    /// The type's name, if the source knows it.
    pub type_name: Option<String>,
    /// The table.
    pub table: String,
}

impl Available {
    /// Whether this is where the records of `key` are.
    #[must_use]
    pub fn holds(&self, key: &TypeKey) -> bool {
        self.table == key.table && self.type_name.as_ref().is_none_or(|name| *name == key.type_name)
    }
}

/// How much there is of a type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Records.
    pub records: u64,
    /// Bytes of them, each with a line feed.
    pub bytes: u64,
}
