//! Texts about looking after archives: jobs, deletion, inventory, comparison, audit.

use glacier_archive::audit::Audit;
use glacier_archive::jobs::Job;
use glacier_archive::lifecycle::Phase;
use glacier_archive::money::Usd;
use glacier_archive::prune::Fees;
use glacier_archive::reconcile::Reconciled;
use glacier_archive::recover::Recovered;
use jiff::Timestamp;
use serde::Serialize;

use crate::render::glacier::{archives, asked, within};
use crate::render::table::{Align, Column, table};
use crate::render::units;

/// Archives that a text names one by one at most; `--json` has all of them.
const NAMED_MAX: usize = 20;

pub(crate) fn jobs(jobs: &[Job], now: Timestamp) -> String {
    const COLUMNS: [Column; 5] = [
        Column("ARCHIVE", Align::Left),
        Column("SIZE", Align::Right),
        Column("TIER", Align::Left),
        Column("STATUS", Align::Left),
        Column("NEXT", Align::Left),
    ];
    if jobs.is_empty() {
        return String::new();
    }
    let row = |job: &Job| {
        let size = job.bytes.map_or_else(|| "–".to_owned(), units::bytes);
        let tier = job.tier.map_or_else(|| "–".to_owned(), |tier| tier.to_string());
        vec![job.archive.to_string(), size, tier, phase(job.phase).to_owned(), next(job, now)]
    };
    table(&COLUMNS, jobs.iter().map(row))
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Available => "ended",
        Phase::Requested => "requested",
        Phase::Pending => "pending",
        Phase::Ready => "ready",
        Phase::Downloading => "being read",
        Phase::Local => "read",
    }
}

fn next(job: &Job, now: Timestamp) -> String {
    match (&job.reason, job.until, job.expected) {
        (Some(reason), _, _) => reason.clone(),
        (None, Some(until), _) => format!("expires {}", within(until, now)),
        (None, None, Some(expected)) if job.phase != Phase::Ready => format!("expected {}", within(expected, now)),
        _ => String::new(),
    }
}

pub(crate) fn fees(fees: &Fees) -> String {
    let mut lines = vec![format!("archives  {} go ({})", units::count(fees.archives), units::bytes(fees.bytes))];
    if fees.shared > 0 {
        lines[0].push_str(&format!(", {} stay: other backups have them, too", units::count(fees.shared)));
    }
    if fees.fee > Usd::ZERO {
        lines.push(format!(
            "fee       {} for {} deleted before the minimum of days that are paid for (list prices of {})",
            fees.fee,
            archives(fees.early),
            fees.prices_as_of
        ));
    }
    lines.join("\n")
}

/// What a bucket or vault has.
#[derive(Debug, Serialize)]
pub(crate) struct Counted {
    /// The vault, if it is one.
    pub(crate) vault: Option<String>,
    /// When the service counted; absent if it was now.
    pub(crate) as_of: Option<Timestamp>,
    /// Archives.
    pub(crate) archives: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
}

pub(crate) fn counted(found: &Counted, now: Timestamp) -> String {
    let place = found.vault.as_ref().map_or_else(|| "The location".to_owned(), |vault| format!("The vault `{vault}`"));
    let (count, bytes) = (archives(found.archives), units::bytes(found.bytes));
    match found.as_of {
        None => format!("{place} has {count} ({bytes})"),
        Some(at) => format!(
            "{place} had {count} ({bytes}) when its inventory was made ({}); later changes are not in it",
            made(at, now)
        ),
    }
}

/// When the service made something, by its own clock, which may be ahead of the machine's.
fn made(at: Timestamp, now: Timestamp) -> String {
    // A minute of disagreement between two clocks is nothing to report.
    let is_ahead = at.as_second() - now.as_second() > 60;
    if is_ahead { format!("{at}, by the clock of the service") } else { units::age(at, now) }
}

pub(crate) fn reconciled(found: &Reconciled, now: Timestamp) -> String {
    let when = found.as_of.map_or_else(String::new, |at| format!(" (inventory made {})", made(at, now)));
    let mut lines = vec![format!("{} known and there, {}{when}", archives(found.archives), units::bytes(found.bytes))];
    let names = |what: &str, names: Vec<String>, lines: &mut Vec<String>| {
        let left = names.len().saturating_sub(NAMED_MAX);
        lines.extend(names.into_iter().take(NAMED_MAX).map(|name| format!("{what}  {name}")));
        if left > 0 {
            lines.push(format!("{what}  … and {} more", units::count(left as u64)));
        }
    };
    let unknown = found.unknown.iter().map(|paid| {
        let name = paid.key.as_ref().map_or_else(String::new, ToString::to_string);
        let id = paid.id.as_ref().map_or_else(String::new, |id| format!(", id {id}"));
        format!("{name} ({}, {}{id})", units::bytes(paid.bytes), made(paid.created, now))
    });
    names("unknown    ", unknown.collect(), &mut lines);
    names("unpublished", found.unpublished.iter().map(ToString::to_string).collect(), &mut lines);
    names("GONE       ", found.gone.iter().map(ToString::to_string).collect(), &mut lines);
    names("DIFFERS    ", found.differing.iter().map(ToString::to_string).collect(), &mut lines);
    if found.too_new > 0 {
        let are = if found.too_new == 1 { "is" } else { "are" };
        lines.push(format!("{} {are} too new to be in this inventory", archives(found.too_new)));
    }
    if found.foreign > 0 {
        lines.push(format!("{} of other names or programs were not looked at", archives(found.foreign)));
    }
    lines.join("\n")
}

pub(crate) fn audited(found: &Audit, now: Timestamp) -> String {
    let mut lines = Vec::new();
    if let Some(requested) = &found.asked {
        lines.push(asked(requested, now));
    }
    lines.push(format!(
        "Verified {} of a sample of {} ({} in all)",
        units::count(found.verified),
        archives(found.sample),
        units::count(found.archives)
    ));
    lines.join("\n")
}

pub(crate) fn recovered(found: &Recovered) -> String {
    let mut line = format!(
        "Found {} in {} that no backup has",
        units::counted(found.files, "file", "files"),
        archives(found.archives)
    );
    if found.unnamed > 0 {
        line.push_str(&format!("; {} of them lost their names", units::count(found.unnamed)));
    }
    if found.database > 0 {
        line.push_str(&format!(
            "\n{} of databases cannot be restored: the rest of their dumps was in the location. `lastgood glacier reconcile` \
             lists them",
            archives(found.database)
        ));
    }
    line
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn an_inventory_of_a_clock_that_is_ahead_has_a_time_and_no_age() {
        let now: Timestamp = "2026-11-21T03:00:00Z".parse().unwrap();
        let found =
            |hours| Reconciled { as_of: Some(now + SignedDuration::from_hours(hours)), ..Reconciled::default() };
        let ahead = reconciled(&found(2), now);
        assert!(ahead.ends_with("(inventory made 2026-11-21T05:00:00Z, by the clock of the service)"), "{ahead}");
        assert!(reconciled(&found(-2), now).ends_with("(inventory made 2 h ago)"), "{}", reconciled(&found(-2), now));
    }
}
