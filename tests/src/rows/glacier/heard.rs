//! GL24: a vault's topic tells a queue that jobs have finished.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backup_testkit::aws_fake::FakeOptions;
use backup_testkit::sns_fake::{SnsFake, Subscriber};
use backup_testkit::sqs_fake::SqsFake;
use jiff::{SignedDuration, Timestamp};

use super::shared::{ARCHIVES, BULK, check, fill, lose};
use super::vault::{ACCOUNT, BACKUP, Service, VAULT};
use crate::harness::command::Lastgood;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

const TOPIC: &str = "arn:aws:sns:us-east-1:111111111111:retrieve_archive";

/// How long ago everything began: the jobs end before the machine's clock, which judges messages.
const AGO: SignedDuration = SignedDuration::from_hours(13);

/// Less than the shortest pause between two polls, three quarters of a minute: whoever knows it before was told.
const TOLD_WITHIN: Duration = Duration::from_secs(40);

/// The service, a topic that its vault tells, and a queue.
struct Told {
    service: Service,
    topic: Arc<SnsFake>,
    queue: SqsFake,
}

impl Told {
    fn start() -> RowResult<Self> {
        let now = Some(Timestamp::now() - AGO);
        let service = Service::at(&FakeOptions { now, ..FakeOptions::default() })?;
        let topic = Arc::new(SnsFake::new(TOPIC, service.fake().clock().clone())?);
        service.fake().connect(topic.clone());
        service.fake().notify(ACCOUNT, backup_testkit::s3_server::REGION, VAULT, TOPIC);
        Ok(Self { service, topic, queue: SqsFake::start(&FakeOptions::default())? })
    }

    fn watch<'w>(&self, world: &'w World, extra: &[&str]) -> Lastgood<'w> {
        let url = self.queue.url();
        let words = [&["watch", "uploads", "--queue", &url][..], extra].concat();
        self.service.glacier(world, &words).env("AWS_ENDPOINT_URL_SQS", self.queue.endpoint())
    }
}

/// GL24.
pub(super) async fn of_jobs(world: &World) -> RowResult {
    let (files, told) = (fill(world)?, Told::start()?);
    let run = |verb: &'static [&'static str]| told.service.glacier(world, verb);
    run(&BACKUP).ok().await?;
    lose(world)?;
    run(&["catalogue", "rebuild", "uploads"]).ok().await?;
    run(&["retrieve", "uploads"]).ok().await?.says("Requested 2 archives")?;
    // Messages that SNS signed count only for whoever names the topic.
    told.topic.subscribe(Subscriber::Queue { inbox: told.queue.inbox(), raw: false })?;
    told.topic.publish("something else")?;
    told.watch(world, &[]).fails(3).await?.says("pending")?.says("1 message was left in the queue")?;
    ensure_eq!(told.queue.bodies().len(), 1, "messages that are still there");
    // With raw message delivery the queue gets what the vault says, and its policy decides who may send that.
    told.topic.subscribe(Subscriber::Queue { inbox: told.queue.inbox(), raw: true })?;
    let mut waiting = told.watch(world, &["--until-ready"]).env("LASTGOOD_PROGRESS", "json").start()?;
    waiting.wait_for("glacier.wait").await?;
    told.service.fake().clock().advance(BULK);
    ensure_eq!(told.service.fake().tell()?, 2 * ARCHIVES, "messages");
    let begun = Instant::now();
    waiting.finish().await?.expect_code(0)?.says("ready")?;
    ensure!(begun.elapsed() < TOLD_WITHIN, "it was not told, but asked after {} s", begun.elapsed().as_secs());
    ensure_eq!(told.queue.bodies().len(), 1 + ARCHIVES, "signed messages, which are still there");
    // What is heard twice has no effect.
    told.queue.clock().advance(Duration::from_secs(60));
    told.watch(world, &["--once"]).ok().await?.says("ready")?.says("messages were left in the queue")?;
    run(&["fetch", "uploads"]).ok().await?.says("Fetched 3 contents")?;
    run(&["restore", "uploads", "--files", "store"]).ok().await?;
    ensure_eq!(told.service.fake().jobs(), ARCHIVES, "jobs that were paid");
    check(world, &files)
}
