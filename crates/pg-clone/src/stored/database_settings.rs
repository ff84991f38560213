//! Settings of a database itself, which no dump of its contents has and a rename would lose: what a manifest says of them.
//!
//! Owner, privileges, connection limit, `ALTER DATABASE … SET`, `ALTER ROLE … IN DATABASE … SET` and the comment are
//! keyed on the database's oid (PostgreSQL manual, `pg_database`, `pg_db_role_setting`, `pg_shdescription`); encoding
//! and locale are fixed when it is created.

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

impl DatabaseSettings {
    /// Whether a database with these settings has all of `wanted` that [`apply`] would give it.
    ///
    /// [`apply`]: crate::adapters::sql::database_settings::apply
    pub(crate) fn has_all_of(&self, wanted: &Self, no_owner: bool, no_acl: bool) -> bool {
        let same_owner = no_owner || self.owner == wanted.owner;
        let same_grants = no_acl || self.grants == wanted.grants;
        same_owner && same_grants && self.parameters == wanted.parameters
    }
}
