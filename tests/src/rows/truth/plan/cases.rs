//! What is refused, and why: a line each.

pub(super) mod applications;
pub(super) mod memory;
pub(super) mod postgres;

/// A command line that is refused.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) words: Vec<String>,
    pub(super) environment: Vec<(&'static str, String)>,
    /// How it ends.
    pub(super) code: i32,
    /// Why, in a word of its message.
    pub(super) said: String,
}

impl Case {
    pub(super) fn new(words: &[&str], code: i32, said: &str) -> Self {
        let words = words.iter().map(ToString::to_string).collect();
        Self { words, environment: Vec::new(), code, said: said.to_owned() }
    }

    /// As the role `role`.
    pub(super) fn by(self, role: &str) -> Self {
        self.with("PGUSER", role).with("PGPASSWORD", super::PASSWORD)
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }
}
