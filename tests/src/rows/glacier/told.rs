//! GL21 and GL22: what a queue tells of retrievals, and what a bucket's own rules would do.

use std::time::Duration;

use backup_core::aws::{Credentials, Endpoint, Settings};
use backup_core::lifecycle::{LifecycleAction, LifecycleRule};
use backup_core::store::s3::S3Store;
use backup_testkit::aws_fake::FakeOptions;
use backup_testkit::s3_server::{ACCESS_KEY_ID, BUCKET, REGION, SECRET_ACCESS_KEY};
use backup_testkit::sqs_fake::SqsFake;

use super::{fill, glacier, lose, paid};
use crate::harness::{Place, RowResult, World};
use crate::{ensure, ensure_eq};

/// An event of S3 about an archive that can be read until 2999.
fn finished(key: &str) -> String {
    format!(
        r#"{{"Records":[{{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"ObjectRestore:Completed",
        "s3":{{"bucket":{{"name":"{BUCKET}"}},"object":{{"key":"{key}"}}}},
        "glacierEventData":{{"restoreEventData":{{"lifecycleRestorationExpiryTime":"2999-01-01T00:00:00.000Z"}}}}}}]}}"#
    )
}

/// GL21.
pub(super) async fn by_a_queue(world: &World) -> RowResult {
    fill(world)?;
    glacier(world, &["backup", "--files", "store", "--name", "uploads"]).ok().await?;
    let Place::S3 { peer, prefix } = world.place() else { return Ok(()) };
    let archives: Vec<String> =
        peer.keys().into_iter().filter(|key| key.contains("/bundles/") || key.contains("/archives/")).collect();
    lose(world)?;
    glacier(world, &["catalogue", "rebuild", "uploads"]).ok().await?;
    glacier(world, &["retrieve", "uploads"]).ok().await?.says("Requested 2 archives")?;
    let queue = SqsFake::start(&FakeOptions::default())?;
    let url = queue.url();
    let watch = |extra: &[&str]| {
        let command = glacier(world, &[&["watch", "uploads", "--queue", &url][..], extra].concat());
        command.env("AWS_ENDPOINT_URL_SQS", queue.endpoint())
    };
    for text in [
        r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#.to_owned(),
        finished(&format!("{prefix}/glacier/other/bundles/1")),
        "not ours".to_owned(),
    ] {
        queue.send(text);
    }
    watch(&[]).fails(3).await?.says("pending")?.says("2 messages were left in the queue")?;
    ensure_eq!(queue.bodies().len(), 2, "messages that are still there");
    // Raw events do not count where messages of a topic are expected.
    queue.clock().advance(Duration::from_secs(60));
    queue.send(finished(&archives[0]));
    watch(&["--topic", "arn:aws:sns:us-east-1:111111111111:t"])
        .fails(3)
        .await?
        .says("3 messages were left in the queue")?;
    peer.advance(super::BULK);
    queue.clock().advance(Duration::from_secs(60));
    for archive in archives.iter().chain(&archives) {
        queue.send(finished(archive));
    }
    watch(&["--until-ready"]).ok().await?.says("ready")?;
    ensure_eq!(queue.bodies().len(), 2, "messages that are still there");
    ensure_eq!(paid(world), super::ARCHIVES, "retrievals that were paid");
    watch(&["--topic", "retrieve_archive"]).fails(2).await?.says("ARN")?;
    let unknown = glacier(world, &["watch", "uploads", "--queue", &format!("{}/1/none", queue.endpoint())]);
    let unknown = unknown.env("AWS_ENDPOINT_URL_SQS", queue.endpoint()).run().await?;
    ensure!(unknown.code().is_some_and(|code| code != 0 && code != 3), "a queue that is not there was read");
    unknown.says("/1/none")?;
    Ok(())
}

/// GL22.
pub(super) async fn of_rules(world: &World) -> RowResult {
    fill(world)?;
    let backup = ["backup", "--files", "store", "--name", "uploads"];
    glacier(world, &backup).ok().await?.never_says("lifecycle rule")?;
    // Rules for whole applications, made by the same bucket's owner.
    let rules = ["app", "lifecycle", "uploads", "--expire-after", "30d", "--apply"];
    world.lastgood(rules).ok().await?;
    glacier(world, &backup).ok().await?.never_says("lifecycle rule")?;
    let Place::S3 { peer, prefix } = world.place() else { return Ok(()) };
    let credentials = Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY);
    let (url, region) = (peer.endpoint().to_owned(), REGION.to_owned());
    let bucket = S3Store::new(&Settings::of_endpoint(&Endpoint { url, region, credentials }), BUCKET, prefix)?;
    let folder = "glacier/".to_owned();
    let rule = LifecycleRule { folder: folder.clone(), action: LifecycleAction::Expire { after_days: 30 } };
    bucket.set_lifecycle(&folder, &[rule]).await?;
    for extra in [&["-n"][..], &[]] {
        let said = glacier(world, &backup).args(extra.iter().copied()).ok().await?;
        said.says("lifecycle rule `lastgood expire")?.says("after 30 days")?.says("GLACIER is paid for 90 days")?;
    }
    ensure!(peer.log().iter().any(|call| call.op == "GetBucketLifecycleConfiguration"), "nobody asked for the rules");
    Ok(())
}
