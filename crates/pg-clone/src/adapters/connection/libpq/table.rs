//! The table: one row a setting, in the order of the PostgreSQL manual's pages.

use crate::adapters::connection::libpq::setting::{Setting, Treatment};

const HONOURED: Treatment = Treatment::Honoured;
const IGNORED: Treatment = Treatment::Ignored;

const fn refused(unless: &'static [&'static str]) -> Treatment {
    Treatment::Refused { unless }
}

/// A setting with a keyword; an empty `variable` is none.
const fn row(keyword: &'static str, variable: &'static str, treatment: Treatment, note: &'static str) -> Setting {
    let variable = if variable.is_empty() { None } else { Some(variable) };
    Setting { keyword: Some(keyword), variable, treatment, note }
}

/// A variable without a keyword.
const fn alone(variable: &'static str, treatment: Treatment, note: &'static str) -> Setting {
    Setting { keyword: None, variable: Some(variable), treatment, note }
}

const NO_KERBEROS: &str = "Kerberos is not supported";
const NO_OAUTH: &str = "OAuth is not supported";
const NO_CLIENT_CERTIFICATE: &str = "client certificates are not supported";
const NO_SCRAM_KEY: &str = "give the password itself";
const OUR_KEEPALIVES: &str = "keepalive probes are always on, after 30 s without traffic";

/// Every setting of libpq 18.
pub const SETTINGS: &[Setting] = &[
    row("host", "PGHOST", HONOURED, "name, address or socket folder; several, with commas, are tried in turn"),
    row(
        "hostaddr",
        "PGHOSTADDR",
        HONOURED,
        "numeric address to connect to; certificates and password files go by `host`",
    ),
    row("port", "PGPORT", HONOURED, "default: 5432"),
    row("dbname", "PGDATABASE", HONOURED, "the database, if no DATABASE argument is given"),
    row("user", "PGUSER", HONOURED, "default: the name of the operating system user"),
    row(
        "password",
        "PGPASSWORD",
        HONOURED,
        "refused on the command line, which other users can read; prefer a password file to the variable",
    ),
    row("passfile", "PGPASSFILE", HONOURED, "default: `~/.pgpass`; must not be readable by others"),
    row(
        "require_auth",
        "PGREQUIREAUTH",
        HONOURED,
        "checked before a password is sent; `pg_dump` and `pg_restore` know it since 16",
    ),
    row("channel_binding", "PGCHANNELBINDING", HONOURED, "`disable`, `prefer` or `require`"),
    row("connect_timeout", "PGCONNECT_TIMEOUT", HONOURED, "seconds, for each address; default: 15; 0 means no limit"),
    row(
        "client_encoding",
        "PGCLIENTENCODING",
        IGNORED,
        "sessions always speak UTF-8, so that a dump is the same everywhere",
    ),
    row(
        "options",
        "PGOPTIONS",
        HONOURED,
        "`-c NAME=VALUE` and `--NAME=VALUE`, for our sessions, `pg_dump`, `pg_restore` and hooks; settings that a \
         session makes itself take precedence",
    ),
    row("application_name", "PGAPPNAME", HONOURED, "name of our sessions in `pg_stat_activity`; default: `lastgood`"),
    row("fallback_application_name", "", HONOURED, "used if `application_name` is not set"),
    row("keepalives", "", IGNORED, OUR_KEEPALIVES),
    row("keepalives_idle", "", IGNORED, OUR_KEEPALIVES),
    row("keepalives_interval", "", IGNORED, OUR_KEEPALIVES),
    row("keepalives_count", "", IGNORED, OUR_KEEPALIVES),
    row("tcp_user_timeout", "", IGNORED, "a connection over which nothing arrives any more ends after 5 min"),
    row("replication", "", refused(&["false", "off", "no", "0"]), "a dump needs an ordinary session"),
    row("gssencmode", "PGGSSENCMODE", refused(&["disable", "prefer"]), NO_KERBEROS),
    row(
        "sslmode",
        "PGSSLMODE",
        HONOURED,
        "default: `verify-full` over a network, unlike libpq, and `prefer` on this machine; `require` encrypts without verifying; \
         `allow` is taken as `prefer`",
    ),
    row("requiressl", "PGREQUIRESSL", refused(&["0"]), "obsolete name of `sslmode=require`; use that instead"),
    row(
        "sslnegotiation",
        "PGSSLNEGOTIATION",
        refused(&["postgres"]),
        "only the negotiation that every server supports is available",
    ),
    row("sslcompression", "PGSSLCOMPRESSION", IGNORED, "no current server or library compresses TLS"),
    row("sslcert", "PGSSLCERT", refused(&[]), NO_CLIENT_CERTIFICATE),
    row("sslkey", "PGSSLKEY", refused(&[]), NO_CLIENT_CERTIFICATE),
    row("sslkeylogfile", "", refused(&[]), "TLS keys are never written to a file"),
    row("sslpassword", "", refused(&[]), NO_CLIENT_CERTIFICATE),
    row("sslcertmode", "PGSSLCERTMODE", refused(&["disable", "allow"]), NO_CLIENT_CERTIFICATE),
    row(
        "sslrootcert",
        "PGSSLROOTCERT",
        HONOURED,
        "file of authorities, or `system`, which means `verify-full`; default: `~/.postgresql/root.crt`, else the \
         system's. Amazon RDS has its own: \
         [`global-bundle.pem`](https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem)",
    ),
    row(
        "sslcrl",
        "PGSSLCRL",
        refused(&[]),
        "lists of revoked certificates are not read, `~/.postgresql/root.crl` neither",
    ),
    row("sslcrldir", "PGSSLCRLDIR", refused(&[]), "lists of revoked certificates are not read"),
    row("sslsni", "PGSSLSNI", refused(&["1"]), "the server's name is always sent"),
    row("requirepeer", "PGREQUIREPEER", HONOURED, "system user that the server behind a socket must run as"),
    row(
        "ssl_min_protocol_version",
        "PGSSLMINPROTOCOLVERSION",
        refused(&["TLSv1", "TLSv1.1", "TLSv1.2"]),
        "TLS 1.2 and 1.3 are supported",
    ),
    row("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", refused(&["TLSv1.3"]), "TLS 1.2 and 1.3 are supported"),
    row("min_protocol_version", "PGMINPROTOCOLVERSION", refused(&["3.0"]), "protocol 3.0 is used"),
    row("max_protocol_version", "PGMAXPROTOCOLVERSION", IGNORED, "protocol 3.0 is used, the lowest there is"),
    row("krbsrvname", "PGKRBSRVNAME", refused(&["postgres"]), NO_KERBEROS),
    row("gsslib", "PGGSSLIB", IGNORED, "has a meaning only on Windows"),
    row("gssdelegation", "PGGSSDELEGATION", refused(&["0"]), NO_KERBEROS),
    row("scram_client_key", "", refused(&[]), NO_SCRAM_KEY),
    row("scram_server_key", "", refused(&[]), NO_SCRAM_KEY),
    row("service", "PGSERVICE", HONOURED, "section of a service file; one that is not there is an error"),
    row(
        "servicefile",
        "PGSERVICEFILE",
        HONOURED,
        "the service file; default: `~/.pg_service.conf`. The parameter is one of PostgreSQL 19",
    ),
    row(
        "target_session_attrs",
        "PGTARGETSESSIONATTRS",
        HONOURED,
        "`any`, `read-write`, `read-only`, `primary`, `standby` or `prefer-standby`",
    ),
    row("load_balance_hosts", "PGLOADBALANCEHOSTS", refused(&["disable"]), "hosts are tried in the given order"),
    row("oauth_issuer", "", refused(&[]), NO_OAUTH),
    row("oauth_client_id", "", refused(&[]), NO_OAUTH),
    row("oauth_client_secret", "", refused(&[]), NO_OAUTH),
    row("oauth_scope", "", refused(&[]), NO_OAUTH),
    alone("PGSYSCONFDIR", HONOURED, "folder of `pg_service.conf`, for services that are not in the service file"),
    alone("PGDATESTYLE", IGNORED, "a dump's text must not depend on it: sessions use ISO"),
    alone("PGTZ", IGNORED, "a dump's text must not depend on it"),
    alone("PGGEQO", IGNORED, "affects only the planning of queries that lastgood does not make"),
    alone("PGLOCALEDIR", IGNORED, "messages are not translated"),
    alone("PGOAUTHDEBUG", IGNORED, NO_OAUTH),
];
