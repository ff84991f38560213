//! Killed, panicking and abandoned at each step.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backup_testkit::postgres::{Cluster, ClusterOptions, Shutdown};
use pg_clone::live::target_lock::TargetLock;
use pg_clone::{PgError, Run};
use tokio::sync::Notify;

use crate::shop::{COMMITTED, RECOVERY, STEPS, create, killed_at, leftovers, mend, replace, run_with, server, word};

/// The steps announced without a live database: there is nothing to drop.
const STEPS_INTO_NEW: usize = STEPS.len() - 1;

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_each_step_recovery_leaves_one_whole_open_database() {
    let _turn = RECOVERY.lock().await;
    let cluster = Cluster::shared();
    let server = server(cluster);
    for (at, step) in STEPS.into_iter().enumerate() {
        let target = format!("killed at {step}");
        create(cluster, &target, "old");
        killed_at(cluster, &target, step);
        let report = mend(&server).await;
        let expected = if at < COMMITTED { "old" } else { "new" };
        assert_eq!(word(cluster, &target).as_deref(), Some(expected), "{step}");
        assert_eq!(leftovers(cluster, &target), "", "{step}");
        assert!(report.notes.iter().any(|note| note.contains(&target)), "{step}: {report:?}");
        replace(&server, cluster, &target, &Run::silent()).await.unwrap();
        assert_eq!(word(cluster, &target).as_deref(), Some("new"), "{step}");
        assert_eq!(leftovers(cluster, &target), "", "{step}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_each_step_of_a_first_restore_there_is_a_whole_database_or_none() {
    let _turn = RECOVERY.lock().await;
    let cluster = Cluster::shared();
    let server = server(cluster);
    for (at, step) in STEPS.into_iter().take(STEPS_INTO_NEW).enumerate() {
        let target = format!("new, killed at {step}");
        killed_at(cluster, &target, step);
        mend(&server).await;
        assert_eq!(word(cluster, &target).as_deref(), (at >= COMMITTED).then_some("new"), "{step}");
        assert_eq!(leftovers(cluster, &target), "", "{step}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_panics_closes_no_door() {
    let _turn = RECOVERY.lock().await;
    let cluster = Cluster::shared();
    let server = server(cluster);
    for (at, step) in STEPS.into_iter().enumerate() {
        let target = format!("panics at {step}");
        create(cluster, &target, "old");
        let run = run_with(step, || panic!("a receiver's own mistake"));
        replace(&server, cluster, &target, &run).await.unwrap_err();
        let expected = if at < COMMITTED { "old" } else { "new" };
        assert_eq!(word(cluster, &target).as_deref(), Some(expected), "{step}");
        mend(&server).await;
        assert_eq!(leftovers(cluster, &target), "", "{step}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_nobody_waits_for_any_more_comes_to_its_end() {
    let cluster = Cluster::shared();
    let server = server(cluster);
    for step in STEPS {
        let target = format!("abandoned at {step}");
        create(cluster, &target, "old");
        let reached = Arc::new(Notify::new());
        let announce = Arc::clone(&reached);
        let run = run_with(step, move || announce.notify_one());
        {
            let replacing = std::pin::pin!(replace(&server, cluster, &target, &run));
            tokio::select! {
                () = reached.notified() => {}
                done = replacing => assert!(done.is_ok(), "{step}: {done:?}"),
            }
        }
        // The lock is free when the swap has ended.
        let begun = Instant::now();
        while TargetLock::acquire(&server, &target).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{step}: the swap never ended");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(word(cluster, &target).as_deref(), Some("new"), "{step}");
        assert_eq!(leftovers(cluster, &target), "", "{step}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_or_restarts_amid_the_swap_comes_back_with_the_old_database_open() {
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start(ClusterOptions::default()).unwrap()));
    let server = server(cluster);
    for (step, crash) in [("swap.terminate", true), ("swap.rename", false), ("swap.rename", true)] {
        let target = format!("crash {crash} at {step}");
        create(cluster, &target, "old");
        let run = run_with(step, move || {
            std::thread::spawn(move || if crash { cluster.kill() } else { cluster.stop(Shutdown::Fast) })
                .join()
                .unwrap()
                .unwrap();
            // Not at once: the swap must find the server away, and try again.
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_secs(1));
                cluster.start_again().unwrap();
            });
        });
        let error = replace(&server, cluster, &target, &run).await.unwrap_err();
        assert!(matches!(error, PgError::Lost { .. }), "{error:?}");
        assert_eq!(word(cluster, &target).as_deref(), Some("old"), "{step}");
        assert_eq!(leftovers(cluster, &target), "", "{step}");
    }
    // Dropped by hand: the shared reference is for closures only, and statics are not dropped.
    cluster.stop(Shutdown::Immediate).unwrap();
}
