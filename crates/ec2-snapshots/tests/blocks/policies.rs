//! The policies in `examples/iam`: each allows what its operation calls, and nothing that it does not.

use std::collections::BTreeSet;

use backup_testkit::iam::Policy;
use ec2_snapshots::Ec2Error;
use ec2_snapshots::blocks::{ImportOptions, Parent, Sample, VerifyOptions, import, plan_import, verify};

use crate::world::World;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/iam");

fn policy(name: &str) -> Policy {
    serde_json::from_slice(&std::fs::read(format!("{FOLDER}/{name}.json")).unwrap()).unwrap()
}

/// What a policy allows of EBS direct.
fn direct(policy: &Policy) -> BTreeSet<String> {
    policy.actions().into_iter().filter(|action| action.starts_with("ebs:")).collect()
}

fn called(world: &World) -> BTreeSet<String> {
    world.fake.log().iter().map(|call| format!("{}:{}", call.service, call.op)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_the_rights_it_needs_and_no_others() {
    let world = World::new().await;
    let policy = policy("export");
    world.fake.policy(Some(policy.clone()));
    let first = world.snapshot("snap-0000000a");
    world.export(&first, &Parent::Newest).await.unwrap();
    let second = world.snapshot("snap-0000000b");
    world.export(&second, &Parent::Newest).await.unwrap();
    assert_eq!(called(&world), direct(&policy));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_has_the_rights_it_needs_and_no_others() {
    let world = World::new().await;
    let policy = policy("verify");
    world.fake.policy(Some(policy.clone()));
    world.snapshot("snap-0000000a");
    let replica = world.replica("snap-0000000b", |_| {});
    let options = VerifyOptions { snapshot: "snap-0000000a".into(), replica, sample: Sample::All, seed: 7 };
    assert!(verify(&world.here, &world.there, &options, &world.run).await.unwrap().is_equal());
    assert_eq!(called(&world), direct(&policy));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_has_the_rights_it_needs_and_no_others() {
    let world = World::new().await;
    let snapshot = world.snapshot("snap-0000000a");
    world.export(&snapshot, &Parent::Newest).await.unwrap();
    let policy = policy("import");
    world.fake.policy(Some(policy.clone()));
    world.fake.clear_log();
    let options =
        ImportOptions { parent: None, encrypted: false, kms_key: None, description: None, timeout_minutes: 60 };
    let plan = plan_import(&world.store, world.stored(&snapshot.id).await, None, &options).await.unwrap();
    import(&world.there, &world.store, &plan, &world.run).await.unwrap();
    assert_eq!(called(&world), direct(&policy));

    // The snapshot is tagged as it is made, which is a right of its own.
    world.fake.policy(Some(self::policy("verify")));
    let error = import(&world.there, &world.store, &plan, &world.run).await.unwrap_err();
    assert!(matches!(&error, Ec2Error::Denied { source } if source.action == "ebs:StartSnapshot"), "{error}");
}

#[test]
fn every_policy_can_be_read_and_allows_nothing_by_a_wildcard() {
    let mut count = 0;
    for entry in std::fs::read_dir(FOLDER).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        count += 1;
        let policy: Policy = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert!(policy.actions().iter().all(|action| !action.contains('*')), "{}", path.display());
        let readme = std::fs::read_to_string(format!("{FOLDER}/README.md")).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(readme.contains(&name), "{name} is not in the README");
    }
    assert!(count >= 3);
}
