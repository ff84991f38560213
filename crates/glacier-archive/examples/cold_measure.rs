//! One job of `cargo xtask bench glacier`, in a process of its own.
//!
//! `cargo run --release -p glacier-archive --example cold_measure -- tree-hash FILE CORES | upload FILE PART_BYTES |
//! hash FILE PART_BYTES | inventory FILE | json FILE | backup FOLDER LOCATION STATE`

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, Write as _};
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use backup_core::aws::Settings;
use backup_core::digest::Sha256Digest;
use backup_core::location::{Init, Location, init_store};
use backup_core::run::Run;
use glacier_archive::adapters::vault::Vault;
use glacier_archive::backup::{BackupSettings, backup};
use glacier_archive::inventory;
use glacier_archive::pattern::Excluded;
use glacier_archive::state::State;
use glacier_archive::tree_hash::{LEAF_BYTES, TreeHash, tree_hash_of_file};
use serde::de::IgnoredAny;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// How much of a file is read at a time.
const BUFFER_BYTES: usize = 256 * 1024;

/// How often each part is hashed on its way: by the SDK and by the fake, as a tree and as a whole each.
const HASHES: [bool; 4] = [true, false, true, false];

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [job, file, rest @ ..] = arguments.as_slice() else { return Err("which job, of which file?".into()) };
    let number = || rest.first().ok_or("a number is missing")?.parse::<u64>().map_err(|error| error.to_string());
    let told = match job.as_str() {
        "tree-hash" => tree_hash(file, usize::try_from(number()?)?)?,
        "upload" => upload(file, number()?)?,
        "hash" => hash(file, number()?)?,
        "inventory" => read_inventory(file)?,
        "json" => read_json(file)?,
        "backup" => back_up(file, rest)?,
        other => return Err(format!("there is no job `{other}`").into()),
    };
    Ok(writeln!(std::io::stdout(), "{told}")?)
}

fn tree_hash(path: &str, cores: usize) -> Outcome<String> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let cores = NonZeroUsize::new(cores).ok_or("on at least one core")?;
    Ok(tree_hash_of_file(&file, bytes, cores)?.to_string())
}

/// Uploads the file to the vault `bench` of the service that the environment names.
fn upload(path: &str, part_bytes: u64) -> Outcome<String> {
    let file = Arc::new(File::open(path)?);
    let bytes = file.metadata()?.len();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let vault = Vault::new(&Settings::load(None).await, "bench", &Run::silent());
        let begun = vault.begin_upload("bench", part_bytes).await?;
        let archive = vault.upload(&begun, &file, bytes, part_bytes).await?;
        Ok(archive.tree_hash.to_string())
    })
}

/// The hashing of an upload and nothing else: each part as often as then, on all cores.
fn hash(path: &str, part_bytes: u64) -> Outcome<String> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let next = AtomicU64::new(0);
    let work = || -> std::io::Result<()> {
        let mut part = Vec::new();
        loop {
            let start = next.fetch_add(part_bytes, Ordering::Relaxed);
            if start >= bytes {
                return Ok(());
            }
            part.resize(part_bytes.min(bytes - start) as usize, 0);
            file.read_exact_at(&mut part, start)?;
            for is_tree in HASHES {
                std::hint::black_box(match is_tree {
                    true => TreeHash::<LEAF_BYTES>::of(&part),
                    false => Sha256Digest::of(&part),
                });
            }
        }
    };
    let cores = std::thread::available_parallelism()?.get();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    Ok(format!("{bytes} bytes"))
}

fn read_inventory(path: &str) -> Outcome<String> {
    let mut bytes = 0u64;
    let input = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
    let inventory = inventory::read(input, |archive| {
        bytes += archive.bytes;
        Ok(())
    })?;
    Ok(format!("{} archives of {bytes} bytes", inventory.archives))
}

/// Backs a folder up to a location that is a folder, too.
fn back_up(files: &str, rest: &[String]) -> Outcome<String> {
    let [location, state] = rest else { return Err("to which location, with which state?".into()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = location.parse::<Location>()?.open().await?;
        init_store(&store, &Init::new(&glacier_archive::key::LAYOUTS)).await?;
        let state = State::open(Path::new(state), "bench", &store.describe())?.locked()?;
        let settings = BackupSettings {
            name: "bench".to_owned(),
            files: Some(files.into()),
            excluded: Excluded::default(),
            class: None,
            vault: None,
            bundles: true,
            allow_empty: false,
            tags: Vec::new(),
        };
        let written = backup(store, &state, &settings, &Run::silent()).await?;
        Ok(format!("{} files, {} unchanged", written.files, written.unchanged))
    })
}

/// Reads the file as JSON and keeps nothing of it: what any program does at least.
fn read_json(path: &str) -> Outcome<String> {
    let input = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
    let _: IgnoredAny = serde_json::from_reader(input)?;
    Ok("read".to_owned())
}
