//! A connection that breaks around COMMIT: the answer is lost, and with it whether the switch happened.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use backup_testkit::postgres::Cluster;
use pg_clone::{Environment, Origin, PgError, Run, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::shop::{create, leftovers, replace, word};

/// Where the proxy cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// The server never sees the statements.
    BeforeTheServer,
    /// The server runs them, and nobody hears of it.
    AfterTheServer,
}

/// Forwards to the cluster; the first connection that sends the renames is cut, once.
async fn proxy(cluster: &'static Cluster, cut: Cut) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let done = Arc::new(AtomicBool::new(false));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect((cluster.host(), cluster.port())).await.unwrap();
            tokio::spawn(forward(client, server, cut, Arc::clone(&done)));
        }
    });
    port
}

async fn forward(client: TcpStream, server: TcpStream, cut: Cut, done: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
        let renames = buffer[..read].windows(9).any(|bytes| bytes == b"RENAME TO");
        if renames && !done.swap(true, Ordering::SeqCst) {
            // Nothing more goes back: the server's answer is lost.
            answers.abort();
            let _ = answers.await;
            if cut == Cut::AfterTheServer {
                to_server.write_all(&buffer[..read]).await.unwrap();
            }
            // Both ends close here; the server may still be at work.
            return;
        }
        if to_server.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    answers.abort();
}

fn server_through(cluster: &Cluster, port: u16) -> Server {
    let port = port.to_string();
    let pairs = [
        ("PGHOST", "127.0.0.1"),
        ("PGPORT", port.as_str()),
        ("PGUSER", cluster.superuser()),
        ("PGPASSWORD", cluster.password()),
    ];
    Server::resolve(None, Origin::Environment, &Environment::from_pairs(pairs)).unwrap().server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_commit_is_found_out_by_looking() {
    let cluster = Cluster::shared();
    for attempt in 0..5 {
        let target = format!("answer lost {attempt}");
        create(cluster, &target, "old");
        let server = server_through(cluster, proxy(cluster, Cut::AfterTheServer).await);
        // The server may have committed before our new session ended the old one, or not: what is said must be true.
        match replace(&server, cluster, &target, &Run::silent()).await {
            Ok(report) => {
                assert!(report.replaced);
                assert_eq!(word(cluster, &target).as_deref(), Some("new"));
            }
            Err(error) => {
                assert!(matches!(error, PgError::Lost { .. }), "{error:?}");
                assert_eq!(word(cluster, &target).as_deref(), Some("old"));
            }
        }
        assert_eq!(leftovers(cluster, &target), "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_never_arrive_leave_the_old_database_open() {
    let cluster = Cluster::shared();
    create(cluster, "never arrived", "old");
    let server = server_through(cluster, proxy(cluster, Cut::BeforeTheServer).await);
    let error = replace(&server, cluster, "never arrived", &Run::silent()).await.unwrap_err();
    assert!(matches!(error, PgError::Lost { .. }), "{error:?}");
    assert_eq!(word(cluster, "never arrived").as_deref(), Some("old"));
    assert_eq!(leftovers(cluster, "never arrived"), "");
}
