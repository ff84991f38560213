//! The vault service, against a strict fake with a clock of its own.

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use backup_core::aws::{Credentials, Endpoint, Settings};
use backup_core::failure::Failure as _;
use backup_core::run::Run;
use backup_testkit::aws_fake::FakeOptions;
use backup_testkit::faults::{Action, Rule};
use backup_testkit::glacier_fake::GlacierFake;
use glacier_archive::GlacierError;
use glacier_archive::adapters::vault::{JobState, Vault, VaultArchive};
use glacier_archive::class::Tier;
use glacier_archive::tree_hash::TreeHash;

const MEBIBYTE: u64 = 1024 * 1024;

struct World {
    fake: GlacierFake,
    vault: Vault,
    content: Vec<u8>,
    file: Arc<File>,
}

impl World {
    async fn new(bytes: u64) -> Self {
        let fake = GlacierFake::start(&FakeOptions::default()).unwrap();
        let credentials = Credentials::new("111111111111", "testkit");
        let (url, region) = (fake.endpoint().to_owned(), "us-east-1".to_owned());
        let settings = Settings::of_endpoint(&Endpoint { url, region, credentials });
        let vault = Vault::new(&settings, "attachments", &Run::silent());
        vault.create().await.unwrap();
        let content: Vec<u8> = (0..bytes).map(|at| (at % 251 + at / MEBIBYTE) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&content).unwrap();
        Self { fake, vault, content, file: Arc::new(file) }
    }

    async fn upload(&self) -> VaultArchive {
        let upload = self.vault.begin_upload("attachments v1", MEBIBYTE).await.unwrap();
        self.send(&upload).await.unwrap()
    }

    async fn send(&self, upload: &str) -> Result<VaultArchive, GlacierError> {
        self.vault.upload(upload, &self.file, self.content.len() as u64, MEBIBYTE).await
    }

    fn calls(&self, op: &str) -> usize {
        self.fake.log().iter().filter(|call| call.op == op).count()
    }
}

#[tokio::test]
async fn an_archive_goes_there_in_parts_and_comes_back_by_a_job() {
    for bytes in [1, MEBIBYTE, 5 * MEBIBYTE + 7] {
        let world = World::new(bytes).await;
        let archive = world.upload().await;
        assert_eq!(archive.tree_hash, TreeHash::<{ MEBIBYTE as usize }>::of(&world.content));
        assert_eq!(world.calls("UploadArchive"), 0, "always in parts");
        let job = world.vault.request(&archive, None, Tier::Standard, "one").await.unwrap();
        assert_eq!(world.vault.jobs().await.unwrap()[0].state, JobState::Running);
        let early = world.vault.download(&job, &archive, &mut Vec::new()).await;
        assert!(early.is_err(), "not ready yet");
        world.fake.clock().advance(Duration::from_secs(5 * 3600));
        let state = world.vault.jobs().await.unwrap().remove(0).state;
        assert!(matches!(state, JobState::Succeeded { until: Some(_) }), "{state:?}");
        let mut out = Vec::new();
        world.vault.download(&job, &archive, &mut out).await.unwrap();
        assert!(out == world.content, "{bytes}");
    }
}

#[tokio::test]
async fn g9_an_interrupted_upload_sends_only_what_is_missing() {
    let world = World::new(9 * MEBIBYTE).await;
    let upload = world.vault.begin_upload("x", MEBIBYTE).await.unwrap();
    let denied = Action::Status { status: 403, code: "AccessDeniedException".to_owned() };
    world.fake.faults([Rule::new(denied).on("UploadMultipartPart").skip(6).times(1)]);
    let error = world.send(&upload).await.unwrap_err();
    assert!(format!("{:?}", error.remedy()).contains("glacier:UploadMultipartPart"), "{error:?}");
    world.fake.clear_faults();
    let is_part = |call: &&backup_testkit::aws_fake::Call| call.op == "UploadMultipartPart";
    // What was on its way when the one was refused may have arrived or not, or arrives only now.
    let mut before = usize::MAX;
    while before != world.calls("UploadMultipartPart") {
        before = world.calls("UploadMultipartPart");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let stored = world.fake.log().iter().filter(is_part).filter(|call| call.status < 300).count();
    let busy = Action::Status { status: 500, code: "ServiceUnavailableException".to_owned() };
    world.fake.faults([Rule::new(busy).on("UploadMultipartPart").times(1)]);
    let archive = world.send(&upload).await.unwrap();
    let sent = world.calls("UploadMultipartPart") - before;
    assert!(
        stored > 0 && (2..=9 - stored + 1).contains(&sent),
        "{sent} sent, one of them twice; {stored} of nine were there"
    );
    assert_eq!((archive.bytes, world.fake.archives()), (9 * MEBIBYTE, 1));
}

#[tokio::test]
async fn lost_answers_make_one_archive_and_one_job() {
    let world = World::new(2 * MEBIBYTE).await;
    world.fake.faults([
        Rule::new(Action::LoseResponse).on("CompleteMultipartUpload").times(1),
        Rule::new(Action::LoseResponse).on("InitiateJob").times(1),
    ]);
    let upload = world.vault.begin_upload("x", MEBIBYTE).await.unwrap();
    let archive = world.send(&upload).await.unwrap();
    assert_eq!(world.calls("ListParts"), 0, "what was just begun has no parts");
    // A run that was killed before it could note the archive.
    let parts = world.calls("UploadMultipartPart");
    assert_eq!(world.send(&upload).await.unwrap(), archive);
    assert_eq!(world.calls("UploadMultipartPart"), parts, "nothing is sent again");
    assert_eq!(world.calls("ListParts"), 1);
    assert_eq!(world.fake.archives(), 1);
    let job = world.vault.request(&archive, None, Tier::Bulk, "this one").await.unwrap();
    let found = world.vault.find_job("this one").await.unwrap().unwrap();
    assert_eq!((found.id, world.fake.jobs()), (job, 1));
    assert_eq!(world.vault.find_job("another").await.unwrap(), None);
}

#[tokio::test]
async fn g6_bytes_that_change_on_the_way_are_asked_for_again_and_changed_archives_are_refused() {
    let world = World::new(3 * MEBIBYTE).await;
    let archive = world.upload().await;
    let job = world.vault.request(&archive, None, Tier::Expedited, "one").await.unwrap();
    world.fake.clock().advance(Duration::from_secs(300));
    world.fake.faults([Rule::new(Action::FlipLastByte).on("GetJobOutput").times(1)]);
    let mut out = Vec::new();
    world.vault.download(&job, &archive, &mut out).await.unwrap();
    assert!(out == world.content);
    let other = VaultArchive { tree_hash: TreeHash::<{ MEBIBYTE as usize }>::of(b"other"), ..archive };
    let error = world.vault.download(&job, &other, &mut Vec::new()).await.unwrap_err();
    assert!(matches!(error, GlacierError::Damaged { .. }), "{error:?}");
}

#[tokio::test]
async fn what_the_account_cannot_have_is_told_and_not_tried_again() {
    let world = World::new(MEBIBYTE).await;
    let archive = world.upload().await;
    world.fake.settings(|settings| settings.no_expedited = true);
    let error = world.vault.request(&archive, None, Tier::Expedited, "one").await.unwrap_err();
    assert!(matches!(error, GlacierError::NoCapacity { .. }), "{error:?}");
    world.fake.settings(|settings| settings.policy_bytes_max = Some(1));
    let error = world.vault.request(&archive, None, Tier::Bulk, "two").await.unwrap_err();
    assert!(matches!(&error, GlacierError::NoCapacity { why, .. } if why.contains("policy")), "{error:?}");
    assert_eq!((world.calls("InitiateJob"), world.fake.jobs()), (2, 0));
    world.fake.settings(|settings| settings.closed = true);
    let error = world.vault.create().await.unwrap_err();
    assert!(matches!(error, GlacierError::NoVaults { .. }), "{error:?}");
}

#[tokio::test]
async fn jobs_are_found_on_any_page() {
    let world = World::new(1).await;
    let archive = world.upload().await;
    for number in 0..60 {
        world.vault.request(&archive, None, Tier::Bulk, &format!("job {number}")).await.unwrap();
    }
    world.fake.clear_log();
    for number in [0, 31, 59] {
        assert!(world.vault.find_job(&format!("job {number}")).await.unwrap().is_some());
    }
    assert_eq!(world.calls("ListJobs"), 6, "two pages each");
}

/// A page as AWS sent it to mt-aws-glacier.
#[tokio::test]
async fn a_real_page_of_jobs_is_read() {
    use std::io::{Read as _, Write as _};
    let page = include_str!("fixtures/mt-aws-glacier/jobs.json");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 8192]).unwrap();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", page.len());
        stream.write_all(format!("{head}{page}").as_bytes()).unwrap();
    });
    let credentials = Credentials::new("112345678901", "testkit");
    let settings = Settings::of_endpoint(&Endpoint { url, region: "eu-west-1".to_owned(), credentials });
    let jobs = Vault::new(&settings, "xyz", &Run::silent()).jobs().await.unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!(
        jobs[0].id,
        "nx-OpZomma5IAaZTlW4L6pYufG6gLhqRrSC1WN-VJFJyr3qKasY8gduswiIOzGQjfrvYiI8o7NvWmghBaMi-Mh3n_xzq"
    );
    assert_eq!(jobs[0].description, None);
    let until = Some("2013-11-02T22:57:23.968Z".parse().unwrap());
    assert_eq!(jobs[0].state, JobState::Succeeded { until });
}
