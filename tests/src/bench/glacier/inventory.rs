//! The inventory of a vault with a million archives, against reading its JSON alone.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;

use sha2::{Digest as _, Sha256};

use super::{Bench, Row, peak_bytes, times, wall_s};
use crate::Outcome;

/// Archives at scale 1.
const ARCHIVES: f64 = 1_000_000.0;

/// How much longer than reading it as JSON our reader may take.
const RATIO_MAX: f64 = 2.0;

/// How much memory it may take.
const PEAK_BYTES_MAX: u64 = 64 << 20;

pub(super) fn rows(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let (file, count) = (bench.path("inventory.json"), bench.scaled(ARCHIVES));
    write(&file, count)?;
    let ours = || bench.measure("inventory", &file, &[]);
    let alone = || bench.measure("json", &file, &[]);
    let contenders: [(&str, &dyn Fn() -> Command); 2] = [("inventory", &ours), ("its JSON alone", &alone)];
    let taken = bench.in_turn(&contenders)?;
    let (ours, alone, peak) = (wall_s(&taken[0]), wall_s(&taken[1]), peak_bytes(&taken[0]));
    let job = format!("inventory of {count} archives");
    let ratio = ours / alone;
    let outcome = format!("{ratio:.2}× the time");
    std::fs::remove_file(&file)?;
    Ok(vec![
        times(&job, "reading its JSON alone", (ours, alone), outcome, format!("≤ {RATIO_MAX}×"), ratio <= RATIO_MAX),
        Row {
            job,
            against: "memory".to_owned(),
            ours: format!("{} MiB", peak >> 20),
            peer: String::new(),
            outcome: String::new(),
            target: format!("≤ {} MiB", PEAK_BYTES_MAX >> 20),
            met: peak <= PEAK_BYTES_MAX,
        },
    ])
}

/// As AWS writes it: ids of 138 characters, and descriptions as ours are.
fn write(path: &Path, archives: u64) -> Outcome {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let arn = "arn:aws:glacier:us-east-1:111111111111:vaults/bench";
    write!(file, r#"{{"VaultARN":"{arn}","InventoryDate":"2026-11-21T02:51:29Z","ArchiveList":["#)?;
    for number in 0..archives {
        let digest = hex(&Sha256::digest(number.to_le_bytes()));
        let id = format!("{digest}{digest}{}", &digest[..10]);
        let comma = if number == 0 { "" } else { "," };
        write!(
            file,
            "{comma}\n{{\"ArchiveId\":\"{id}\",\"ArchiveDescription\":\"lastgood glacier/bench/archives/{digest}\",\
             \"CreationDate\":\"2026-11-20T03:00:04Z\",\"Size\":{number},\"SHA256TreeHash\":\"{digest}\"}}"
        )?;
    }
    file.write_all(b"\n]}\n")?;
    Ok(file.flush()?)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
