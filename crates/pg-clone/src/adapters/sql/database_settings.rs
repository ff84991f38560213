//! Reads the settings of a database and gives them to another.

mod statements;

use crate::adapters::connection::{Server, Session};
pub(super) use crate::adapters::sql::database_settings::statements::create_database;
use crate::adapters::sql::database_settings::statements::{Statement, clearing, statements};
use crate::error::{PgError, PgResult};
use crate::live::state::own_comment;
use crate::stored::database_settings::{DatabaseSettings, Grant, Parameter};

/// Text about the database `d` as it is meant, where the session is in a database of another encoding: what all databases share
/// is written in the encoding of whoever wrote it, and that of the database counts.
fn as_it_means(text: &str) -> String {
    format!(
        "CASE WHEN pg_catalog.getdatabaseencoding() = 'UTF8' AND pg_catalog.pg_encoding_to_char(d.encoding) <> 'UTF8' \
         THEN pg_catalog.convert_from(pg_catalog.textsend({text}), pg_catalog.pg_encoding_to_char(d.encoding)) ELSE {text} END"
    )
}

/// A session within `database` to give it these settings by, if it takes one and lets us in: written from a database of another
/// encoding, text would mean something else in this one.
///
/// # Errors
/// As [`Server::connect`].
pub(crate) async fn within(server: &Server, database: &str, settings: &DatabaseSettings) -> PgResult<Option<Session>> {
    if !settings.are_of_their_encoding() {
        return Ok(None);
    }
    match server.connect(database).await {
        Err(PgError::Closed { .. }) => Ok(None),
        session => session.map(Some),
    }
}

/// Reads the settings of `database`.
///
/// # Errors
/// [`PgError::NoDatabase`] if there is none, otherwise what the server says.
pub async fn read(session: &Session, database: &str) -> PgResult<DatabaseSettings> {
    read_if_exists(session, database)
        .await?
        .ok_or_else(|| PgError::NoDatabase { database: database.to_owned(), server: "the server".to_owned() })
}

/// Reads the settings of `database`, if there is such a database.
///
/// # Errors
/// What the server says.
pub async fn read_if_exists(session: &Session, database: &str) -> PgResult<Option<DatabaseSettings>> {
    let sql = |error| PgError::sql(format!("reading the settings of `{database}`"), error);
    // to_jsonb: columns that only some versions have are simply absent.
    let row = session
        .query_opt(
            &format!(
                "SELECT d.oid, pg_catalog.pg_get_userbyid(d.datdba)::text, d.datacl IS NOT NULL, d.datconnlimit, \
               {}, pg_catalog.pg_encoding_to_char(d.encoding)::text, \
               d.datcollate::text, d.datctype::text, to_jsonb(d) ->> 'datlocprovider', \
               coalesce(to_jsonb(d) ->> 'daticulocale', to_jsonb(d) ->> 'datlocale'), t.spcname::text, d.datallowconn, \
               to_jsonb(d) ->> 'daticurules' \
             FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace \
             WHERE d.datname = $1",
                as_it_means("pg_catalog.shobj_description(d.oid, 'pg_database')")
            ),
            &[&database],
        )
        .await
        .map_err(sql)?;
    let Some(row) = row else { return Ok(None) };
    let oid: u32 = row.get(0);
    let grants = if row.get(2) { Some(grants(session, oid).await.map_err(sql)?) } else { None };
    Ok(Some(DatabaseSettings {
        owner: row.get(1),
        grants,
        connection_limit: row.get(3),
        parameters: parameters(session, oid).await.map_err(sql)?,
        comment: own_comment(row.get(4)),
        encoding: row.get(5),
        collate: row.get(6),
        ctype: row.get(7),
        locale_provider: row.get(8),
        icu_locale: row.get(9),
        icu_rules: row.get(12),
        tablespace: row.get(10),
        allow_connections: row.get(11),
    }))
}

/// In the order in which they were granted: who may pass a privilege on has it before he does.
async fn grants(session: &Session, oid: u32) -> Result<Vec<Grant>, tokio_postgres::Error> {
    let rows = session
        .query(
            "SELECT CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee)::text END, \
               a.privilege_type, a.is_grantable, \
               CASE WHEN a.grantor <> d.datdba THEN pg_catalog.pg_get_userbyid(a.grantor)::text END \
             FROM pg_catalog.pg_database d, \
               LATERAL pg_catalog.aclexplode(d.datacl) WITH ORDINALITY a(grantor, grantee, privilege_type, is_grantable, at) \
             WHERE d.oid = $1 ORDER BY a.at",
            &[&oid],
        )
        .await?;
    let grant = |row: &tokio_postgres::Row| Grant {
        grantee: row.get(0),
        privilege: row.get(1),
        grantable: row.get(2),
        grantor: row.get(3),
    };
    Ok(rows.iter().map(grant).collect())
}

async fn parameters(session: &Session, oid: u32) -> Result<Vec<Parameter>, tokio_postgres::Error> {
    let rows = session
        .query(
            &format!(
                "SELECT r.rolname::text, split_part(e.entry, '=', 1), substr(e.entry, strpos(e.entry, '=') + 1) \
             FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase \
               LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, \
               LATERAL unnest(s.setconfig) WITH ORDINALITY c(entry, at), LATERAL (SELECT {}) e(entry) \
             WHERE s.setdatabase = $1 AND (s.setrole = 0 OR r.oid IS NOT NULL) ORDER BY 1 NULLS FIRST, c.at",
                as_it_means("c.entry")
            ),
            &[&oid],
        )
        .await?;
    Ok(rows.iter().map(|row| Parameter { role: row.get(0), name: row.get(1), value: row.get(2) }).collect())
}

/// Gives the database `name`, which has settings of its own, these instead.
///
/// # Errors
/// As [`apply`].
pub async fn replace(
    session: &Session,
    name: &str,
    settings: &DatabaseSettings,
    no_owner: bool,
    no_acl: bool,
) -> PgResult<Vec<String>> {
    let present = read(session, name).await?;
    if present.has_all_of(settings, no_owner, no_acl) {
        return Ok(Vec::new());
    }
    let mut refused = run(session, clearing(&present, settings, name, no_acl)).await?;
    refused.extend(apply(session, name, settings, no_owner, no_acl).await?);
    Ok(refused)
}

/// Gives the database `name` these settings. What the role may not do is returned in words: it does not stop a restore,
/// and it must not be lost silently.
///
/// # Errors
/// Anything the server refuses for another reason than privilege.
pub async fn apply(
    session: &Session,
    name: &str,
    settings: &DatabaseSettings,
    no_owner: bool,
    no_acl: bool,
) -> PgResult<Vec<String>> {
    run(session, statements(settings, name, no_owner, no_acl)).await
}

/// Runs them one by one; what the role may not do is returned in words.
async fn run(session: &Session, statements: Vec<Statement>) -> PgResult<Vec<String>> {
    let mut refused = Vec::new();
    for statement in statements {
        match session.batch_execute(&statement.sql).await {
            Ok(()) => {}
            // insufficient_privilege, and roles or extensions' parameters that are not there.
            Err(error) if error.code().is_some_and(|code| ["42501", "42704"].contains(&code.code())) => {
                let why = error.as_db_error().map_or("", |db| db.message());
                refused.push(format!("not set: `{}` ({why})", statement.shown));
            }
            Err(error) => return Err(PgError::sql(format!("running `{}`", statement.shown), error)),
        }
    }
    Ok(refused)
}
