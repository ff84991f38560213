//! Dump and restore by this build and another, in turn in one run: whether a change costs time or memory.

use std::fs;
use std::path::Path;

use super::context::{Context, SHOP, text};
use super::measure::Measurement;
use super::report::{self, Row, mib, times};
use crate::Outcome;
use crate::check;

/// How much slower than the other build a dump or a restore may be.
const TIME_RATIO_MAX: f64 = 1.03;

/// How much more memory counts as more: peaks of one build differ by less than this from run to run.
const MEMORY_RATIO_MAX: f64 = 1.02;

const COPY: &str = "before_copy";

/// What one build took.
#[derive(Debug, Default)]
struct Runs {
    dumps: Vec<Measurement>,
    restores: Vec<Measurement>,
}

/// Both builds in turn, each restoring its own dump.
pub(crate) fn run(context: &Context, before: &Path) -> Outcome<Vec<Row>> {
    let original = check::fingerprint(&context.server, SHOP)?;
    let (mut now, mut other) = (Runs::default(), Runs::default());
    // How a binary lies in the page cache counts as memory of its process: a fresh copy of each lies there alike.
    let [ours, before] = [("this-build", &*context.lastgood), ("other-build", before)].map(|(name, binary)| {
        let copy = context.path(name);
        fs::copy(binary, &copy).map(|_| copy)
    });
    let (ours, before) = (ours?, before?);
    // One of each first, so that neither pays for what the page cache lacks.
    for (name, binary) in [("this build", &ours), ("the other build", &before)] {
        once(context, 0, &format!("{name}, to warm up"), binary, &original)?;
    }
    for round in 0..context.rounds {
        for is_ours in Context::order(round, [true, false]) {
            let (name, binary, runs) = match is_ours {
                true => ("this build", &ours, &mut now),
                false => ("the other build", &before, &mut other),
            };
            let (dump, restore) = once(context, round, name, binary, &original)?;
            runs.dumps.push(dump);
            runs.restores.push(restore);
        }
    }
    let dump = |runs: &Runs| runs.dumps.clone();
    let restore = |runs: &Runs| runs.restores.clone();
    Ok([("dump", dump(&now), dump(&other)), ("restore", restore(&now), restore(&other))]
        .into_iter()
        .flat_map(|(job, now, other)| [time(job, &now, &other), memory(job, &now, &other)])
        .collect())
}

fn once(
    context: &Context,
    round: usize,
    name: &str,
    binary: &Path,
    original: &str,
) -> Outcome<(Measurement, Measurement)> {
    let folder = context.path("before");
    let location = text(&folder);
    let dump = vec![context.dump_by(binary, SHOP, location)];
    let dump = context.measure(round, &format!("dump, {name}"), dump, &folder)?;
    let restore = vec![context.restore_by(binary, SHOP, location, COPY)];
    let restore = context.measure(round, &format!("restore, {name}"), restore, Path::new(""))?;
    check::same(original, &check::fingerprint(&context.server, COPY)?, name)?;
    context.server.sql("postgres", &format!("DROP DATABASE {COPY}"))?;
    fs::remove_dir_all(&folder)?;
    Ok((dump, restore))
}

fn time(job: &str, now: &[Measurement], before: &[Measurement]) -> Row {
    let ratio = report::wall_s(now) / report::wall_s(before);
    row(format!("{job}: time"), [times(now), times(before)], ratio, TIME_RATIO_MAX)
}

fn memory(job: &str, now: &[Measurement], before: &[Measurement]) -> Row {
    let peak = |runs: &[Measurement]| report::median(runs.iter().map(|run| run.peak_bytes as f64));
    let figures = [now, before].map(|runs| mib(peak(runs) as u64));
    row(format!("{job}: peak memory"), figures, peak(now) / peak(before), MEMORY_RATIO_MAX)
}

fn row(job: String, [ours, peer]: [String; 2], ratio: f64, ratio_max: f64) -> Row {
    Row {
        job,
        against: "the other build".to_owned(),
        ours,
        peer,
        outcome: format!("{ratio:.3}×"),
        target: format!("≤ {ratio_max}×"),
        met: ratio <= ratio_max,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_more_is_met_and_more_than_that_is_not() {
        let taken = |wall_s, peak_bytes| vec![Measurement { wall_s, peak_bytes, ..Measurement::default() }];
        let before = taken(10.0, 1_000_000);
        assert!(time("dump", &taken(10.3, 0), &before).met);
        assert!(!time("dump", &taken(10.4, 0), &before).met);
        assert!(memory("dump", &taken(0.0, 1_010_000), &before).met);
        assert!(!memory("dump", &taken(0.0, 1_030_000), &before).met);
        assert_eq!(memory("dump", &taken(0.0, 2_000_000), &before).outcome, "2.000×");
    }
}
