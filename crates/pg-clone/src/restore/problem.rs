//! What a restore would replace, and who has to agree to it.

use backup_core::failure::Setting;
use backup_core::remedy;
use backup_core::units;
use serde::Serialize;

use crate::error::{Obstacle, PgError, PgResult, Problem};
use crate::live::local::NAME_BYTES_MAX;
use crate::options::RestoreOptions;

/// A live database that would be replaced.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Replaced {
    /// Its size on the server.
    pub bytes: u64,
    /// Sessions that would be disconnected.
    pub sessions: u64,
}

/// Names for people.
pub(super) fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Nobody's live database is replaced unless its name was typed.
pub(crate) fn refuse_unconfirmed(
    target: &str,
    server: &str,
    replaces: Option<&Replaced>,
    options: &RestoreOptions,
) -> PgResult<()> {
    let Some(replaced) = replaces else { return Ok(()) };
    if options.confirm.as_deref() == Some(target) {
        return refuse_incomplete(target, options);
    }
    let wrong = options.confirm.as_ref().map_or(String::new(), |given| format!(", and `{given}` was confirmed"));
    let part = match options.selection.is_partial() {
        true => " with a part of the dump, and everything else in it will be gone",
        false => "",
    };
    Err(PgError::Confirm {
        what: format!(
            "this replaces the live database `{target}` on {server} ({}, {}){part}{wrong}",
            units::bytes(replaced.bytes),
            units::counted(replaced.sessions, "session", "sessions")
        ),
        help: remedy![
            "nothing was changed. Confirm with ",
            Setting::Confirm.with(target.to_owned()),
            ", or restore into another database with ",
            Setting::Into.with("NAME")
        ],
    })
}

/// A copy that lacks something replaces nobody's live database unless its name was typed once more.
pub(crate) fn refuse_incomplete(target: &str, options: &RestoreOptions) -> PgResult<()> {
    if !options.allow_incomplete || options.confirm_incomplete.as_deref() == Some(target) {
        return Ok(());
    }
    Err(PgError::Confirm {
        what: format!("this may replace the live database `{target}` with an incomplete copy"),
        help: remedy![
            "nothing was changed. Confirm it once more with ",
            Setting::ConfirmIncomplete.with(target.to_owned()),
            ", or omit ",
            Setting::AllowIncomplete
        ],
    })
}

/// Whether a live database may be replaced when it comes to that: one that was there when it was planned, and then confirmed,
/// or one whose name was confirmed in any case.
pub(crate) fn may_replace(target: &str, replaces: Option<&Replaced>, options: &RestoreOptions) -> bool {
    replaces.is_some() || options.confirm.as_deref() == Some(target)
}

/// The server would silently cut a longer name and hit another database.
pub(crate) fn name_problem(target: &str) -> Option<Problem> {
    (target.len() > NAME_BYTES_MAX || target.is_empty()).then(|| Problem {
        obstacle: Obstacle::InvalidName,
        what: format!("the name `{target}` has {} bytes; it must have 1 to {NAME_BYTES_MAX}", target.len()),
        help: remedy!["choose a shorter name with ", Setting::Into],
    })
}
