//! Settings of a database itself, which no dump of its contents has and a rename would lose: what a manifest says of them.
//!
//! Owner, privileges, connection limit, `ALTER DATABASE … SET`, `ALTER ROLE … IN DATABASE … SET` and the comment are
//! keyed on the database's oid (PostgreSQL manual, `pg_database`, `pg_db_role_setting`, `pg_shdescription`); encoding
//! and locale are fixed when it is created.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{PgError, PgResult};

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

/// Whose locales a database uses (PostgreSQL manual, "Locale Providers").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocaleProvider {
    /// Those of the server's operating system.
    Libc,
    /// Those of the ICU library, since PostgreSQL 15.
    Icu,
    /// The server's own, since PostgreSQL 17.
    Builtin,
}

impl LocaleProvider {
    /// `pg_database.datlocprovider`.
    fn letter(self) -> &'static str {
        match self {
            Self::Libc => "c",
            Self::Icu => "i",
            Self::Builtin => "b",
        }
    }
}

impl FromStr for LocaleProvider {
    type Err = PgError;

    /// `libc`, `icu` or `builtin`.
    fn from_str(text: &str) -> PgResult<Self> {
        match text {
            "libc" => Ok(Self::Libc),
            "icu" => Ok(Self::Icu),
            "builtin" => Ok(Self::Builtin),
            _ => Err(PgError::Usage {
                what: format!("`{text}` is not a provider of locales"),
                help: "use libc, icu or builtin".into(),
            }),
        }
    }
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

impl Grant {
    /// Whether its privilege is one that databases have (PostgreSQL manual, "Privileges"). It is a word of SQL.
    #[must_use]
    pub fn is_of_a_database(&self) -> bool {
        ["CONNECT", "CREATE", "TEMPORARY"].contains(&self.privilege.as_str())
    }
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

/// Parameters that a database does not get before it is complete: those that change who sessions are, what they may do and
/// how long, the language of the messages that a restore reads, and where tables go that say nothing of it.
const NOT_WHILE_BUILT: [&str; 16] = [
    "default_table_access_method",
    "default_tablespace",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "event_triggers",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "lc_messages",
    "lock_timeout",
    "role",
    "session_authorization",
    "session_replication_role",
    "statement_timeout",
    "temp_tablespaces",
    "transaction_timeout",
];

impl DatabaseSettings {
    /// The settings under which its contents are computed: what functions read and where they find each other.
    pub(crate) fn while_built(&self) -> Self {
        let is_early = |parameter: &&Parameter| {
            parameter.role.is_none() && !NOT_WHILE_BUILT.contains(&parameter.name.to_lowercase().as_str())
        };
        Self { parameters: self.parameters.iter().filter(is_early).cloned().collect(), ..self.clone() }
    }

    /// The same with another locale, or that of another provider. Every database has locales of the system as well, which
    /// some things go by: with another provider than libc they stay as they are if it was that provider's before, and
    /// otherwise are `C`, which every system has.
    #[must_use]
    pub fn with_locale(mut self, locale: Option<&str>, provider: Option<LocaleProvider>) -> Self {
        const EVERYWHERE: &str = "C";
        let before = self.locale_provider.take();
        let now = provider.map(|provider| provider.letter().to_owned()).or_else(|| before.clone());
        let changes = provider.is_some() && now != before;
        let of_libc = matches!(now.as_deref(), None | Some("c"));
        self.locale_provider = now;
        if changes || of_libc {
            (self.icu_locale, self.icu_rules) = (None, None);
        }
        if changes && !of_libc {
            (self.collate, self.ctype) = (EVERYWHERE.to_owned(), EVERYWHERE.to_owned());
        }
        match locale {
            Some(locale) if of_libc => (self.collate, self.ctype) = (locale.to_owned(), locale.to_owned()),
            Some(locale) => self.icu_locale = Some(locale.to_owned()),
            None => {}
        }
        self
    }

    /// Whether there is text among them that means itself only in a database of the same encoding.
    pub(crate) fn are_of_their_encoding(&self) -> bool {
        let is_plain = |parameter: &Parameter| parameter.name.is_ascii() && parameter.value.is_ascii();
        let plain = self.comment.as_deref().is_none_or(str::is_ascii) && self.parameters.iter().all(is_plain);
        self.encoding != "UTF8" && !plain
    }

    /// Whether a database with these settings has all of `wanted` that [`apply`] would give it.
    ///
    /// [`apply`]: crate::adapters::sql::database_settings::apply
    pub(crate) fn has_all_of(&self, wanted: &Self, no_owner: bool, no_acl: bool) -> bool {
        let same_owner = no_owner || self.owner == wanted.owner;
        let same_grants = no_acl || self.grants == wanted.grants;
        same_owner && same_grants && self.parameters == wanted.parameters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(provider: Option<&str>, icu_locale: Option<&str>) -> DatabaseSettings {
        DatabaseSettings {
            owner: "o".into(),
            grants: None,
            connection_limit: -1,
            parameters: Vec::new(),
            comment: None,
            encoding: "UTF8".into(),
            collate: "de_DE.UTF-8".into(),
            ctype: "de_DE.UTF-8".into(),
            locale_provider: provider.map(Into::into),
            icu_locale: icu_locale.map(Into::into),
            icu_rules: icu_locale.map(|_| "& a < b".into()),
            tablespace: "pg_default".into(),
            allow_connections: true,
        }
    }

    #[test]
    fn a_locale_is_the_providers() {
        let told = |settings: DatabaseSettings| {
            (settings.collate, settings.ctype, settings.locale_provider, settings.icu_locale)
        };
        let text = |text: &str| Some(text.to_owned());
        let (of_12, libc, icu) =
            (|| settings(None, None), || settings(Some("c"), None), || settings(Some("i"), Some("de")));
        assert_eq!(told(of_12().with_locale(None, None)), told(of_12()));
        assert_eq!(told(of_12().with_locale(Some("C.UTF-8"), None)), ("C.UTF-8".into(), "C.UTF-8".into(), None, None));
        let to_icu = libc().with_locale(Some("de-AT"), Some(LocaleProvider::Icu));
        assert_eq!(told(to_icu), ("C".into(), "C".into(), text("i"), text("de-AT")), "its names are not the system's");
        let other = icu().with_locale(Some("fr"), None);
        assert_eq!(other.icu_rules, text("& a < b"));
        assert_eq!(told(other), ("de_DE.UTF-8".into(), "de_DE.UTF-8".into(), text("i"), text("fr")));
        let to_libc = icu().with_locale(None, Some(LocaleProvider::Libc));
        assert_eq!((to_libc.icu_rules.clone(), told(to_libc)), (None, told(libc())));
        assert!("ICU".parse::<LocaleProvider>().is_err());
        assert_eq!("builtin".parse::<LocaleProvider>().unwrap().letter(), "b");
    }

    #[test]
    fn what_changes_our_own_sessions_waits_until_the_copy_is_complete() {
        let parameter = |role: Option<&str>, name: &str| Parameter {
            role: role.map(Into::into),
            name: name.into(),
            value: "1".into(),
        };
        let all = [
            parameter(None, "app.tenant"),
            parameter(None, "Statement_Timeout"),
            parameter(Some("reader"), "search_path"),
            parameter(None, "role"),
            parameter(None, "search_path"),
        ];
        let settings = DatabaseSettings { parameters: all.to_vec(), ..settings(None, None) };
        assert_eq!(settings.while_built().parameters, [all[0].clone(), all[4].clone()]);
    }
}
