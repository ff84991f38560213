//! Finding the store by the environment, as users do: each case in a process of its own.

use std::process::Command;

use backup_core::StoreError;
use backup_core::aws::Settings;
use backup_core::location::Location;
use backup_core::store::s3::S3Store;
use backup_core::store::{PutMode, PutOptions, StoreRead as _, StoreWrite};
use backup_testkit::faults::{Action, Rule};
use backup_testkit::s3_server::{PeerOptions, S3Peer};

/// Runs the ignored test `name` of this file where nothing but `environment` tells of AWS.
fn in_environment(name: &str, environment: &[(&str, String)]) {
    let inherited = std::env::vars_os().filter(|(name, _)| !name.to_string_lossy().starts_with("AWS_"));
    let output = Command::new(std::env::current_exe().expect("this test has a path"))
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env_clear()
        .envs(inherited)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .output()
        .expect("this test can run itself");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

async fn create() -> Result<(), StoreError> {
    let store = "s3://backups/team".parse::<Location>()?.open().await?;
    let key = "x".parse()?;
    store.put(&key, bytes::Bytes::from_static(b"mine"), &PutOptions::new(PutMode::Create)).await
}

#[tokio::test]
#[ignore = "run by the tests below, in its environment"]
async fn child_creates() {
    create().await.unwrap();
}

#[tokio::test]
#[ignore = "run by the tests below, in its environment"]
async fn child_has_no_credentials() {
    let error = create().await.unwrap_err();
    assert!(matches!(error, StoreError::NoCredentials { .. }), "{error:?}");
}

#[tokio::test]
#[ignore = "run by the tests below, in its environment"]
async fn child_asks_once() {
    let settings = Settings::load(None).await;
    assert_eq!(settings.region(), None);
    let store = S3Store::new(&settings, "backups", "team").unwrap();
    let error = store.head(&"x".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error:?}");
}

#[test]
fn no_variable_makes_the_sdk_try_again_and_no_region_is_guessed() {
    let peer = S3Peer::start(PeerOptions::default()).unwrap();
    peer.faults([Rule::new(Action::Status { status: 503, code: "SlowDown".to_owned() })]);
    let mut environment = peer.environment();
    environment.retain(|(name, _)| !name.contains("REGION"));
    let more = [("AWS_MAX_ATTEMPTS", "9"), ("AWS_RETRY_MODE", "adaptive"), ("AWS_EC2_METADATA_DISABLED", "true")];
    environment.extend(more.map(|(name, value)| (name, value.to_owned())));
    in_environment("child_asks_once", &environment);
    assert_eq!(peer.log().len(), 1);
}

#[test]
fn endpoint_region_and_credentials_come_from_the_environment() {
    let peer = S3Peer::start(PeerOptions::default()).unwrap();
    in_environment("child_creates", &peer.environment());
    assert_eq!(peer.object("team/x").unwrap(), "mine");
}

#[test]
fn missing_credentials_are_told_as_such_and_nothing_is_sent() {
    let peer = S3Peer::start(PeerOptions::default()).unwrap();
    let mut environment = peer.environment();
    environment.retain(|(name, _)| !name.contains("KEY"));
    in_environment("child_has_no_credentials", &environment);
    assert_eq!(peer.log(), []);
}
