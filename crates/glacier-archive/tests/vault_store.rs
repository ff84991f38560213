//! Archives in a vault, beside a location that is read at once.

#[path = "notifications/serve.rs"]
mod serve;
#[expect(dead_code, reason = "the tests of notifications forge messages, too")]
#[path = "notifications/sns.rs"]
mod sns;
#[path = "vault_store/told.rs"]
mod told;
#[path = "vault_store/world.rs"]
mod world;

use std::sync::Arc;

use backup_core::clock::SignedDuration;
use backup_core::key::Key;
use backup_core::retention::{Policy, Rule};
use backup_core::store::SharedStore;
use backup_testkit::faults::{Action, Rule as Fault};
use glacier_archive::GlacierError;
use glacier_archive::adapters::vault::InventoryFile;
use glacier_archive::audit::{Share, audit};
use glacier_archive::backup::publish_recovered;
use glacier_archive::class::{Class, Tier};
use glacier_archive::inventory;
use glacier_archive::jobs::jobs;
use glacier_archive::lifecycle::{Phase, Status};
use glacier_archive::money::Usd;
use glacier_archive::pattern::Only;
use glacier_archive::plan::Limits;
use glacier_archive::poll;
use glacier_archive::prune::{Deletion, Which};
use glacier_archive::rebuild::rebuild;
use glacier_archive::reconcile::{Comparison, Reconciled, inventoried, known};
use glacier_archive::recover::{Recovered, recover};
use glacier_archive::retrieve::ask_for;
use glacier_archive::vaulted::{Described, Vaulted};
use world::{NAME, World, hours};

#[tokio::test]
async fn everything_is_lost_and_comes_back_from_the_vault() {
    let world = World::new().await;
    let files = world.fill();
    let written = world.backup().await.unwrap();
    assert_eq!((written.objects, world.fake.archives(), written.warning), (2, 2, None));
    assert_eq!(world.calls("UploadArchive"), 0, "always in parts");
    assert_eq!(world.backup().await.unwrap().objects, 0, "each once");
    world.lose(&["files", "state"]);
    rebuild(&world.hot, &world.state(), NAME, &world.run()).await.unwrap();
    assert_eq!(world.watch().await.status, Status::Available);
    let asked = world.retrieve(&Only::default(), Limits::default()).await.unwrap();
    assert_eq!((asked.requested, asked.plan.days), (2, 1), "output stays for a day");
    assert_eq!(world.watch().await.status, Status::Pending);
    assert_eq!(world.retrieve(&Only::default(), Limits::default()).await.unwrap().requested, 0);
    assert_eq!(world.fake.jobs(), 2, "nothing is paid twice");
    world.pass(hours(12));
    assert_eq!(world.watch().await.status, Status::Ready);
    assert!(world.fetch().await.is_complete());
    world.restore().await;
    world.check(&files);
    assert_eq!(world.backup().await.unwrap().objects, 0);
}

#[tokio::test]
async fn g9_an_interrupted_run_sends_only_what_is_missing_and_lost_answers_make_one_archive() {
    let world = World::new().await;
    world.fill();
    let denied = Action::Status { status: 403, code: "AccessDeniedException".to_owned() };
    world.fake.faults([Fault::new(denied).on("UploadMultipartPart").skip(3).times(1)]);
    world.backup().await.unwrap_err();
    world.fake.clear_faults();
    let sent = world.calls("UploadMultipartPart");
    world.fake.faults([Fault::new(Action::LoseResponse).on("CompleteMultipartUpload").times(1)]);
    world.backup().await.unwrap();
    assert_eq!(world.fake.archives(), 2, "one of a bundle and one of a file");
    let again = world.calls("UploadMultipartPart") - sent;
    // Three of 8 MiB and one of a bundle; some arrived, and one was refused.
    assert!(again < 4, "{again} parts were sent again");
    assert_eq!(world.backup().await.unwrap().objects, 0);
}

#[tokio::test]
async fn lost_answers_to_requests_make_one_job_each() {
    let world = World::new().await;
    world.fill();
    world.backup().await.unwrap();
    world.fake.faults([Fault::new(Action::LoseResponse).on("InitiateJob").times(2)]);
    let asked = world.retrieve(&Only::default(), Limits::default()).await.unwrap();
    assert_eq!((asked.requested, world.fake.jobs()), (2, 2));
    // A machine that lost its catalogue sees what was requested.
    world.lose(&["state"]);
    assert_eq!(world.retrieve(&Only::default(), Limits::default()).await.unwrap().requested, 0);
    assert_eq!(world.fake.jobs(), 2);
}

#[tokio::test]
async fn a_job_that_failed_is_told_and_keeps_nothing_else_back() {
    let world = World::new().await;
    let files = world.fill();
    world.backup().await.unwrap();
    world.fake.settings(|settings| settings.jobs_fail = true);
    world.retrieve(&Only::of(vec!["large.bin".to_owned()]), Limits::default()).await.unwrap();
    world.fake.settings(|settings| settings.jobs_fail = false);
    world.retrieve(&Only::default(), Limits::default()).await.unwrap();
    assert_eq!(world.fake.jobs(), 2);
    world.pass(hours(13));
    let standing = world.watch().await;
    let large = standing.files.iter().find(|file| file.name == "large.bin").unwrap();
    assert_eq!((large.status, large.reason.as_deref()), (Status::Available, Some("Failed")));
    let fetched = world.fetch().await;
    assert_eq!((fetched.contents, fetched.missing.get(&Status::Available)), (2, Some(&1)), "the rest is fetched");
    world.retrieve(&Only::default(), Limits::default()).await.unwrap();
    assert_eq!(world.fake.jobs(), 3, "only the failed one is paid for again");
    world.pass(hours(13));
    world.lose(&["files"]);
    assert!(world.fetch().await.is_complete());
    world.restore().await;
    world.check(&files);
}

/// More jobs than one page lists.
#[tokio::test]
async fn one_of_many_fails_and_all_others_are_fetched() {
    const FILES: usize = 120;
    let mut world = World::new().await;
    world.settings.bundles = false;
    for number in 0..FILES {
        world.write(&format!("{number:03}"), number.to_string().as_bytes());
    }
    assert_eq!(world.backup().await.unwrap().objects, FILES as u64);
    world.fake.settings(|settings| settings.jobs_fail = true);
    world.retrieve(&Only::of(vec!["077".to_owned()]), Limits::default()).await.unwrap();
    world.fake.settings(|settings| settings.jobs_fail = false);
    assert_eq!(world.retrieve(&Only::default(), Limits::default()).await.unwrap().requested, FILES as u64 - 1);
    world.pass(hours(13));
    world.fake.clear_log();
    let fetched = world.fetch().await;
    assert_eq!((fetched.contents, fetched.missing.get(&Status::Available)), (FILES as u64 - 1, Some(&1)));
    assert_eq!(world.calls("ListJobs"), 3, "a page is fifty jobs, and is asked for once");
    let state = world.state();
    let listed = jobs(&world.store(&state).await, &state, NAME, false, &world.run()).await.unwrap();
    let failed: Vec<_> = listed.iter().filter(|job| job.phase == Phase::Available).collect();
    assert_eq!((failed.len(), failed[0].reason.as_deref()), (1, Some("Failed")), "it is not forgotten");
}

#[tokio::test]
async fn refusals_stay_available_and_limits_are_final() {
    let world = World::new().await;
    world.fill();
    world.backup().await.unwrap();
    let expedited = Limits { tier: Some(Tier::Expedited), ..Limits::default() };
    world.fake.settings(|settings| settings.no_expedited = true);
    let error = world.retrieve(&Only::default(), expedited).await.unwrap_err();
    assert!(matches!(error, GlacierError::NoCapacity { .. }), "{error}");
    assert_eq!(world.watch().await.status, Status::Available, "never another tier by itself");
    world.fake.settings(|settings| settings.policy_bytes_max = Some(5 << 20));
    let asked = world.retrieve(&Only::default(), Limits::default()).await.unwrap();
    assert_eq!((asked.requested, asked.failed.len()), (1, 1));
    assert!(asked.failed[0].what.contains("policy"), "{:?}", asked.failed);
    world.fake.settings(|settings| settings.policy_bytes_max = None);
    let before = world.calls("InitiateJob");
    let limit = Action::Status { status: 400, code: "LimitExceededException".to_owned() };
    world.fake.faults([Fault::new(limit).on("InitiateJob")]);
    world.retrieve(&Only::default(), Limits::default()).await.unwrap_err();
    assert_eq!(world.calls("InitiateJob") - before, 1, "final, although SDKs take it for throttling");
}

#[tokio::test]
async fn output_that_expired_is_available_again_and_others_jobs_are_used() {
    let world = World::new().await;
    world.fill();
    world.backup().await.unwrap();
    world.retrieve(&Only::default(), Limits::default()).await.unwrap();
    world.pass(hours(12));
    assert_eq!(world.watch().await.status, Status::Ready);
    world.pass(hours(25));
    assert_eq!(world.watch().await.status, Status::Available);
    assert_eq!(world.fetch().await.contents, 0);
    // Somebody requests all of them by another program.
    for archive in world.found().await.vaulted().values() {
        world.vault().request(archive, None, Tier::Standard, "by hand").await.unwrap();
    }
    assert_eq!(world.watch().await.status, Status::Pending);
    let state = world.state();
    let listed = jobs(&world.store(&state).await, &state, NAME, false, &world.run()).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|job| job.phase == Phase::Pending && job.job.is_some()), "{listed:?}");
}

#[tokio::test]
async fn a_deleted_backup_takes_with_it_what_no_other_has_after_the_fee_was_shown() {
    let world = World::new().await;
    world.fill();
    let first = world.backup().await.unwrap().key;
    world.pass(hours(24));
    std::fs::remove_file(world.files().join("large.bin")).unwrap();
    let second = world.backup().await.unwrap().key;
    let state = world.state();
    let store: SharedStore = Arc::new(world.store(&state).await);
    let run = world.run();
    let prepare = |which| Deletion::prepare(&store, NAME, which, &world.prices, &run);
    let policy = Policy::new(vec![Rule::Last(1)]);
    let planned =
        Deletion::prepare(&store, NAME, Which::Rules(Some(&policy), SignedDuration::ZERO), &world.prices, &run);
    let planned = planned.await.unwrap();
    assert_eq!(planned.plan().removals.removals.len(), 1);
    let deletion = prepare(Which::Backup(&first)).await.unwrap();
    let fees = deletion.fees().clone();
    assert_eq!((fees.archives, fees.shared, fees.early), (1, 1, 1));
    let month = world.prices.month(Class::Vault, fees.bytes);
    assert!(fees.fee > month + month && fees.fee < month + month + month, "89 of 90 days: {}", fees.fee);
    assert_eq!(world.fake.archives(), 2, "nothing yet");
    let report = deletion.run(&state).await.unwrap();
    assert_eq!((report.backups.removed.len(), world.fake.archives()), (1, 1));
    assert!(state.catalogue().files().unwrap().iter().all(|file| file.entry.name != "large.bin"));
    let gone = prepare(Which::Backup(&first)).await.unwrap_err();
    assert!(matches!(gone, GlacierError::NoBackup { .. }), "{gone}");
    world.pass(hours(24 * 90));
    let last = Deletion::prepare(&store, NAME, Which::Backup(&second), &world.prices, &world.run()).await.unwrap();
    assert_eq!(last.fees().fee, Usd::ZERO);
    last.run(&state).await.unwrap();
    assert_eq!(world.fake.archives(), 0);
    drop(state);
    world.fill();
    assert_eq!(world.backup().await.unwrap().objects, 2, "what was deleted is archived again");
}

#[tokio::test]
async fn an_archive_that_two_contents_claim_is_not_deleted() {
    use backup_core::store::StoreDelete as _;
    let world = World::new().await;
    world.fill();
    world.backup().await.unwrap();
    let state = world.state();
    let known = state.catalogue().vaulted().unwrap();
    let (own, archive) = known.into_iter().next().unwrap();
    // As a manifest has it that somebody wrote who may write to the location, and not delete from the vault.
    let forged = Key::new(format!("glacier/{NAME}/archives/{}", "ab".repeat(32))).unwrap();
    state.catalogue().keep_vaulted(&forged, &archive).unwrap();
    let store = world.store(&state).await;
    for outcome in store.delete(&[forged, own]).await.unwrap() {
        let refused = outcome.result.unwrap_err().to_string();
        assert!(refused.contains("the archive of another content, too"), "{refused}");
    }
    assert_eq!(world.fake.archives(), 2);
}

/// Somebody archives something that no catalogue knows.
async fn upload(world: &World, description: &str) {
    let vault = world.vault();
    let upload = vault.begin_upload(description, 1 << 20).await.unwrap();
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, b"twice").unwrap();
    vault.upload(&upload, &Arc::new(file), 5, 1 << 20).await.unwrap();
}

async fn reconciled(world: &World) -> Reconciled {
    let state = world.state();
    let InventoryFile::Ready(path) = world.vault().inventory(state.folder(), NAME, false).await.unwrap() else {
        panic!("not ready")
    };
    let mut comparison = Comparison::new(NAME, known(&world.hot, &state, NAME, &world.run()).await.unwrap());
    let read = inventory::read(std::io::BufReader::new(std::fs::File::open(path).unwrap()), |archive| {
        comparison.take(inventoried(archive.id, archive.description, archive.bytes, archive.created));
        Ok(())
    });
    comparison.finish(read.unwrap().made)
}

#[tokio::test]
async fn an_inventory_tells_what_is_paid_for_and_unknown_and_what_is_gone() {
    let world = World::new().await;
    world.fill();
    world.backup().await.unwrap();
    let state = world.state();
    let early = world.vault().inventory(state.folder(), NAME, false).await.unwrap_err();
    assert!(matches!(early, GlacierError::NoInventory { .. }), "{early}");
    // Another upload of a known content: an id nobody knows.
    let bundle = world.found().await.vaulted().into_keys().find(glacier_archive::key::is_bundle).unwrap();
    for text in [Described { lastgood: bundle.clone(), file: None }.text(), "holiday".to_owned()] {
        upload(&world, &text).await;
    }
    assert!(world.fake.lose_archive("/archives/"));
    world.pass(hours(72));
    let asked = world.vault().inventory(state.folder(), NAME, false).await.unwrap();
    assert!(matches!(asked, InventoryFile::Expected(_)), "{asked:?}");
    let again = world.vault().inventory(state.folder(), NAME, true).await.unwrap();
    assert!(matches!(again, InventoryFile::Expected(_)), "{again:?}");
    assert_eq!(world.fake.jobs(), 1, "requested once");
    drop(state);
    world.pass(hours(5));
    let found = reconciled(&world).await;
    assert_eq!((found.archives, found.foreign, found.too_new), (1, 1, 0), "{found:?}");
    assert_eq!((found.unknown.len(), found.unknown[0].key.as_ref()), (1, Some(&bundle)));
    assert!(found.gone.len() == 1 && found.gone[0].as_str().contains("/archives/"), "{found:?}");
    assert_eq!(world.calls("GetJobOutput"), 1);
    reconciled(&world).await;
    assert_eq!(world.calls("GetJobOutput"), 1, "what is there is not downloaded again");
}

async fn recovered(world: &World) -> Recovered {
    let state = world.state();
    let InventoryFile::Ready(path) = world.vault().inventory(state.folder(), NAME, false).await.unwrap() else {
        panic!("not ready")
    };
    let mut all = Vec::new();
    let input = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    inventory::read(input, |archive| {
        let described = Described::parse(&archive.description).unwrap();
        let vault = glacier_archive::vaulted::VaultArchive {
            id: archive.id.clone(),
            bytes: archive.bytes,
            tree_hash: archive.tree_hash,
        };
        state.catalogue().keep_vaulted(&described.lastgood, &Vaulted { upload: None, archive: Some(vault) })?;
        all.push((inventoried(archive.id, archive.description, archive.bytes, archive.created), described.file));
        Ok(())
    })
    .unwrap();
    let store = world.store(&state).await;
    let shared: SharedStore = Arc::new(store.clone());
    let found = recover(&shared, &state, all, Some(Class::Vault), &world.run()).await.unwrap();
    if !found.waiting.is_empty() {
        let polled = poll::ask(&store, &state, NAME, &world.run()).await.unwrap();
        let (limits, wanted) = (Limits::default(), found.waiting.clone());
        ask_for(&store, &state, wanted, &polled, &limits, &world.prices, &world.run()).await.unwrap();
    }
    found
}

#[tokio::test]
async fn archives_alone_tell_what_there_was_if_all_else_is_lost() {
    let mut world = World::new().await;
    let mut files = world.fill();
    world.backup().await.unwrap();
    let pack = Key::new("glacier/uploads/database/pg/shop/1.default.dump/data/p00000.pack").unwrap();
    upload(&world, &Described { lastgood: pack, file: None }.text()).await;
    world.lose(&["files", "state"]);
    world.hot = Arc::new(backup_core::store::memory::MemoryStore::new());
    let init = backup_core::location::Init::new(&glacier_archive::key::LAYOUTS);
    backup_core::location::init_store(&world.hot, &init).await.unwrap();
    world.pass(hours(72));
    world.vault().inventory(world.state().folder(), NAME, false).await.unwrap();
    world.pass(hours(5));
    let first = recovered(&world).await;
    assert_eq!((first.files, first.unnamed, first.waiting.len()), (1, 0, 1), "a bundle must be retrieved");
    assert_eq!(first.database, 1, "rows alone, without what the location had of their dump");
    world.pass(hours(12));
    let second = recovered(&world).await;
    assert_eq!((second.files, second.waiting.len(), second.failed.len()), (2, 0, 0));
    publish_recovered(&world.hot, &world.state(), NAME, Some("attachments"), &world.run()).await.unwrap();
    world.retrieve(&Only::default(), Limits::default()).await.unwrap();
    world.pass(hours(12));
    assert!(world.fetch().await.is_complete());
    world.restore().await;
    // Of an empty file there is no archive.
    files.remove("empty");
    world.check(&files);
}

#[tokio::test]
async fn an_audit_reads_a_sample_back_and_finds_damage() {
    let world = World::new().await;
    world.fill();
    world.backup().await.unwrap();
    let whole: Share = "100%".parse().unwrap();
    let audited = || async {
        let state = world.state();
        let store = world.store(&state).await;
        let shared: SharedStore = Arc::new(store.clone());
        audit((&shared, &store), &state, NAME, whole, &Limits::default(), &world.prices, &world.run()).await.unwrap()
    };
    let first = audited().await;
    assert_eq!((first.sample, first.waiting, first.verified, world.fake.jobs()), (2, 2, 0, 2));
    world.pass(hours(12));
    let second = audited().await;
    assert_eq!((second.waiting, second.verified, second.failed.len()), (0, 2, 0), "{second:?}");
    world.pass(hours(48));
    world.fake.damage_archives();
    audited().await;
    world.pass(hours(12));
    let third = audited().await;
    assert_eq!((third.verified, third.failed.len(), world.fake.jobs()), (0, 2, 4), "{third:?}");
}
