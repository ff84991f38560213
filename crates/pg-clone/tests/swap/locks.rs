//! One restore of a database at a time.

use backup_testkit::postgres::Cluster;
use pg_clone::PgError;
use pg_clone::live::state::{target_number, temporary_name};
use pg_clone::live::target_lock::TargetLock;
use pg_clone::live::temporary::Temporary;

use crate::shop::{RECOVERY, leftovers, mend, server};

/// The first half of the lock's key, which other versions must share.
const LOCK_CLASS: i32 = 0x6c67_7067;

#[tokio::test(flavor = "multi_thread")]
async fn p14_a_second_restore_is_told_who_holds_the_lock() {
    let server = server(Cluster::shared());
    let held = TargetLock::acquire(&server, "locked").await.unwrap();
    let other = TargetLock::acquire(&server, "another").await.unwrap();
    let error = TargetLock::acquire(&server, "locked").await.unwrap_err();
    assert!(matches!(&error, PgError::Locked { holder, .. } if holder.contains("server process")), "{error:?}");
    drop((held, other));
    let mut attempts = 0;
    while TargetLock::acquire(&server, "locked").await.is_err() {
        attempts += 1;
        assert!(attempts < 500, "the lock outlives its holder");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Advisory locks belong to a database: one that was taken in `template1` must count as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_held_in_another_database_counts() {
    let server = server(Cluster::shared());
    let number = i32::from_ne_bytes(target_number("locked elsewhere").to_ne_bytes());
    let holder = server.connect("template1").await.unwrap();
    holder.query_one("SELECT pg_try_advisory_lock($1, $2)", &[&LOCK_CLASS, &number]).await.unwrap();
    let error = TargetLock::acquire(&server, "locked elsewhere").await.unwrap_err();
    assert!(matches!(&error, PgError::Locked { holder, .. } if holder.contains("server process")), "{error:?}");
    holder.batch_execute("SELECT pg_advisory_unlock_all()").await.unwrap();
    TargetLock::acquire(&server, "locked elsewhere").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_leaves_a_running_restore_alone() {
    let _turn = RECOVERY.lock().await;
    let cluster = Cluster::shared();
    let server = server(cluster);
    let lock = TargetLock::acquire(&server, "running").await.unwrap();
    let copy = Temporary::create(&lock, "a dump", None).await.unwrap();
    let report = mend(&server).await;
    assert!(report.notes.iter().any(|note| note.contains("`running` is running")), "{report:?}");
    assert_eq!(leftovers(cluster, "running"), copy.name());
    drop(lock);
    mend(&server).await;
    assert_eq!(leftovers(cluster, "running"), "");
}

/// What a killed run was creating shows only when the server is done with it.
#[tokio::test(flavor = "multi_thread")]
async fn recovery_waits_for_a_database_that_is_being_created() {
    let _turn = RECOVERY.lock().await;
    let cluster = Cluster::shared();
    let server = server(cluster);
    let number = i32::from_ne_bytes(target_number("being created").to_ne_bytes());
    let killed = server.connect("postgres").await.unwrap();
    killed.query_one("SELECT pg_try_advisory_lock($1, $2)", &[&LOCK_CLASS, &number]).await.unwrap();
    let create = format!("CREATE DATABASE {}", temporary_name("being created"));
    let creating = tokio::spawn(async move {
        killed.batch_execute("SELECT pg_sleep(0.5)").await.unwrap();
        killed.batch_execute(&create).await.unwrap();
    });
    mend(&server).await;
    creating.await.unwrap();
    assert_eq!(leftovers(cluster, "being created"), "");
}
