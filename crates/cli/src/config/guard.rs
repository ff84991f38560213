//! The guard, from the settings.

use pg_clone::guard::{self, Guard};

use crate::config::layer::Layer;
use crate::env;
use crate::error::{CliError, CliResult};

/// What LASTGOOD_ALLOW_RESTORE says, if it is set.
///
/// # Errors
/// [`CliError::Usage`] for what is neither yes nor no: it may have been meant to forbid.
pub(super) fn allowed_by_environment() -> CliResult<Option<bool>> {
    let Some(value) = std::env::var_os(env::ALLOW_RESTORE).filter(|value| !value.is_empty()) else { return Ok(None) };
    let allowed = value.to_str().map_or_else(|| Err(unreadable()), |text| Ok(guard::parse_allow_restore(text)?))?;
    Ok(Some(allowed))
}

fn unreadable() -> CliError {
    CliError::usage(format!("`{}` is not UTF-8", env::ALLOW_RESTORE), "write `true` or `false`; nothing was changed")
}

/// The guard that all places together make.
pub(super) fn of(layer: &Layer) -> CliResult<Guard> {
    let mut guard = Guard::default();
    if let Some(set) = layer.allow_restore.as_ref().filter(|set| !set.value) {
        guard.forbid(set.origin.to_string());
    }
    for pattern in &layer.protected {
        guard.protect(&pattern.value, pattern.origin.to_string())?;
    }
    Ok(guard)
}
