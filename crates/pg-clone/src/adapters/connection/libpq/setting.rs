//! A setting of libpq's, and what can become of it.

/// A setting of libpq's (PostgreSQL 18 manual, "Parameter Key Words" and "Environment Variables").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// Its name in a connection string or URL, if it has one.
    pub keyword: Option<&'static str>,
    /// The variable that stands for it, if there is one.
    pub variable: Option<&'static str>,
    /// What becomes of it.
    pub treatment: Treatment,
    /// What it does here, or why it is not honoured.
    pub note: &'static str,
}

/// What becomes of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// It does what it does for `psql`.
    Honoured,
    /// It is refused by name, but for these values, which ask for nothing that would not be so anyway.
    Refused {
        /// They, whatever case they are written in.
        unless: &'static [&'static str],
    },
    /// It changes nothing, for a reason that the note gives.
    Ignored,
}

impl Setting {
    /// Its names, for people.
    pub(super) fn names(&self) -> String {
        match (self.keyword, self.variable) {
            (Some(keyword), Some(variable)) => format!("`{keyword}` ({variable})"),
            (Some(name), None) | (None, Some(name)) => format!("`{name}`"),
            (None, None) => String::new(),
        }
    }
}
