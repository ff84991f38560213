//! Deleting many dumps: each run has a location of its own.

use std::cell::Cell;
use std::path::Path;

use super::{Args, DELETING, Hint, Runs, in_turns, once, row};
use crate::Outcome;
use crate::bench::measure::Measurement;
use crate::bench::report::Row;
use crate::many::{self, Content};

/// Everything but the last dump of each kind.
const PRUNE: &[&str] = &["pg", "prune", "--keep-last", "1", "--yes", "--json"];

/// Most dumps that may be left.
const LEFT_MAX: usize = 3;

/// This build and the other in turn.
pub(super) fn run(args: &Args, ours: &Path, work: &Path) -> Outcome<Row> {
    let number = Cell::new(0);
    let delete = |binary: &Path| {
        number.set(number.get() + 1);
        deleted(binary, &work.join(format!("deleted-{}", number.get())), args.deleted, work)
    };
    let job = format!("deleting {} dumps", args.deleted);
    let runs: [Runs; 2] = in_turns(args.deletions.into(), &job, || delete(ours), || delete(&args.before))?;
    Ok(row(job, runs, DELETING))
}

fn deleted(binary: &Path, location: &Path, dumps: u32, work: &Path) -> Outcome<Measurement> {
    many::fill(location, dumps, Content::Whole)?;
    let run = once(binary, PRUNE, location, work, Hint::Never)?;
    let left = std::fs::read_dir(location.join("pg").join(many::DATABASE))?.count();
    if left > LEFT_MAX {
        return Err(format!("{left} dumps are left").into());
    }
    std::fs::remove_dir_all(location)?;
    Ok(run)
}
