//! A vault tells its topic of finished jobs, and the topic tells a queue and an application.

use std::time::Duration;

use backup_core::aws::{Credentials, Endpoint as AwsEndpoint, Settings};
use backup_testkit::aws_fake::FakeOptions;
use backup_testkit::sns_fake::Subscriber;
use backup_testkit::sqs_fake::SqsFake;
use glacier_archive::adapters::sqs::SqsQueue;
use glacier_archive::endpoint::Endpoint;
use glacier_archive::lifecycle::Phase;
use glacier_archive::listener::{Heard, Listener, Place, Trust};
use glacier_archive::pattern::Only;
use glacier_archive::plan::Limits;
use glacier_archive::queue::drain;
use glacier_archive::sns::Verifier;
use glacier_archive::state::State;

use super::serve::serve;
use super::sns::{SnsSigner, TOPIC};
use super::world::{ACCOUNT, NAME, REGION, VAULT, World, hours};

fn listener(world: &World, trust: Trust) -> Listener {
    Listener::new(trust, Place::Vault { name: VAULT.to_owned() }, world.run())
}

fn verified(signer: &SnsSigner) -> Trust {
    Trust::Topic(Verifier::new(TOPIC, signer.roots(), signer.pages.clone()))
}

fn reader(world: &World, queue: &SqsFake) -> SqsQueue {
    let credentials = Credentials::new(ACCOUNT, "testkit");
    let (url, region) = (queue.endpoint().to_owned(), REGION.to_owned());
    let settings = Settings::of_endpoint(&AwsEndpoint { url, region, credentials });
    SqsQueue::new(&settings, &queue.url(), &world.run())
}

/// What is known of each retrieval.
fn phases(world: &World) -> Vec<Phase> {
    world.state().catalogue().retrievals().unwrap().values().map(|known| known.phase).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_of_a_vault_tells_a_queue_and_an_application_and_each_thing_counts_once() {
    let (world, queue) = (World::new().await, SqsFake::start(&FakeOptions::default()).unwrap());
    world.fill();
    world.backup().await.unwrap();
    let signer = SnsSigner::at(world.fake.clock().clone());
    world.fake.connect(signer.fake.clone());
    world.fake.notify(ACCOUNT, REGION, VAULT, TOPIC);
    signer.fake.subscribe(Subscriber::Queue { inbox: queue.inbox(), raw: false }).unwrap();
    let folder = world.folder();
    let open = move || State::open(&folder, NAME, "mem:")?.locked();
    let endpoint = Endpoint::new(listener(&world, verified(&signer)), open);
    let address = serve(endpoint).await;

    world.retrieve(&Only::default(), Limits::default()).await.unwrap();
    // It posts, and waits for the application's answer.
    let tell = || tokio::task::block_in_place(|| world.fake.tell().unwrap());
    assert_eq!(tell(), 0, "nothing has finished");
    let application = Subscriber::Address(format!("http://{address}/"));
    tokio::task::block_in_place(|| signer.fake.subscribe(application)).unwrap();
    assert_eq!(signer.pages.asked().last(), Some(&signer.link()), "the application confirmed its subscription");
    world.pass(hours(12));
    assert_eq!(tell(), 4, "two jobs, to both");
    assert_eq!(phases(&world), [Phase::Ready, Phase::Ready], "the application heard of both");

    let sqs = reader(&world, &queue);
    let (state, run) = (world.state(), world.run());
    // Nobody believes messages of SNS whose topic is not named.
    let unnamed = drain(&sqs, &listener(&world, Trust::Sender), &state, Duration::ZERO, &run).await.unwrap();
    assert_eq!((unnamed.deleted, unnamed.left), (0, 2));
    queue.clock().advance(Duration::from_secs(60));
    let named = drain(&sqs, &listener(&world, verified(&signer)), &state, Duration::ZERO, &run).await.unwrap();
    assert_eq!((named.deleted, named.heard), (2, Heard { unchanged: 2, ..Heard::default() }), "{named:?}");
    assert!(queue.bodies().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_is_told_by_its_topic_and_with_raw_delivery_the_queue_decides_who_is_believed() {
    let (world, queue) = (World::new().await, SqsFake::start(&FakeOptions::default()).unwrap());
    world.fill();
    world.backup().await.unwrap();
    let signer = SnsSigner::at(world.fake.clock().clone());
    world.fake.connect(signer.fake.clone());
    world.fake.notify(ACCOUNT, REGION, VAULT, TOPIC);
    signer.fake.subscribe(Subscriber::Queue { inbox: queue.inbox(), raw: true }).unwrap();
    world.fake.settings(|settings| settings.jobs_fail = true);
    world.retrieve(&Only::default(), Limits::default()).await.unwrap();
    world.pass(hours(12));
    assert_eq!(world.fake.tell().unwrap(), 2);
    let sqs = reader(&world, &queue);
    let (state, run) = (world.state(), world.run());
    let heard = drain(&sqs, &listener(&world, Trust::Sender), &state, Duration::ZERO, &run).await.unwrap().heard;
    assert_eq!(heard, Heard { kept: 2, ..Heard::default() });
    drop(state);
    assert_eq!(phases(&world), [Phase::Available, Phase::Available], "failed is not ready");
}
