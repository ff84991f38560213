//! Settings of a database itself, which no dump of its contents has and a rename would lose.
//!
//! Owner, privileges, connection limit, `ALTER DATABASE … SET`, `ALTER ROLE … IN DATABASE … SET` and the comment are
//! keyed on the database's oid (PostgreSQL manual, `pg_database`, `pg_db_role_setting`, `pg_shdescription`); encoding
//! and locale are fixed when it is created.

use serde::{Deserialize, Serialize};
use tokio_postgres::Client;

use crate::error::{PgError, PgResult};
use crate::ident::{quote_ident, quote_literal};

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
    /// `c` for libc, `i` for ICU; absent before PostgreSQL 15.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub locale_provider: Option<String>,
    /// ICU locale.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub icu_locale: Option<String>,
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

/// Parameters whose catalogue value is a list of quoted elements (`GUC_LIST_QUOTE` in PostgreSQL's source); set as one
/// literal they would become one element.
const QUOTED_LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// Reads the settings of `database`.
///
/// # Errors
/// [`PgError::NoDatabase`] if there is none, otherwise what the server says.
pub async fn read(client: &Client, database: &str) -> PgResult<DatabaseSettings> {
    read_if_exists(client, database)
        .await?
        .ok_or_else(|| PgError::NoDatabase { database: database.to_owned(), server: "the server".to_owned() })
}

/// Reads the settings of `database`, if there is such a database.
///
/// # Errors
/// What the server says.
pub async fn read_if_exists(client: &Client, database: &str) -> PgResult<Option<DatabaseSettings>> {
    let sql = |error| PgError::sql(format!("reading the settings of `{database}`"), error);
    // to_jsonb: columns that only some versions have are simply absent.
    let row = client
        .query_opt(
            "SELECT d.oid, pg_catalog.pg_get_userbyid(d.datdba)::text, d.datacl IS NOT NULL, d.datconnlimit, \
               pg_catalog.shobj_description(d.oid, 'pg_database'), pg_catalog.pg_encoding_to_char(d.encoding)::text, \
               d.datcollate::text, d.datctype::text, to_jsonb(d) ->> 'datlocprovider', \
               coalesce(to_jsonb(d) ->> 'daticulocale', to_jsonb(d) ->> 'datlocale'), t.spcname::text, d.datallowconn \
             FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace \
             WHERE d.datname = $1",
            &[&database],
        )
        .await
        .map_err(sql)?;
    let Some(row) = row else { return Ok(None) };
    let oid: u32 = row.get(0);
    let grants = if row.get(2) { Some(grants(client, oid).await.map_err(sql)?) } else { None };
    Ok(Some(DatabaseSettings {
        owner: row.get(1),
        grants,
        connection_limit: row.get(3),
        parameters: parameters(client, oid).await.map_err(sql)?,
        comment: row.get(4),
        encoding: row.get(5),
        collate: row.get(6),
        ctype: row.get(7),
        locale_provider: row.get(8),
        icu_locale: row.get(9),
        tablespace: row.get(10),
        allow_connections: row.get(11),
    }))
}

async fn grants(client: &Client, oid: u32) -> Result<Vec<Grant>, tokio_postgres::Error> {
    let rows = client
        .query(
            "SELECT CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee)::text END, \
               a.privilege_type, a.is_grantable \
             FROM pg_catalog.pg_database d, LATERAL pg_catalog.aclexplode(d.datacl) a WHERE d.oid = $1 \
             ORDER BY 1 NULLS FIRST, 2",
            &[&oid],
        )
        .await?;
    Ok(rows.iter().map(|row| Grant { grantee: row.get(0), privilege: row.get(1), grantable: row.get(2) }).collect())
}

async fn parameters(client: &Client, oid: u32) -> Result<Vec<Parameter>, tokio_postgres::Error> {
    let rows = client
        .query(
            "SELECT r.rolname::text, split_part(c.entry, '=', 1), substr(c.entry, strpos(c.entry, '=') + 1) \
             FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, \
               LATERAL unnest(s.setconfig) c(entry) \
             WHERE s.setdatabase = $1 AND (s.setrole = 0 OR r.oid IS NOT NULL) ORDER BY 1 NULLS FIRST, 2",
            &[&oid],
        )
        .await?;
    Ok(rows.iter().map(|row| Parameter { role: row.get(0), name: row.get(1), value: row.get(2) }).collect())
}

/// `CREATE DATABASE` with the encoding and locale of `like`, or the server's defaults.
#[must_use]
pub fn create_database_statement(name: &str, like: Option<&DatabaseSettings>) -> String {
    let mut statement = format!("CREATE DATABASE {} TEMPLATE template0", quote_ident(name));
    let Some(like) = like else { return statement };
    for (option, value) in [("ENCODING", &like.encoding), ("LC_COLLATE", &like.collate), ("LC_CTYPE", &like.ctype)] {
        statement.push_str(&format!(" {option} {}", quote_literal(value)));
    }
    if like.locale_provider.as_deref() == Some("i") {
        statement.push_str(" LOCALE_PROVIDER icu");
        if let Some(locale) = &like.icu_locale {
            statement.push_str(&format!(" ICU_LOCALE {}", quote_literal(locale)));
        }
    }
    statement
}

/// The statements that give the database `name` these settings; comment and connection limit are not among them, for
/// they belong to the swap ([`crate::swap`]).
#[must_use]
pub fn statements(settings: &DatabaseSettings, name: &str, no_owner: bool, no_acl: bool) -> Vec<String> {
    let database = quote_ident(name);
    let mut statements = Vec::new();
    if !no_owner {
        statements.push(format!("ALTER DATABASE {database} OWNER TO {}", quote_ident(&settings.owner)));
    }
    if let (Some(grants), false) = (&settings.grants, no_acl) {
        let owner = if no_owner { "CURRENT_USER".to_owned() } else { quote_ident(&settings.owner) };
        statements.push(format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC, {owner}"));
        for grant in grants {
            let grantee = grant.grantee.as_deref().map_or_else(|| "PUBLIC".to_owned(), quote_ident);
            let option = if grant.grantable { " WITH GRANT OPTION" } else { "" };
            statements.push(format!("GRANT {} ON DATABASE {database} TO {grantee}{option}", grant.privilege));
        }
    }
    for parameter in &settings.parameters {
        let subject = match &parameter.role {
            None => format!("ALTER DATABASE {database}"),
            Some(role) => format!("ALTER ROLE {} IN DATABASE {database}", quote_ident(role)),
        };
        statements.push(format!("{subject} SET {} TO {}", parameter_name(&parameter.name), parameter_value(parameter)));
    }
    statements
}

/// A parameter's name: parts joined by a dot, each quoted, for extensions' parameters have a prefix.
fn parameter_name(name: &str) -> String {
    name.split('.').map(quote_ident).collect::<Vec<_>>().join(".")
}

fn parameter_value(parameter: &Parameter) -> String {
    if !QUOTED_LISTS.contains(&parameter.name.to_lowercase().as_str()) {
        return quote_literal(&parameter.value);
    }
    let elements = list_elements(&parameter.value);
    if elements.is_empty() {
        return "''".to_owned();
    }
    elements.iter().map(|element| quote_literal(element)).collect::<Vec<_>>().join(", ")
}

/// Elements of a flattened list, `"$user", public`: separated by commas, quoted ones with `""` for a quote.
fn list_elements(value: &str) -> Vec<String> {
    let mut elements = Vec::new();
    let mut rest = value.trim();
    while !rest.is_empty() {
        let mut element = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = quoted;
            while let Some(at) = rest.find('"') {
                element.push_str(&rest[..at]);
                rest = &rest[at + 1..];
                match rest.strip_prefix('"') {
                    Some(after) => {
                        element.push('"');
                        rest = after;
                    }
                    None => break,
                }
            }
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            rest[..end].trim().clone_into(&mut element);
            rest = &rest[end..];
        }
        elements.push(element);
        rest = rest.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    elements
}

/// Gives the database `name` these settings. What the role may not do is returned in words: it does not stop a restore,
/// and it must not be lost silently.
///
/// # Errors
/// Anything the server refuses for another reason than privilege.
pub async fn apply(
    client: &Client,
    name: &str,
    settings: &DatabaseSettings,
    no_owner: bool,
    no_acl: bool,
) -> PgResult<Vec<String>> {
    let mut refused = Vec::new();
    for statement in statements(settings, name, no_owner, no_acl) {
        match client.batch_execute(&statement).await {
            Ok(()) => {}
            // insufficient_privilege, and parameters of extensions that are not loaded.
            Err(error) if error.code().is_some_and(|code| ["42501", "42704"].contains(&code.code())) => {
                refused.push(format!("not set: `{statement}` ({})", error.as_db_error().map_or("", |db| db.message())));
            }
            Err(error) => return Err(PgError::sql(format!("running `{statement}`"), error)),
        }
    }
    Ok(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_parameters_keep_their_elements() {
        let parameter = |name: &str, value: &str| Parameter { role: None, name: name.into(), value: value.into() };
        assert_eq!(
            parameter_value(&parameter("search_path", r#""$user", public, "we""ird, é""#)),
            r#"'$user', 'public', 'we"ird, é'"#
        );
        assert_eq!(parameter_value(&parameter("search_path", r#""""#)), "''");
        assert_eq!(parameter_value(&parameter("DateStyle", "ISO, DMY")), "'ISO, DMY'");
        assert_eq!(parameter_name("app.tenant"), r#""app"."tenant""#);
    }
}
