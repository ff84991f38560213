//! The environment variables that say where the server is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::adapters::conninfo::Parameters;

/// libpq's variables (PostgreSQL manual, "Environment Variables") and the parameters they stand for.
pub(super) const LIBPQ: [(&str, &str); 10] = [
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGPASSFILE", "passfile"),
    ("PGDATABASE", "dbname"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
];

/// Variables a child of ours must not inherit: they would change what it does or show it a secret.
pub(super) const OTHERS: [&str; 7] =
    ["PGSERVICE", "PGSERVICEFILE", "PGOPTIONS", "PGCLIENTENCODING", "DATABASE_URL", "LASTGOOD_PG_URL", "PGAPPNAME"];

/// Environment variables as a value, so that what reads them can be tested.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process.
    #[must_use]
    pub fn current() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        )
    }

    /// Just these variables.
    #[must_use]
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// A variable's value; an empty one counts as absent, as in libpq.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn parameters(&self) -> Parameters {
        let pairs = LIBPQ
            .iter()
            .filter_map(|(variable, parameter)| Some(((*parameter).to_owned(), self.get(variable)?.to_owned())));
        pairs.collect()
    }

    /// `~/.pgpass`.
    pub(super) fn default_passfile(&self) -> Option<PathBuf> {
        Some(PathBuf::from(self.get("HOME")?).join(".pgpass"))
    }
}

impl std::fmt::Debug for Environment {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
