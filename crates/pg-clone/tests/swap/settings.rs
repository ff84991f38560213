//! What belongs to the database and not to its contents survives the swap, to the letter.

use backup_testkit::postgres::Cluster;
use pg_clone::Run;
use pg_clone::live::database_settings;

use crate::shop::{create, leftovers, replace, server};

/// The catalogues' own rows, with names for oids that change.
const PICTURE: &str = "SELECT datdba::regrole, datacl, datconnlimit, datallowconn, spcname, \
                         shobj_description(d.oid, 'pg_database') \
                       FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace WHERE datname = 'kept settings'; \
                       SELECT setrole::regrole, setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase \
                       WHERE datname = 'kept settings' ORDER BY 1";

#[tokio::test(flavor = "multi_thread")]
async fn p15_owner_privileges_parameters_and_comment_are_equal_after_the_swap() {
    let cluster = Cluster::shared();
    create(cluster, "kept settings", "old");
    cluster
        .psql(
            "kept settings",
            r#"CREATE ROLE "kept Owner"; CREATE ROLE "kept lender"; CREATE ROLE "kept borrower";
               ALTER DATABASE "kept settings" OWNER TO "kept Owner";
               REVOKE TEMPORARY ON DATABASE "kept settings" FROM PUBLIC;
               GRANT CREATE, CONNECT ON DATABASE "kept settings" TO "kept lender" WITH GRANT OPTION;
               SET ROLE "kept lender";
               GRANT CONNECT ON DATABASE "kept settings" TO "kept borrower";
               RESET ROLE;
               ALTER DATABASE "kept settings" CONNECTION LIMIT 77;
               ALTER DATABASE "kept settings" SET search_path = "$user", public, "a, ""b""", '';
               ALTER DATABASE "kept settings" SET datestyle = 'German, YMD';
               ALTER DATABASE "kept settings" SET "my.thing" = 'it''s \ "quoted", here';
               ALTER DATABASE "kept settings" SET default_transaction_read_only = on;
               ALTER DATABASE "kept settings" SET session_preload_libraries = 'auto_explain', 'pg_stat_statements';
               ALTER ROLE "kept lender" IN DATABASE "kept settings" SET work_mem = '7MB';
               ALTER ROLE "kept lender" IN DATABASE "kept settings" SET search_path = '';
               COMMENT ON DATABASE "kept settings" IS E'it''s \\ "kept"\n';"#,
        )
        .unwrap();
    cluster
        .psql(
            "postgres",
            "SET allow_in_place_tablespaces = on; CREATE TABLESPACE kept_space LOCATION ''; \
             ALTER DATABASE \"kept settings\" SET TABLESPACE kept_space",
        )
        .unwrap();
    let before = cluster.psql("postgres", PICTURE).unwrap();
    assert!(before.contains("my.thing") && before.contains("kept borrower"), "the test set nothing up: {before}");
    replace(&server(cluster), cluster, "kept settings", &Run::silent()).await.unwrap();
    assert_eq!(cluster.psql("postgres", PICTURE).unwrap(), before);
    assert_eq!(leftovers(cluster, "kept settings"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_set_is_told_and_the_rest_is_set() {
    let cluster = Cluster::shared();
    create(cluster, "half set", "old");
    cluster
        .psql(
            "half set",
            "ALTER DATABASE \"half set\" SET work_mem = '7MB'; REVOKE ALL ON DATABASE \"half set\" FROM PUBLIC",
        )
        .unwrap();
    let session = server(cluster).connect("half set").await.unwrap();
    let mut wanted = database_settings::read(&session, "half set").await.unwrap();
    let as_it_was = wanted.clone();
    wanted.owner = "nobody we know".to_owned();
    wanted.grants.iter_mut().flatten().for_each(|grant| grant.grantee = Some("a stranger".to_owned()));
    let refused = database_settings::apply(&session, "half set", &wanted, false, false).await.unwrap();
    assert!(refused[0].contains(r#"OWNER TO "nobody we know""#), "{refused:?}");
    assert!(refused.len() > 2 && refused.iter().skip(1).all(|told| told.contains("DATABASE")), "{refused:?}");
    let after = database_settings::read(&session, "half set").await.unwrap();
    assert_eq!((after.owner, after.parameters), (as_it_was.owner, as_it_was.parameters));
}
