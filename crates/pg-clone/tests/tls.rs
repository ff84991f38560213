//! Each sslmode against a real server, for us and for the programs we start: who is let through, who is not.

use std::path::Path;
use std::time::Duration;

use backup_testkit::postgres::{Cluster, ClusterOptions};
use pg_clone::{Environment, Origin, PgError, Server};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

const SERVER_NAME: &str = "db.example";

/// A new authority's certificate, and a certificate and key of its for [`SERVER_NAME`].
struct Authority {
    certificate: String,
    server_certificate: String,
    server_key: String,
}

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Named unlike the server: OpenSSL takes a certificate issued by its own name for self-signed.
    params.distinguished_name.push(DnType::CommonName, "An authority of our own");
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new([SERVER_NAME.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    Authority { certificate: issuer.pem(), server_certificate: server.pem(), server_key: key.serialize_pem() }
}

/// Gives the server its certificate, and waits until it speaks TLS.
fn turn_on_tls(cluster: &Cluster, authority: &Authority) {
    use std::os::unix::fs::{PermissionsExt, chown};
    for (name, text) in [("server.crt", &authority.server_certificate), ("server.key", &authority.server_key)] {
        let path = cluster.data_dir().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        chown(&path, Some(cluster.server_uid()), None).unwrap();
    }
    cluster.psql("postgres", "ALTER SYSTEM SET ssl = on; SELECT pg_reload_conf()").unwrap();
    let on = || cluster.psql("postgres", "SHOW ssl").unwrap() == "on";
    while !on() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The server by a name that its certificate has or has not, without a name service.
fn server(cluster: &Cluster, host: &str, sslmode: &str, roots: &str) -> Server {
    let port = cluster.port().to_string();
    let pairs = [
        ("PGHOST", host),
        ("PGHOSTADDR", cluster.host()),
        ("PGPORT", &port),
        ("PGUSER", cluster.superuser()),
        ("PGPASSWORD", cluster.password()),
        ("PGSSLMODE", sslmode),
        ("PGSSLROOTCERT", roots),
    ];
    Server::resolve(None, Origin::Environment, &Environment::from_pairs(pairs)).unwrap().server
}

const IS_ENCRYPTED: &str = "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

/// Whether we and `psql` get in, and encrypted; the error is ours.
async fn connect(cluster: &Cluster, server: &Server) -> Result<bool, PgError> {
    let mut psql = tokio::process::Command::new(cluster.bin_dir().join("psql"));
    let environment = server.child_environment("postgres").unwrap();
    environment.apply(&mut psql);
    let psql = psql.args(["-X", "-A", "-t", "-w", "-c", IS_ENCRYPTED]).output().await.unwrap();
    let session = server.connect("postgres").await;
    assert_eq!(psql.status.success(), session.is_ok(), "{}", String::from_utf8_lossy(&psql.stderr));
    let encrypted: String = session?.query_one(IS_ENCRYPTED, &[]).await.unwrap().get(0);
    assert_eq!(String::from_utf8_lossy(&psql.stdout).trim(), encrypted);
    Ok(encrypted == "true")
}

#[tokio::test(flavor = "multi_thread")]
async fn p13_a_certificate_of_another_name_or_authority_is_refused_before_anything_is_sent() {
    let cluster = Cluster::start(ClusterOptions::default()).unwrap();
    let authority = authority();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let roots = write("roots.pem", &authority.certificate);
    let strangers = write("strangers.pem", &self::authority().certificate);

    // Without TLS on the server only what may go without gets in.
    for (mode, encrypted) in
        [("disable", Some(false)), ("prefer", Some(false)), ("require", None), ("verify-full", None)]
    {
        let done = connect(&cluster, &server(&cluster, SERVER_NAME, mode, &roots)).await.ok();
        assert_eq!(done, encrypted, "{mode} without TLS");
    }
    turn_on_tls(&cluster, &authority);
    for (mode, host, roots, encrypted) in [
        ("disable", SERVER_NAME, "", Some(false)),
        ("prefer", "other.example", "", Some(true)),
        ("require", "other.example", "", Some(true)),
        ("require", "other.example", &*roots, Some(true)),
        ("require", SERVER_NAME, &strangers, None),
        ("verify-ca", "other.example", &roots, Some(true)),
        ("verify-ca", SERVER_NAME, &strangers, None),
        ("verify-full", SERVER_NAME, &roots, Some(true)),
        ("verify-full", "other.example", &roots, None),
        ("verify-full", SERVER_NAME, &strangers, None),
        ("verify-full", SERVER_NAME, "", None),
    ] {
        let done = connect(&cluster, &server(&cluster, host, mode, roots)).await;
        match &done {
            Ok(_) => {}
            Err(PgError::Unreachable { help, .. }) => assert!(help.to_string().contains("PGSSLROOTCERT"), "{help}"),
            Err(other) => panic!("{other:?}"),
        }
        assert_eq!(done.ok(), encrypted, "{mode}, {host}, {roots}");
    }
    let log = cluster.log();
    assert!(!log.contains("password authentication failed"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn root_files_that_hold_nothing_are_named() {
    let cluster = Cluster::shared();
    let empty = tempfile::NamedTempFile::new().unwrap();
    for (path, said) in
        [(empty.path(), "holds no certificate"), (Path::new("/nonexistent/roots.pem"), "cannot be read")]
    {
        let path = path.display().to_string();
        let error = server(cluster, SERVER_NAME, "verify-full", &path).connect("postgres").await.unwrap_err();
        assert!(
            matches!(&error, PgError::Usage { what, .. } if what.contains(&path) && what.contains(said)),
            "{error:?}"
        );
    }
}

/// A password that needs channel binding is not given to a server that offers none.
#[tokio::test(flavor = "multi_thread")]
async fn channel_binding_is_required_where_it_is_asked_for() {
    let cluster = Cluster::shared();
    let port = cluster.port().to_string();
    let connect = async |binding: &str| {
        let pairs = [
            ("PGHOST", cluster.host()),
            ("PGPORT", port.as_str()),
            ("PGUSER", cluster.superuser()),
            ("PGPASSWORD", cluster.password()),
            ("PGCHANNELBINDING", binding),
        ];
        let server = Server::resolve(None, Origin::Environment, &Environment::from_pairs(pairs))?.server;
        server.connect("postgres").await
    };
    connect("prefer").await.unwrap();
    assert!(matches!(connect("require").await.unwrap_err(), PgError::Unreachable { .. }));
    assert!(matches!(connect("perhaps").await.unwrap_err(), PgError::Usage { .. }));
}

/// A server that wants another authentication than was asked for gets no password, whether over TLS or not.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_given_only_by_an_authentication_that_is_allowed() {
    let cluster = Cluster::start(ClusterOptions::default()).unwrap();
    let port = cluster.port().to_string();
    let connect = async |sslmode: &str, rule: &str| {
        let pairs = [
            ("PGHOST", cluster.host()),
            ("PGPORT", port.as_str()),
            ("PGUSER", cluster.superuser()),
            ("PGPASSWORD", cluster.password()),
            ("PGSSLMODE", sslmode),
            ("PGREQUIREAUTH", rule),
        ];
        let server = Server::resolve(None, Origin::Environment, &Environment::from_pairs(pairs))?.server;
        let session = server.connect("postgres").await?;
        Ok::<String, PgError>(session.query_one(IS_ENCRYPTED, &[]).await.unwrap().get(0))
    };
    for (sslmode, encrypted) in [("disable", "false"), ("prefer", "false"), ("require", "true")] {
        if sslmode == "require" {
            turn_on_tls(&cluster, &authority());
        }
        for rule in ["", "scram-sha-256", "!password,!md5", "md5,scram-sha-256"] {
            assert_eq!(connect(sslmode, rule).await.unwrap(), encrypted, "{sslmode} {rule}");
        }
        for rule in ["password", "none", "!scram-sha-256", "gss"] {
            let error = connect(sslmode, rule).await.unwrap_err();
            assert!(
                matches!(&error, PgError::Unreachable { help, .. } if help.to_string().contains("no password was sent")),
                "{sslmode} {rule}: {error:?}"
            );
        }
    }
    assert!(!cluster.log().contains("password authentication failed"), "{}", cluster.log());
}

/// The user behind a socket, and whether the server takes writes, are asked before anything is done.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_as_it_was_asked_for_is_passed_over() {
    let cluster = Cluster::start(ClusterOptions::default()).unwrap();
    let (port, socket) = (cluster.port().to_string(), cluster.socket_dir().display().to_string());
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let uid = cluster.server_uid().to_string();
    let owner = passwd.lines().find(|line| line.split(':').nth(2) == Some(&uid)).unwrap().split(':').next().unwrap();
    let connect = async |pairs: &[(&str, &str)]| {
        let fixed = [("PGHOST", socket.as_str()), ("PGPORT", &port), ("PGUSER", cluster.superuser())];
        let environment = Environment::from_pairs(fixed.into_iter().chain(pairs.iter().copied()));
        let server = Server::resolve(None, Origin::Environment, &environment)?.server;
        server.connect("postgres").await.map(drop)
    };
    connect(&[("PGREQUIREPEER", owner)]).await.unwrap();
    let error = connect(&[("PGREQUIREPEER", "somebody")]).await.unwrap_err();
    assert!(matches!(&error, PgError::Unreachable { source, .. } if source.to_string().contains("requirepeer")));
    for (attributes, fits) in [
        ("any", true),
        ("read-write", true),
        ("primary", true),
        ("prefer-standby", true),
        ("read-only", false),
        ("standby", false),
    ] {
        let done = connect(&[("PGTARGETSESSIONATTRS", attributes)]).await;
        assert_eq!(done.is_ok(), fits, "{attributes}: {done:?}");
    }
    cluster.psql("postgres", "ALTER SYSTEM SET default_transaction_read_only = on").unwrap();
    cluster.psql("postgres", "SELECT pg_reload_conf()").unwrap();
    while cluster.psql("postgres", "SHOW default_transaction_read_only").unwrap() != "on" {
        std::thread::sleep(Duration::from_millis(20));
    }
    connect(&[("PGTARGETSESSIONATTRS", "read-write")]).await.unwrap_err();
    connect(&[("PGTARGETSESSIONATTRS", "read-only")]).await.unwrap();
    connect(&[("PGTARGETSESSIONATTRS", "primary")]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_password_it_says_where_to_put_one_and_does_not_ask() {
    let cluster = Cluster::shared();
    let port = cluster.port().to_string();
    let pairs = [("PGHOST", cluster.host()), ("PGPORT", port.as_str()), ("PGUSER", cluster.superuser())];
    let server = Server::resolve(None, Origin::Environment, &Environment::from_pairs(pairs)).unwrap().server;
    let error = server.connect("postgres").await.unwrap_err();
    assert!(matches!(&error, PgError::Unreachable { help, .. } if help.to_string().contains("~/.pgpass")), "{error:?}");
}
