//! Many copies in virtual time: the library's own replication against a region in memory.

use std::process::Command;

use serde_json::Value;

use super::{Args, at_most};
use crate::Outcome;
use crate::bench::report::Row;
use crate::printer::say;

/// Snapshots that are replicated.
const SNAPSHOTS: &str = "500";

/// How much longer than the best possible it may take.
const RATIO_MAX: f64 = 1.1;

/// One row for each number of slots, and one for slots that others take away on the way.
pub(super) fn rows(args: &Args) -> Outcome<Vec<Row>> {
    let cases: [(&str, &[&str]); 3] =
        [("20 slots", &["20"]), ("5 slots", &["5"]), ("20 slots, 5 after a third of the time", &["20", "5"])];
    let rows = cases.iter().map(|(what, slots)| {
        let mut command = Command::new(args.examples.join("makespan"));
        let ran = command.arg(SNAPSHOTS).args(*slots).output();
        let ran = ran.map_err(|error| format!("`makespan` cannot be started: {error}"))?;
        if !ran.status.success() {
            let why = String::from_utf8_lossy(&ran.stderr).into_owned();
            return Err(format!("`makespan` ended with {}: {why}", ran.status).into());
        }
        let told: Value = serde_json::from_slice(&ran.stdout)?;
        say(&format!("  {what}: {told}"));
        let figure = |name: &str| told[name].as_f64().unwrap_or(f64::NAN);
        let (took_s, best_s) = (figure("took_s"), figure("best_s"));
        let job = format!("replicate {SNAPSHOTS} snapshots, {what}, in virtual time");
        let (ours, best) = (format!("{took_s:.0} s"), format!("{best_s:.0} s"));
        Ok(at_most(&job, "max(total ÷ slots, longest)", (&ours, &best), took_s / best_s, RATIO_MAX))
    });
    rows.collect()
}
