//! Notifications end to end: posted by HTTP, or read from a queue, signed by an authority of the test's own.

#[path = "notifications/serve.rs"]
mod serve;
#[path = "notifications/sns.rs"]
mod sns;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backup_core::aws::{Credentials, Endpoint as AwsEndpoint, Settings};
use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use backup_core::run::Run;
use backup_testkit::aws_fake::FakeOptions;
use backup_testkit::faults::{Action, Rule};
use backup_testkit::sqs_fake::SqsFake;
use glacier_archive::adapters::https::HttpsFetch;
use glacier_archive::adapters::sqs::SqsQueue;
use glacier_archive::catalogue::Archive;
use glacier_archive::class::{Class, Tier};
use glacier_archive::endpoint::Endpoint;
use glacier_archive::lifecycle::{Event, Phase, Retrieval};
use glacier_archive::listener::{Heard, Listener, Place, Trust};
use glacier_archive::poll::observe;
use glacier_archive::queue::{Drained, drain};
use glacier_archive::sns::{Fetch as _, Verifier};
use glacier_archive::state::State;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use self::serve::serve;
use self::sns::{SnsSigner, TOPIC};

const KEY: &str = "glacier/x/bundles/1";

fn folder_state(folder: &Path) -> State {
    State::open(&folder.join("state"), "x", "mem:").unwrap()
}

/// A machine that waits for one retrieval.
struct World {
    folder: tempfile::TempDir,
    signer: SnsSigner,
}

impl World {
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap(), signer: SnsSigner::new() };
        let (state, now) = (world.state().locked().unwrap(), Run::silent().clock.now());
        let archive = Archive {
            key: Key::new(KEY).unwrap(),
            role: "bundle".to_owned(),
            bytes: 3,
            sha256: Sha256Digest::of(b"abc"),
            class: Some(Class::Glacier),
            stored: Some(now),
        };
        state.catalogue().add(Some(&archive), &[]).unwrap();
        let mut known = Retrieval::default();
        for event in [Event::Intended { tier: Tier::Bulk, expected: now }, Event::Accepted { job: None }] {
            known = observe(&state, &archive.key, &known, &event, now).unwrap();
        }
        world
    }

    fn state(&self) -> State {
        folder_state(self.folder.path())
    }

    fn phase(&self) -> Phase {
        self.state().catalogue().retrievals().unwrap()[&Key::new(KEY).unwrap()].phase
    }

    fn listener(&self, trust: Trust) -> Listener {
        let place = Place::Bucket { bucket: "b".to_owned(), prefix: "team".to_owned() };
        Listener::new(trust, place, Run::silent())
    }

    fn verified(&self) -> Listener {
        let pages = self.signer.pages.clone();
        self.listener(Trust::Topic(Verifier::new(TOPIC, self.signer.roots(), pages)))
    }

    /// Serves the router as an application would; what is posted is answered with a status.
    async fn serve(&self) -> Posts {
        let folder: PathBuf = self.folder.path().to_owned();
        let endpoint = Endpoint::new(self.verified(), move || folder_state(&folder).locked());
        let address = serve(endpoint).await;
        Posts(address)
    }
}

struct Posts(SocketAddr);

impl Posts {
    async fn post(&self, text: &str) -> u16 {
        let mut stream = tokio::net::TcpStream::connect(self.0).await.unwrap();
        let head = format!(
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            text.len()
        );
        stream.write_all(format!("{head}{text}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

fn finished(until: &str) -> String {
    format!(
        r#"{{"Records":[{{"eventSource":"aws:s3","eventName":"ObjectRestore:Completed",
        "s3":{{"bucket":{{"name":"b"}},"object":{{"key":"team/{KEY}"}}}},
        "glacierEventData":{{"restoreEventData":{{"lifecycleRestorationExpiryTime":"{until}"}}}}}}]}}"#
    )
}

const LATER: &str = "2999-01-01T00:00:00Z";

#[tokio::test]
async fn what_sns_posts_is_kept_once() {
    let world = World::new();
    let posts = world.serve().await;
    let message = world.signer.notification(TOPIC, &finished(LATER));
    assert_eq!((posts.post(&message).await, world.phase()), (200, Phase::Ready));
    let before = world.state().catalogue().retrievals().unwrap();
    assert_eq!(posts.post(&message).await, 200, "replayed");
    assert_eq!(world.state().catalogue().retrievals().unwrap(), before, "no effect");
}

#[tokio::test]
async fn forged_messages_get_403_and_nothing_is_fetched_for_them() {
    let world = World::new();
    let posts = world.serve().await;
    let real = world.signer.notification(TOPIC, &finished(LATER));
    let certificate = world.signer.url.clone();
    for (text, expected) in [
        (world.signer.notification("arn:aws:sns:us-east-1:1:other", &finished(LATER)), 403),
        (real.replace(&certificate, "https://evil.example/?amazonaws.com/"), 403),
        (real.replace(&certificate, &certificate.replace("https", "http")), 403),
        (world.signer.confirmation("https://evil.example/?amazonaws.com/"), 403),
        ("Hello world".to_owned(), 400),
        (finished(LATER), 400),
    ] {
        assert_eq!(posts.post(&text).await, expected, "{text}");
    }
    assert!(world.signer.pages.asked().is_empty(), "{:?}", world.signer.pages.asked());
    // These are refused only after looking at the certificate.
    for text in [
        real.replace("ObjectRestore:Completed", "ObjectRestore:Complete_"),
        SnsSigner::new().notification(TOPIC, &finished(LATER)),
    ] {
        assert_eq!(posts.post(&text).await, 403);
    }
    assert_eq!(world.phase(), Phase::Pending);
    assert_eq!(posts.post(&"x".repeat(600 * 1024)).await, 413);
}

#[tokio::test]
async fn what_cannot_be_decided_or_kept_now_is_asked_for_again() {
    let world = World::new();
    let posts = world.serve().await;
    let message = world.signer.notification(TOPIC, &finished(LATER));
    let held = world.state().locked().unwrap();
    assert_eq!(posts.post(&message).await, 503, "another process changes the catalogue");
    drop(held);
    world.signer.pages.fail(true);
    let elsewhere = world.serve().await;
    assert_eq!(elsewhere.post(&message).await, 503, "its certificate cannot be had");
    world.signer.pages.fail(false);
    assert_eq!((elsewhere.post(&message).await, world.phase()), (200, Phase::Ready));
}

#[tokio::test]
async fn a_subscription_is_confirmed_by_its_link() {
    let world = World::new();
    let posts = world.serve().await;
    let link = world.signer.link();
    assert_eq!(posts.post(&world.signer.confirmation(&link)).await, 200);
    assert_eq!(world.signer.pages.asked().last(), Some(&link));
}

fn queue(fake: &SqsFake, url: &str) -> SqsQueue {
    let credentials = Credentials::new("111111111111", "testkit");
    let (endpoint, region) = (fake.endpoint().to_owned(), "us-east-1".to_owned());
    SqsQueue::new(&Settings::of_endpoint(&AwsEndpoint { url: endpoint, region, credentials }), url, &Run::silent())
}

#[tokio::test]
async fn a_queue_is_read_empty_but_for_what_is_not_ours() {
    let (world, fake) = (World::new(), SqsFake::start(&FakeOptions::default()).unwrap());
    let others: Vec<String> =
        (0..25).map(|at| finished(LATER).replace("bundles/1", &format!("bundles/other{at}"))).collect();
    for other in &others {
        fake.send(other);
    }
    let test = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#;
    for text in [finished(LATER), finished(LATER), test.to_owned()] {
        fake.send(text);
    }
    fake.send("what somebody else put there");
    let busy = Action::Status { status: 503, code: "ServiceUnavailable".to_owned() };
    fake.faults([Rule { op: Some("ReceiveMessage".to_owned()), times: 1, ..Rule::new(busy) }]);
    let (state, listener) = (world.state().locked().unwrap(), world.listener(Trust::Sender));
    let queue = queue(&fake, &fake.url());
    let drained = drain(&queue, &listener, &state, Duration::ZERO, &Run::silent()).await.unwrap();
    let Drained { deleted, left, heard, reasons } = drained;
    assert_eq!((deleted, left), (3, 26));
    assert_eq!(heard, Heard { kept: 1, unchanged: 1, foreign: 0 });
    assert_eq!(reasons.len(), 10, "the first of them");
    assert_eq!(world.phase(), Phase::Ready);
    assert_eq!(fake.bodies().len(), 26, "for whoever they are meant for");
}

#[tokio::test]
async fn with_a_topic_only_what_sns_signed_counts() {
    let (world, fake) = (World::new(), SqsFake::start(&FakeOptions::default()).unwrap());
    fake.send(finished(LATER));
    fake.send(SnsSigner::new().notification(TOPIC, &finished(LATER)));
    let (state, queue) = (world.state().locked().unwrap(), queue(&fake, &fake.url()));
    let run = Run::silent();
    let drained = drain(&queue, &world.verified(), &state, Duration::ZERO, &run).await.unwrap();
    assert_eq!((drained.deleted, drained.left, world.phase()), (0, 2, Phase::Pending));
    fake.send(world.signer.notification(TOPIC, &finished(LATER)));
    let drained = drain(&queue, &world.verified(), &state, Duration::ZERO, &run).await.unwrap();
    assert_eq!((drained.deleted, world.phase()), (1, Phase::Ready));
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_named() {
    let (world, fake) = (World::new(), SqsFake::start(&FakeOptions::default()).unwrap());
    let state = world.state().locked().unwrap();
    let url = format!("{}/111111111111/other", fake.endpoint());
    let error =
        drain(&queue(&fake, &url), &world.listener(Trust::Sender), &state, Duration::ZERO, &Run::silent()).await;
    assert!(error.unwrap_err().to_string().contains("/other"));
}

/// Answers every request with this.
async fn answering(answer: String) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://{address}/a.pem")
}

#[tokio::test]
async fn redirects_are_not_followed_and_long_answers_not_read() {
    let fetch = HttpsFetch::new().unwrap();
    let good = answering("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody".to_owned()).await;
    assert_eq!(fetch.fetch(&good).await.unwrap(), "body");
    let elsewhere = format!("HTTP/1.1 302 Found\r\nlocation: {good}\r\ncontent-length: 0\r\n\r\n");
    let redirected = fetch.fetch(&answering(elsewhere).await).await.unwrap_err();
    assert!(redirected.to_string().contains("302"), "{redirected}");
    let long = format!("HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n{}", "x".repeat(300_000));
    fetch.fetch(&answering(long).await).await.unwrap_err();
}
