//! Whether a backup may be published: decisions, without I/O.

use backup_core::source::{Fall, Size, fall};

use super::place::Place;
use crate::encode::Encoded;
use crate::error::{ObjectError, ObjectResult};
use crate::options::BackupOptions;
use crate::plan;
use crate::type_key::TypeKey;

/// What is known of a source when it is decided.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    /// Each type with its records.
    types: Vec<(&'a TypeKey, u64)>,
    /// Types that could not be read.
    unreadable: Vec<&'a TypeKey>,
    /// Whether that is all there is.
    complete: bool,
    /// What a type looks like.
    form: &'static str,
}

impl<'a> Evidence<'a> {
    /// What was read.
    pub(super) fn of(encoded: &'a Encoded, complete: bool, form: &'static str) -> Self {
        let types = encoded.types.iter().map(|found| (&found.key, found.records)).collect();
        Self { types, unreadable: encoded.failed.iter().map(|failed| &failed.key).collect(), complete, form }
    }
}

/// Refuses what has nothing where there was, or should be, something.
pub(super) fn refuse_nothing(evidence: &Evidence<'_>, place: &Place, options: &BackupOptions) -> ObjectResult<()> {
    if options.allow_empty {
        return Ok(());
    }
    // A selection is nobody's successor: what it does not have, it was not asked for.
    if let Some(newest) = place.newest.as_ref().filter(|_| evidence.complete)
        && let Some(types) = plan::emptied(&newest.detail, &evidence.types, &evidence.unreadable)
    {
        return Err(ObjectError::Emptied { types });
    }
    if evidence.types.iter().any(|(_, records)| *records > 0) {
        return Ok(());
    }
    let source = place.identity.as_ref().map_or_else(|| "the source".to_owned(), |of| format!("`{}`", of.host));
    let what = match (evidence.types.len(), evidence.unreadable.len()) {
        (0, 0) => format!("{source} has nothing to back up: there is no {} in it", evidence.form),
        (_, 0) => format!("{source} has nothing to back up: no type has any records"),
        _ => format!("{source} has nothing to back up: no type that could be read has any records"),
    };
    Err(ObjectError::Nothing { what })
}

/// By how much a complete backup of this size holds less than the one before, if that is worth telling; refuses more than
/// `options` allow.
pub(super) fn refuse_shrunk(now: Size, place: &Place, options: &BackupOptions) -> ObjectResult<Option<Fall>> {
    let Some(newest) = &place.newest else { return Ok(None) };
    let Some(fall) = fall(&newest.key.to_string(), newest.size, now) else { return Ok(None) };
    if let Some(limit) = options.max_shrink.filter(|limit| fall.exceeds(*limit)) {
        let what = format!("{}; at most {limit} % are allowed", fall.describe("records"));
        return Err(ObjectError::Shrunk { what });
    }
    Ok(Some(fall).filter(Fall::is_notable))
}
