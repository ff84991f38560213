//! What is said of a connection parameter that cannot be used.

use crate::error::PgError;

/// A parameter that cannot be used. Its value is not repeated: what a URL is cut into may be part of a password.
pub(super) fn invalid(name: &str, what: &str) -> PgError {
    PgError::Usage {
        what: format!("the connection parameter `{name}` {what}"),
        help: "nothing was done. See the PostgreSQL manual (libpq, \"Parameter Key Words\") for its values".into(),
    }
}
