//! Listings that are cut or never end: rows W8.

use std::time::Duration;

use backup_testkit::faults::{Action, ListingFault, Rule};
use backup_testkit::s3_server::S3Peer;

use crate::harness::failure::Within as _;
use crate::harness::{Area, Failure, Locations, Row, RowResult, World};
use crate::rows::core::craft::unpublished;
use crate::{ensure, ensure_eq};

/// A listing that cannot be trusted.
const UNTRUSTED: i32 = 1;

/// Entries of a page: there are more dumps than two pages hold.
const ENTRIES: usize = 1;

/// How long a command may take to find out: a thousand empty pages at most.
const LIMIT: Duration = Duration::from_secs(60);

/// What is wrong with the pages, and what is said of it.
const FAULTS: [(ListingFault, &str); 7] = [
    (ListingFault::Cut, "says that there is more, but not where to continue"),
    (ListingFault::Unsaid, "does not say whether there is more"),
    (ListingFault::Same, "starts again"),
    (ListingFault::Round, "starts again"),
    (ListingFault::Restarts, "starts again"),
    (ListingFault::Empty, "were empty"),
    (ListingFault::Unasked, "which was not requested"),
];

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    use Locations::S3;
    vec![
        Row::new(
            "W8",
            "a listing that is cut or never ends: nothing deleted, nothing restored",
            Area::Truth,
            S3,
            |world| Box::pin(untrusted(world)),
        ),
        Row::new("W8-records", "the same for records and stores in memory", Area::Truth, S3, |world| {
            Box::pin(untrusted_records(world))
        }),
        Row::new("W8-uploads", "a listing of uploads that is cut or never ends", Area::Truth, S3, |world| {
            Box::pin(untrusted_uploads(world))
        }),
        Row::new("W8-pages", "small pages and empty ones are whole listings", Area::Truth, S3, |world| {
            Box::pin(small_pages(world))
        }),
    ]
}

fn peer(world: &World) -> RowResult<&S3Peer> {
    world.place().peer().ok_or_else(|| Failure::new("this row needs the S3 peer"))
}

fn pages(op: &str, entries: usize, fault: ListingFault) -> Rule {
    Rule::new(Action::Listing { entries, fault }).on(op)
}

/// Runs each command under each fault: it must end with an error that says why, and change nothing.
async fn refused(world: &World, op: &str, commands: &[&[&str]], faults: &[(ListingFault, &str)]) -> RowResult {
    let (peer, before) = (peer(world)?, world.place().picture().await?);
    // Only a listing of everything around shows what was not asked for.
    peer.store("another/tenant", "theirs");
    for (fault, said) in faults {
        peer.faults([pages(op, ENTRIES, *fault)]);
        // A thousand empty pages take seconds: one command is enough to show that they are counted.
        let commands = if *fault == ListingFault::Empty { &commands[..1] } else { commands };
        for command in commands {
            let run = world.lastgood(command.iter().copied()).limit(LIMIT);
            let output = run.fails(UNTRUSTED).await.within(&format!("{fault:?}: {command:?}"))?;
            ensure!(output.stdout.is_empty(), "`{}` printed a result:\n{}", output.line, output.stdout);
            output.says("cannot be trusted")?.says(said)?.says("nothing was deleted")?;
        }
        peer.clear_faults();
        ensure_eq!(world.place().picture().await?, before, "the location after {fault:?}");
    }
    Ok(())
}

/// W8.
async fn untrusted(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let mut dumps = Vec::new();
    for version in 1..=4 {
        world.set_version(&shop, version)?;
        dumps.push(world.dump(&shop).await?);
    }
    let copy = world.name("copy");
    let commands: [&[&str]; 7] = [
        &["pg", "prune", "--keep-last", "1", "--yes"],
        &["pg", "prune", &shop, "--keep-last", "1", "--yes"],
        &["pg", "prune", "--keep-last", "1", "-n"],
        &["pg", "prune", "--incomplete", "--grace", "0s"],
        &["pg", "ls"],
        &["pg", "ls", &shop, "--json"],
        &["pg", "restore", &shop, "--into", &copy],
    ];
    refused(world, "ListObjectsV2", &commands, &FAULTS).await?;
    ensure!(!world.databases()?.contains(&copy), "something was restored");
    // A dump looks for the last one before it takes its place after it.
    peer(world)?.faults([pages("ListObjectsV2", ENTRIES, ListingFault::Cut)]);
    world.lastgood(["pg", "dump", &shop]).fails(UNTRUSTED).await?.says("cannot be trusted")?;
    peer(world)?.clear_faults();
    world.lastgood(["pg", "prune", "--keep-last", "1", "--yes"]).ok().await?.says("Deleted 3 dumps")?;
    ensure_eq!(world.keys(&shop).await?, dumps[3..].to_vec(), "dumps after a prune that saw all of them");
    Ok(())
}

/// W8-records.
async fn untrusted_records(world: &World) -> RowResult {
    std::fs::create_dir(world.folder().join("records"))?;
    std::fs::write(world.folder().join("records/users.json"), "{\"id\": \"1\"}\n")?;
    for _ in 0..3 {
        world.lastgood(["app", "backup", "--source", "ndjson:records"]).ok().await?;
    }
    let commands: [&[&str]; 4] = [
        &["app", "prune", "--keep-last", "1", "--yes"],
        &["app", "prune", "--incomplete", "--grace", "0s"],
        &["app", "ls"],
        &["app", "verify"],
    ];
    refused(world, "ListObjectsV2", &commands, &FAULTS).await?;
    world.lastgood(["app", "prune", "--keep-last", "1", "--yes"]).ok().await?.says("Deleted 2 backups")?;

    for entry in std::fs::read_dir(super::DICT_CHAIN)? {
        let entry = entry?;
        world.place().write(&entry.file_name().to_string_lossy(), &std::fs::read(entry.path())?).await?;
    }
    world.lastgood(["dict", "compact"]).ok().await?;
    let commands: [&[&str]; 4] = [
        &["dict", "prune", "--incomplete", "--grace", "0s"],
        &["dict", "ls"],
        &["dict", "verify"],
        &["dict", "restore", "--to", "out.json"],
    ];
    refused(world, "ListObjectsV2", &commands, &FAULTS).await?;
    ensure!(!world.folder().join("out.json").exists(), "something was restored");
    Ok(())
}

/// W8-uploads.
async fn untrusted_uploads(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.add_bulk(&shop, 12)?;
    let peer = peer(world)?;
    // Each killed dump leaves its uploads.
    for _ in 0..3 {
        let before = peer.state().unfinished;
        peer.latency(Duration::from_millis(20));
        let mut run = world.lastgood(["pg", "dump", &shop]).start()?;
        while peer.state().unfinished <= before {
            ensure!(!run.has_ended()?, "the dump ended, and no upload was ever seen half done");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        run.signal(rustix::process::Signal::KILL)?;
        run.finish().await?.expect_killed()?;
        peer.latency(Duration::ZERO);
    }
    let left = (unpublished(world).await?, peer.state().unfinished);
    ensure!(left.1 > 2 * ENTRIES, "only {} uploads were left", left.1);
    // Uploads of somebody else are left out and no error: some servers know no prefix here.
    let faults: Vec<_> = FAULTS.into_iter().filter(|(fault, _)| *fault != ListingFault::Unasked).collect();
    refused(world, "ListMultipartUploads", &[&["pg", "prune", "--incomplete", "--grace", "0s"]], &faults).await?;
    ensure_eq!((unpublished(world).await?, peer.state().unfinished), left, "what the killed dumps left");
    world.lastgood(["doctor"]).ok().await?;
    peer.faults([pages("ListMultipartUploads", ENTRIES, ListingFault::Cut)]);
    world.lastgood(["doctor"]).fails(1).await?.says("cannot be trusted")?;
    peer.clear_faults();
    world.lastgood(["pg", "prune", "--incomplete", "--grace", "0s"]).ok().await?;
    ensure_eq!(peer.state().unfinished, 0, "uploads after a prune that saw all of them");
    Ok(())
}

/// W8-pages.
async fn small_pages(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let mut dumps = Vec::new();
    for version in 1..=4 {
        world.set_version(&shop, version)?;
        dumps.push(world.dump(&shop).await?);
    }
    for (fault, entries) in [(ListingFault::None, 1), (ListingFault::EmptyFirst, 1), (ListingFault::EmptyFirst, 3)] {
        let rule = |op: &str| pages(op, entries, fault);
        peer(world)?.faults([rule("ListObjectsV2"), rule("ListMultipartUploads")]);
        ensure_eq!(world.keys(&shop).await?, dumps, "dumps in pages of {entries}, {fault:?}");
        world.set_version(&shop, 9)?;
        dumps.push(world.dump(&shop).await?);
        let oldest = dumps.remove(0);
        let count = dumps.len().to_string();
        world.lastgood(["pg", "prune", "--keep-last", &count, "--yes"]).ok().await?.says("Deleted 1 dump")?;
        world.lastgood(["pg", "prune", "--incomplete", "--grace", "0s"]).ok().await?;
        peer(world)?.clear_faults();
        ensure_eq!(world.keys(&shop).await?, dumps, "dumps without `{oldest}`");
    }
    Ok(())
}
