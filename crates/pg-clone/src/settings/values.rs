//! Everything a database has beside its contents.

use serde::{Deserialize, Serialize};

/// Everything a database has beside its contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseSettings {
    /// Its owner.
    pub owner: String,
    /// Who may do what; absent when it was never changed from the default.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub grants: Option<Vec<Grant>>,
    /// Most concurrent connections; -1 for any number.
    pub connection_limit: i32,
    /// `ALTER DATABASE … SET` and `ALTER ROLE … IN DATABASE … SET`.
    pub parameters: Vec<Parameter>,
    /// Its comment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub comment: Option<String>,
    /// Encoding, such as `UTF8`.
    pub encoding: String,
    /// `LC_COLLATE`.
    pub collate: String,
    /// `LC_CTYPE`.
    pub ctype: String,
    /// `c` for libc, `i` for ICU, `b` for the server's own; absent before PostgreSQL 15.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub locale_provider: Option<String>,
    /// Locale of a provider other than libc.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub icu_locale: Option<String>,
    /// Additional ICU collation rules.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub icu_rules: Option<String>,
    /// Its tablespace.
    pub tablespace: String,
    /// Whether anybody may connect.
    pub allow_connections: bool,
}

/// A privilege on the database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Grant {
    /// The role; absent for PUBLIC.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub grantee: Option<String>,
    /// `CREATE`, `CONNECT` or `TEMPORARY`.
    pub privilege: String,
    /// Whether it may be passed on.
    pub grantable: bool,
    /// Who granted it; absent for the owner.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub grantor: Option<String>,
}

/// A configuration parameter set for the database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Parameter {
    /// The role it is set for; absent for all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<String>,
    /// Its name.
    pub name: String,
    /// Its value, as the catalogue has it.
    pub value: String,
}
