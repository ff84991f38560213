//! Credentials that a program gives instead of the environment.

use crate::secret::Secret;

/// A key of AWS and its secret. Nothing of it is ever shown.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The key's id.
    pub access_key_id: Secret,
    /// The secret that belongs to it.
    pub secret_access_key: Secret,
    /// The token of a temporary key.
    pub session_token: Option<Secret>,
}

impl Credentials {
    /// A key without a token.
    #[must_use]
    pub fn new(access_key_id: impl Into<String>, secret_access_key: impl Into<String>) -> Self {
        Self {
            access_key_id: Secret::new(access_key_id),
            secret_access_key: Secret::new(secret_access_key),
            session_token: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c17_nothing_of_a_key_is_shown() {
        let shown = format!("{:?}", Credentials::new("AKIAEXAMPLE", "hunter2"));
        assert!(!shown.contains("AKIA") && !shown.contains("hunter"), "{shown}");
    }
}
