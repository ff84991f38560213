//! Asks a server what the role is allowed to do and which databases exist.

use crate::adapters::connection::Session;
use crate::adapters::sql::databases::INVALID_LIMIT;
use crate::adapters::sql::words::Words;
use crate::error::{PgError, PgResult};
use crate::standing::{Known, Locales, Replication, Standing};
use crate::stored::database_settings::DatabaseSettings;
use crate::stored::detail::SequenceState;

/// SQLSTATE of a locale that the system does not have: invalid_parameter_value.
const NO_SUCH_LOCALE: &str = "22023";

/// What the server says of us, and of those of `databases` that are there.
pub(crate) async fn read(session: &Session, databases: &[&str]) -> PgResult<Standing> {
    let sql = |error| PgError::sql("asking what the role may do", error);
    let me = session
        .query_one(
            "SELECT current_user::text, me.rolsuper, me.rolcreatedb, pg_catalog.pg_is_in_recovery() \
             FROM pg_catalog.pg_roles me WHERE me.rolname = current_user",
            &[],
        )
        .await
        .map_err(sql)?;
    let rows = session
        .query(
            "SELECT d.datname::text, pg_catalog.pg_get_userbyid(d.datdba)::text, pg_has_role(d.datdba, 'USAGE'), \
               d.datistemplate, (SELECT count(*) FROM pg_catalog.pg_replication_slots s WHERE s.database = d.datname), \
               (SELECT count(*) FROM pg_catalog.pg_subscription s WHERE s.subdbid = d.oid), \
               (SELECT count(*) FROM pg_catalog.pg_prepared_xacts p WHERE p.database = d.datname), \
               d.datconnlimit = $2 \
             FROM pg_catalog.pg_database d WHERE d.datname::text = ANY ($1::text[])",
            &[&databases, &INVALID_LIMIT],
        )
        .await
        .map_err(sql)?;
    let known = |row: &tokio_postgres::Row| Known {
        name: row.get(0),
        owner: row.get::<_, Words>(1).0,
        is_ours: row.get(2),
        is_template: row.get(3),
        replication: Replication {
            slots: row.get::<_, i64>(4).unsigned_abs(),
            subscriptions: row.get::<_, i64>(5).unsigned_abs(),
        },
        prepared: row.get::<_, i64>(6).unsigned_abs(),
        is_invalid: row.get(7),
    };
    Ok(Standing {
        role: me.get(0),
        is_superuser: me.get(1),
        may_create: me.get(2),
        is_standby: me.get(3),
        databases: rows.iter().map(known).collect(),
    })
}

/// Tables and sequences that the role may not lock, fill and, if they are to be `emptied`, empty; or that it does not own
/// although it must, for sequences and the tables `owned` are altered. By name.
pub(crate) async fn out_of_reach(
    session: &Session,
    tables: &[u32],
    owned: &[u32],
    sequences: &[SequenceState],
    emptied: bool,
) -> PgResult<Vec<String>> {
    let (schemas, names): (Vec<&str>, Vec<&str>) =
        sequences.iter().map(|state| (state.schema.as_str(), state.name.as_str())).unzip();
    let rows = session
        .query(
            "SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE NOT pg_has_role(c.relowner, 'USAGE') AND (c.oid = ANY ($2) \
               OR c.oid = ANY ($1) AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, \
               'INSERT') \
                 AND has_table_privilege(c.oid, CASE WHEN $5 THEN 'TRUNCATE' ELSE 'UPDATE, DELETE, TRUNCATE' END)) \
               OR c.relkind = 'S' AND EXISTS (SELECT FROM unnest($3::text[], $4::text[]) w(schema, name) \
                 WHERE c.relname = w.name::name AND n.nspname = w.schema::name)) \
             ORDER BY 1",
            &[&tables, &owned, &schemas, &names, &emptied],
        )
        .await
        .map_err(|error| PgError::sql("asking what may be written", error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// What the server has of the encoding and locales of `settings`. Of its system's locales it tells by trying one: a
/// category that has nothing to do with sorting takes the same names. The collation `unicode` is of ICU, and from 16 on it
/// is listed by servers without it too.
pub(crate) async fn locales(session: &Session, settings: &DatabaseSettings) -> PgResult<Locales> {
    let sql = |error| PgError::sql("asking for encodings and locales", error);
    let row = session
        .query_one(
            "SELECT pg_catalog.pg_char_to_encoding($1::text::name) >= 0, \
               EXISTS (SELECT FROM pg_catalog.pg_collation WHERE collprovider = 'i' AND collname <> 'unicode') \
                 AND current_setting('server_version_num')::int >= 150000, \
               current_setting('server_version_num')::int >= 170000",
            &[&settings.encoding],
        )
        .await
        .map_err(sql)?;
    let mut locales = Locales { encoding: row.get(0), icu: row.get(1), builtin: row.get(2), missing: Vec::new() };
    for name in [&settings.collate, &settings.ctype] {
        if locales.missing.contains(name) {
            continue;
        }
        match session.query_one("SELECT pg_catalog.set_config('lc_monetary', $1, true)", &[name]).await {
            Ok(_) => {}
            Err(error) if error.code().is_some_and(|code| code.code() == NO_SUCH_LOCALE) => {
                locales.missing.push(name.clone());
            }
            Err(error) => return Err(sql(error)),
        }
    }
    Ok(locales)
}

#[cfg(test)]
mod tests {
    use backup_testkit::postgres::Cluster;

    use super::*;
    use crate::adapters::sql::database_settings;
    use crate::{Environment, Origin, Server};

    fn server(cluster: &Cluster, user: &str, password: &str) -> Server {
        let port = cluster.port().to_string();
        let pairs = [("PGHOST", cluster.host()), ("PGPORT", &port), ("PGUSER", user), ("PGPASSWORD", password)];
        Server::resolve(None, Origin::Environment, &Environment::from_pairs(pairs)).unwrap().server
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_server_tells_what_a_role_may_and_what_locales_it_has() {
        let cluster = Cluster::shared();
        cluster.create_database("standing").unwrap();
        cluster.psql("postgres", "CREATE ROLE standing LOGIN CREATEDB PASSWORD 'pw'").unwrap();
        let session = server(cluster, "standing", "pw").connect("standing").await.unwrap();
        let told = read(&session, &["standing", "nowhere"]).await.unwrap();
        assert_eq!((told.role.as_str(), told.may_create, told.is_superuser), ("standing", true, false));
        assert!(matches!(told.databases.as_slice(), [known] if !known.is_ours && known.owner == cluster.superuser()));
        let mut settings = database_settings::read(&session, "standing").await.unwrap();
        assert_eq!(locales(&session, &settings).await.unwrap().missing, [""; 0]);
        settings.collate = "xx_XX.UTF-8".to_owned();
        settings.encoding = "NONE".to_owned();
        let told = locales(&session, &settings).await.unwrap();
        assert_eq!((told.encoding, told.missing), (false, vec!["xx_XX.UTF-8".to_owned()]));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_role_may_not_write_is_named() {
        let cluster = Cluster::shared();
        cluster.create_database("reach").unwrap();
        let make = "CREATE ROLE reach LOGIN PASSWORD 'pw'; CREATE TABLE filled (i serial); CREATE TABLE emptied (i \
                    int); \
            CREATE TABLE closed (i int); GRANT INSERT, DELETE ON filled TO reach; GRANT INSERT, TRUNCATE ON emptied \
            TO reach";
        cluster.psql("reach", make).unwrap();
        let session = server(cluster, "reach", "pw").connect_as_application("reach").await.unwrap();
        let oid = async |name: &str| -> u32 {
            session.query_one("SELECT $1::text::regclass::oid", &[&name]).await.unwrap().get(0)
        };
        let [filled, emptied, closed] = [oid("filled").await, oid("emptied").await, oid("closed").await];
        let tables = [filled, emptied, closed];
        let beyond = async |owned: &[u32], sequences: &[&str], empty: bool| {
            let state = |name: &&str| SequenceState {
                schema: "public".to_owned(),
                name: (*name).to_owned(),
                last_value: 1,
                is_called: false,
            };
            let sequences: Vec<SequenceState> = sequences.iter().map(state).collect();
            out_of_reach(&session, &tables, owned, &sequences, empty).await.unwrap()
        };
        assert_eq!(beyond(&[], &[], false).await, ["public.closed"]);
        assert_eq!(beyond(&[], &[], true).await, ["public.closed", "public.filled"]);
        assert_eq!(
            beyond(&[emptied], &["filled_i_seq"], false).await,
            ["public.closed", "public.emptied", "public.filled_i_seq"]
        );
    }
}
