//! On the fake: what is understood, and what the fake does at the wire.

use std::time::Duration;

use aws_sdk_ec2::error::ProvideErrorMetadata as _;
use aws_sdk_ec2::types::InstanceSpecification;
use backup_core::aws::{RequestError, Settings};
use backup_testkit::ec2_fake::Ec2Fake;
use backup_testkit::faults::{Action, Rule};

use crate::facts::facts;
use crate::settings;

const SHOP: &str = "i-0aaaaaaaaaaaaaaa1";
const IMAGE: &str = "ami-00000000000000001";

fn ec2(settings: &Settings) -> aws_sdk_ec2::Client {
    aws_sdk_ec2::Client::new(settings.sdk())
}

/// What the client understands of the fake: all of it, as AWS's own pages say it is.
pub(crate) async fn understood() -> Vec<String> {
    let fake = Ec2Fake::small().unwrap();
    facts(&settings(fake.endpoint()), IMAGE).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_understands_every_answer() {
    let facts = understood().await;
    let expected = [
        "state: Some(\"running\")",
        "its tags: [\"k=v ü\"]",
        "its description: Some(\"a <description> & more\")",
        "tags after changes: [\"b=2\", \"k=v ü\"]",
        "snapshots by tag:k v*: 1",
        "snapshots by status error: 0",
        "the copy: (Some(\"copy\"), [\"src=x\"])",
        "deleting it in use: \"VolumeInUse\"",
        "shared with: [Some(\"222222222222\")]",
        "a dry run: \"DryRunOperation\"",
        "deleted twice: \"InvalidSnapshot.NotFound\"",
    ];
    for fact in expected {
        assert!(facts.iter().any(|own| own == fact), "{fact} is not among {facts:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_is_pending_then_complete_and_in_the_log() {
    let fake = Ec2Fake::small().unwrap();
    fake.settings(|settings| settings.snapshot_ms = 3_600_000);
    let client = ec2(&settings(fake.endpoint()));
    let specification = InstanceSpecification::builder().instance_id(SHOP).exclude_boot_volume(true).build();
    let set = client.create_snapshots().instance_specification(specification).send().await.unwrap();
    let made = &set.snapshots()[0];
    assert_eq!((set.snapshots().len(), made.state().map(|state| state.as_str())), (1, Some("pending")));
    let state = async || {
        let found = client.describe_snapshots().owner_ids("self").send().await.unwrap();
        found.snapshots()[0].state().map(|state| state.as_str().to_owned())
    };
    assert_eq!(state().await.as_deref(), Some("pending"));
    fake.clock().advance(Duration::from_secs(3600));
    assert_eq!(state().await.as_deref(), Some("completed"));
    let log = fake.log();
    assert_eq!((log[0].op.as_str(), log[0].mutating, log[0].region.as_str()), ("CreateSnapshots", true, "us-east-1"));
    assert_eq!(log[0].key, format!("true {SHOP}"));
    assert!(log[1..].iter().all(|call| !call.mutating && call.account == "111111111111"));
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_what_clients_see_of_aws() {
    let fake = Ec2Fake::small().unwrap();
    let client = ec2(&settings(fake.endpoint()));
    let status = |status: u16, code: &str| Action::Status { status, code: code.to_owned() };
    fake.faults([
        Rule::new(status(503, "RequestLimitExceeded")).on("DescribeRegions").times(1),
        Rule::new(status(403, "UnauthorizedOperation")).on("CreateSnapshot").times(1),
        Rule::new(Action::LoseResponse).on("CreateSnapshot").times(1),
    ]);
    let throttled = client.describe_regions().send().await.unwrap_err();
    assert!(!RequestError::of(&throttled).is_permanent());
    assert!(client.describe_regions().send().await.is_ok());
    let create = || client.create_snapshot().volume_id("vol-0aaaaaaaaaaaaaa12").send();
    let denied = create().await.unwrap_err();
    assert_eq!(denied.code(), Some("UnauthorizedOperation"));
    let message = denied.message().unwrap_or_default();
    assert!(message.contains("ec2:CreateSnapshot") && message.contains("Encoded authorization"), "{message}");
    let lost = create().await.unwrap_err();
    assert!(RequestError::of(&lost).is_ambiguous());
    let found = client.describe_snapshots().owner_ids("self").send().await.unwrap();
    assert_eq!(found.snapshots().len(), 1);
}

/// Systems Manager API reference, "SendCommand" and "GetCommandInvocation": the script is really run, in the folder given.
#[tokio::test(flavor = "multi_thread")]
async fn systems_manager_runs_scripts() {
    let fake = Ec2Fake::small().unwrap();
    let client = aws_sdk_ssm::Client::new(settings(fake.endpoint()).sdk());
    let send = |script: &str| {
        let script = vec![script.to_owned()];
        client
            .send_command()
            .instance_ids(SHOP)
            .document_name("AWS-RunShellScript")
            .parameters("commands", script)
            .send()
    };
    let refused = send("true").await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidInstanceId"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data"), "rows").unwrap();
    fake.settings(|settings| settings.ssm_folder = Some(folder.path().to_owned()));
    for (script, status, code, output) in [("cat data", "Success", 0, "rows"), ("echo no >&2; exit 3", "Failed", 3, "")]
    {
        let sent = send(script).await.unwrap();
        let id = sent.command().and_then(|command| command.command_id()).unwrap().to_owned();
        let ended = loop {
            let got = client.get_command_invocation().command_id(&id).instance_id(SHOP).send().await.unwrap();
            if got.status().is_some_and(|status| status.as_str() != "InProgress") {
                break got;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(ended.status().map(|status| status.as_str()), Some(status));
        assert_eq!((ended.response_code(), ended.standard_output_content()), (code, Some(output)));
    }
}
