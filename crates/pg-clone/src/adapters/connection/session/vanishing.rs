//! What a session has the server do about a client whose machine vanishes: without it the server keeps the session, and
//! every lock of it, for the two hours after which Linux first asks (`tcp(7)`, `tcp_keepalive_time`).
//!
//! The values add up to a minute and a half: whoever waits for such a session waits no longer than two minutes, and a network
//! may well be away for one.

/// Settings of the connection (PostgreSQL manual, "TCP Settings"): the first question after 30 s of silence, given up after
/// 90 s, or when what was sent is not confirmed for as long. On a local socket they mean nothing.
const TCP: [(&str, &str); 4] = [
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "6"),
    ("tcp_user_timeout", "90000"),
];

/// First version that looks after its client while it computes.
const CHECK_MAJOR: u32 = 14;

/// The setting for it, and how often, in milliseconds. Servers on some systems refuse it.
const CHECK: (&str, &str) = ("client_connection_check_interval", "10000");

/// Statements for a session on a server of this version, but for what `given`, the user's own options, say.
pub(super) fn statements(major: u32, given: &str) -> Vec<String> {
    let mut statements: Vec<String> = ours(given).map(|(name, value)| format!("SET {name} = {value}")).collect();
    let (check, interval) = CHECK;
    if major >= CHECK_MAJOR && !given.contains(check) {
        statements.push(format!(
            "SELECT pg_catalog.set_config('{check}', '{interval}', false) \
             WHERE pg_catalog.strpos(pg_catalog.version(), 'linux') > 0"
        ));
    }
    statements
}

/// The same as startup options for sessions of programs, as far as every server takes them.
pub(in crate::adapters::connection) fn options(given: &str) -> String {
    let options: Vec<String> = ours(given).map(|(name, value)| format!("-c {name}={value}")).collect();
    options.join(" ")
}

fn ours(given: &str) -> impl Iterator<Item = (&'static str, &'static str)> + '_ {
    TCP.into_iter().filter(move |(name, _)| !given.contains(name))
}

#[cfg(test)]
mod tests {
    use backup_testkit::postgres::Cluster;

    use super::*;
    use crate::{Environment, Origin, Server};

    #[test]
    fn what_the_user_sets_stays() {
        let given = "-c tcp_user_timeout=0 -c client_connection_check_interval=0";
        assert!(
            statements(18, given).iter().all(|one| !one.contains("user_timeout") && !one.contains("check_interval"))
        );
        assert_eq!(options(given), "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=6");
        assert_eq!((statements(14, "").len(), statements(13, "").len()), (5, 4));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_server_watches_its_client() {
        let cluster = Cluster::shared();
        let port = cluster.port().to_string();
        let server = |options: &str| {
            let pairs = [
                ("PGHOST", "127.0.0.1"),
                ("PGPORT", &port),
                ("PGUSER", cluster.superuser()),
                ("PGPASSWORD", cluster.password()),
                ("PGOPTIONS", options),
            ];
            Server::resolve(None, Origin::Environment, &Environment::from_pairs(pairs)).unwrap().server
        };
        let shown = async |server: &Server, name: &str| -> String {
            let session = server.connect("postgres").await.unwrap();
            session.query_one(&format!("SELECT current_setting('{name}')"), &[]).await.unwrap().get(0)
        };
        let ours = server("-c search_path=public");
        assert_eq!(shown(&ours, "tcp_keepalives_idle").await, "30");
        assert_eq!(shown(&ours, "tcp_user_timeout").await, "90000");
        let theirs = server("-c tcp_keepalives_idle=77");
        assert_eq!(shown(&theirs, "tcp_keepalives_idle").await, "77");
        let session = ours.connect("postgres").await.unwrap();
        if crate::adapters::sql::server::major(&session).await.unwrap() >= CHECK_MAJOR {
            assert_eq!(shown(&ours, CHECK.0).await, "10s");
        }
    }
}
