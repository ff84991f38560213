//! The statements that create a database like another and give it the same settings.

use std::collections::BTreeSet;

use crate::ident::{quote_ident, quote_literal};
use crate::stored::database_settings::{DatabaseSettings, Grant, Parameter};

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

/// First major version with providers of locales.
const PROVIDERS_MAJOR: u32 = 15;

/// `CREATE DATABASE` with the encoding and locale of `like`, or the server's defaults, for a server of this major version.
pub(in crate::adapters::sql) fn create_database(name: &str, like: Option<&DatabaseSettings>, major: u32) -> String {
    let mut statement = format!("CREATE DATABASE {} TEMPLATE template0", quote_ident(name));
    let Some(like) = like else { return statement };
    for (option, value) in [("ENCODING", &like.encoding), ("LC_COLLATE", &like.collate), ("LC_CTYPE", &like.ctype)] {
        statement.push_str(&format!(" {option} {}", quote_literal(value)));
    }
    if major < PROVIDERS_MAJOR {
        return statement;
    }
    // Named even when it is libc, and by a dump of a server that knew no other: the template's may be another.
    let (provider, locale) = match like.locale_provider.as_deref() {
        None | Some("c") => ("libc", None),
        Some("i") => ("icu", Some("ICU_LOCALE")),
        Some("b") => ("builtin", Some("BUILTIN_LOCALE")),
        Some(_) => return statement,
    };
    statement.push_str(&format!(" LOCALE_PROVIDER {provider}"));
    for (option, value) in [(locale, &like.icu_locale), (Some("ICU_RULES"), &like.icu_rules)] {
        if let (Some(option), Some(value)) = (option, value) {
            statement.push_str(&format!(" {option} {}", quote_literal(value)));
        }
    }
    statement
}

/// A statement, and how it may be shown: a parameter's value may be an application's secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) shown: String,
}

impl Statement {
    fn plain(sql: String) -> Self {
        Self { shown: sql.clone(), sql }
    }
}

/// The statements that give the database `name` these settings; comment and connection limit are not among them, for
/// they belong to the swap ([`crate::live::swap`]).
pub(super) fn statements(settings: &DatabaseSettings, name: &str, no_owner: bool, no_acl: bool) -> Vec<Statement> {
    let database = quote_ident(name);
    let mut statements = Vec::new();
    if !no_owner {
        let owner = quote_ident(&settings.owner);
        statements.push(Statement::plain(format!("ALTER DATABASE {database} OWNER TO {owner}")));
    }
    if let (Some(grants), false) = (&settings.grants, no_acl) {
        let owner = if no_owner { "CURRENT_USER".to_owned() } else { quote_ident(&settings.owner) };
        statements.push(Statement::plain(format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC, {owner}")));
        // Whatever else stands there would be taken for SQL.
        let grants = grants.iter().filter(|grant| grant.is_of_a_database());
        statements.extend(grants.map(|grant| Statement::plain(grant_statement(grant, &database))));
    }
    for parameter in &settings.parameters {
        let subject = match &parameter.role {
            None => format!("ALTER DATABASE {database}"),
            Some(role) => format!("ALTER ROLE {} IN DATABASE {database}", quote_ident(role)),
        };
        let shown = format!("{subject} SET {}", parameter_name(&parameter.name));
        statements.push(Statement { sql: format!("{shown} TO {}", parameter_value(parameter)), shown });
    }
    statements
}

/// The statements that take away what [`statements`] for `wanted` would leave: parameters and privileges that only
/// `present` has.
pub(super) fn clearing(
    present: &DatabaseSettings,
    wanted: &DatabaseSettings,
    name: &str,
    no_acl: bool,
) -> Vec<Statement> {
    let database = quote_ident(name);
    let mut statements = Vec::new();
    let subjects: BTreeSet<Option<&str>> = present.parameters.iter().map(|set| set.role.as_deref()).collect();
    for subject in subjects {
        let of = match subject {
            None => format!("ALTER DATABASE {database}"),
            Some(role) => format!("ALTER ROLE {} IN DATABASE {database}", quote_ident(role)),
        };
        statements.push(Statement::plain(format!("{of} RESET ALL")));
    }
    if let (Some(grants), false) = (&present.grants, no_acl) {
        // What they passed on goes with it.
        let grantees: BTreeSet<&str> = grants.iter().filter_map(|grant| grant.grantee.as_deref()).collect();
        for grantee in grantees.into_iter().filter(|grantee| *grantee != present.owner) {
            let revoke = format!("REVOKE ALL ON DATABASE {database} FROM {} CASCADE", quote_ident(grantee));
            statements.push(Statement::plain(revoke));
        }
        if wanted.grants.is_none() {
            // What a database has whose privileges were never changed (PostgreSQL manual, "Privileges").
            let owner = quote_ident(&present.owner);
            statements.push(Statement::plain(format!("GRANT ALL ON DATABASE {database} TO {owner}")));
            statements.push(Statement::plain(format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC")));
            statements.push(Statement::plain(format!("GRANT CONNECT, TEMPORARY ON DATABASE {database} TO PUBLIC")));
        }
    }
    statements
}

/// A privilege that somebody else than the owner passed on is granted in that role's name. In one statement string all
/// of it is one transaction: should the grant fail, so does the change of role.
fn grant_statement(grant: &Grant, database: &str) -> String {
    let grantee = grant.grantee.as_deref().map_or_else(|| "PUBLIC".to_owned(), quote_ident);
    let option = if grant.grantable { " WITH GRANT OPTION" } else { "" };
    let statement = format!("GRANT {} ON DATABASE {database} TO {grantee}{option}", grant.privilege);
    match &grant.grantor {
        None => statement,
        Some(grantor) => format!("SET ROLE {}; {statement}; RESET ROLE", quote_ident(grantor)),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> DatabaseSettings {
        DatabaseSettings {
            owner: "shop owner".into(),
            grants: None,
            connection_limit: -1,
            parameters: Vec::new(),
            comment: None,
            encoding: "UTF8".into(),
            collate: "C".into(),
            ctype: "C".into(),
            locale_provider: None,
            icu_locale: None,
            icu_rules: None,
            tablespace: "pg_default".into(),
            allow_connections: true,
        }
    }

    #[test]
    fn databases_are_created_with_every_provider_of_locales() {
        let create = |provider: Option<&str>, locale: Option<&str>, rules: Option<&str>| {
            let locale_provider = provider.map(Into::into);
            let (icu_locale, icu_rules) = (locale.map(Into::into), rules.map(Into::into));
            let like = DatabaseSettings { locale_provider, icu_locale, icu_rules, ..settings() };
            create_database("d", Some(&like), 18)
        };
        let plain = "CREATE DATABASE \"d\" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'";
        for libc in [None, Some("c")] {
            assert_eq!(create(libc, None, None), format!("{plain} LOCALE_PROVIDER libc"), "whatever the template's is");
        }
        assert_eq!(create_database("d", Some(&settings()), 14), plain);
        assert_eq!(
            create(Some("i"), Some("de-AT"), Some("& a < b")),
            format!("{plain} LOCALE_PROVIDER icu ICU_LOCALE 'de-AT' ICU_RULES '& a < b'")
        );
        assert_eq!(
            create(Some("b"), Some("C.UTF-8"), None),
            format!("{plain} LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'")
        );
    }

    #[test]
    fn what_only_the_former_settings_had_is_taken_away() {
        let grant = |grantee: Option<&str>| Grant {
            grantee: grantee.map(Into::into),
            privilege: "CONNECT".into(),
            grantable: false,
            grantor: None,
        };
        let parameter =
            |role: Option<&str>| Parameter { role: role.map(Into::into), name: "work_mem".into(), value: "1MB".into() };
        let present = DatabaseSettings {
            grants: Some(vec![grant(None), grant(Some("shop owner")), grant(Some("re\"ader"))]),
            parameters: vec![parameter(None), parameter(Some("r")), parameter(Some("r"))],
            ..settings()
        };
        let with_grants = DatabaseSettings { grants: Some(Vec::new()), ..settings() };
        let sql: Vec<String> = clearing(&present, &with_grants, "d", false).into_iter().map(|one| one.sql).collect();
        assert_eq!(
            sql,
            [
                r#"ALTER DATABASE "d" RESET ALL"#,
                r#"ALTER ROLE "r" IN DATABASE "d" RESET ALL"#,
                r#"REVOKE ALL ON DATABASE "d" FROM "re""ader" CASCADE"#,
            ]
        );
        assert_eq!(clearing(&present, &settings(), "d", false).len(), 6, "the default privileges are given back");
        assert_eq!(clearing(&present, &settings(), "d", true).len(), 2, "privileges are left alone");
    }

    #[test]
    fn values_of_parameters_are_not_shown() {
        let parameter = Parameter { role: None, name: "app.jwt_secret".into(), value: "hush".into() };
        let with = DatabaseSettings { parameters: vec![parameter], ..settings() };
        let statements = statements(&with, "d", true, true);
        assert_eq!(statements[0].sql, r#"ALTER DATABASE "d" SET "app"."jwt_secret" TO 'hush'"#);
        assert_eq!(statements[0].shown, r#"ALTER DATABASE "d" SET "app"."jwt_secret""#);
    }

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
