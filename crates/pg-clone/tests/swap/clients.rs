//! Clients that reconnect all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backup_testkit::postgres::Cluster;
use pg_clone::{Run, Server};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::shop::{create, leftovers, mark, replace, run_with, server, word};

const CLIENTS: usize = 4;

/// The distinct words a client saw, in order. What it gets instead of an answer is nothing that may not pass.
async fn hammer(server: Server, database: String, stop: Arc<AtomicBool>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let Ok(session) = server.connect_as_application(&database).await else { continue };
        let Ok(row) = session.query_one("SELECT word FROM mark", &[]).await else { continue };
        let word: String = row.get(0);
        if seen.last() != Some(&word) {
            seen.push(word);
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_see_the_old_database_then_the_new_one_and_nothing_else() {
    let cluster = Cluster::shared();
    let server = server(cluster);
    let target = "hammered";
    create(cluster, target, "old");
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(hammer(server.clone(), target.to_owned(), Arc::clone(&stop)));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let report = replace(&server, cluster, target, &Run::silent()).await.unwrap();
    assert!(report.replaced, "{report:?}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::Relaxed);
    while let Some(seen) = clients.join_next().await {
        assert_eq!(seen.unwrap(), ["old", "new"]);
    }
    assert_eq!(leftovers(cluster, target), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_every_kind_end_and_names_of_every_kind_swap() {
    let cluster = Cluster::shared();
    let server = server(cluster);
    let long = "x".repeat(63);
    for target in ["we\"ird é; drop", &long, "%s%n", "a\\'b", "UPPER lower"] {
        create(cluster, target, "old");
        let busy = server.connect_as_application(target).await.unwrap();
        busy.batch_execute("BEGIN; LOCK TABLE mark IN ACCESS EXCLUSIVE MODE").await.unwrap();
        let asleep = server.connect(target).await.unwrap();
        let asleep = tokio::spawn(async move { asleep.batch_execute("SELECT pg_sleep(600)").await });
        let report = replace(&server, cluster, target, &Run::silent()).await.unwrap();
        assert!(report.terminated >= 2, "{target}: {report:?}");
        assert!(busy.batch_execute("SELECT 1").await.is_err(), "{target}");
        assert!(asleep.await.unwrap().is_err(), "{target}");
        assert_eq!(word(cluster, target).as_deref(), Some("new"), "{target}");
        assert_eq!(leftovers(cluster, target), "", "{target}");
    }
}

/// Somebody's lock on the database delays the exchange, which tries again and does not fail.
#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_that_is_held_up_is_tried_again() {
    let cluster = Cluster::shared();
    let server = server(cluster);
    create(cluster, "held up", "old");
    let holder = server.connect("postgres").await.unwrap();
    holder.batch_execute("BEGIN; COMMENT ON DATABASE \"held up\" IS 'in my hands'").await.unwrap();
    let reached = Arc::new(Notify::new());
    let announce = Arc::clone(&reached);
    let run = run_with("swap.rename", move || announce.notify_one());
    let letting_go = async {
        reached.notified().await;
        tokio::time::sleep(Duration::from_millis(60)).await;
        holder.batch_execute("ROLLBACK").await.unwrap();
    };
    let (report, ()) = tokio::join!(replace(&server, cluster, "held up", &run), letting_go);
    assert!(report.unwrap().attempts > 1);
    assert_eq!(word(cluster, "held up").as_deref(), Some("new"));
    assert_eq!(leftovers(cluster, "held up"), "");
}

/// The database every tool connects to first can be replaced too, through `template1`.
#[tokio::test(flavor = "multi_thread")]
async fn postgres_itself_is_replaced() {
    let cluster = Cluster::start(backup_testkit::postgres::ClusterOptions::default()).unwrap();
    let server = server(&cluster);
    mark(&cluster, "postgres", "old");
    replace(&server, &cluster, "postgres", &Run::silent()).await.unwrap();
    assert_eq!(word(&cluster, "postgres").as_deref(), Some("new"));
    assert_eq!(leftovers(&cluster, "postgres"), "");
}
