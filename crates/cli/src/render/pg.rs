//! Texts for the plans and reports of pg-clone.

mod dump;
mod hooks;
mod list;
mod local;
mod prune;
mod restore;
mod show;
mod verify;

pub(crate) use dump::{dump_plan, dump_report};
pub(crate) use hooks::hook_trial;
pub(crate) use list::listing;
pub(crate) use local::{drop_plan, drop_report, local_listing, local_plan, local_report};
pub(crate) use prune::{prune_plan, prune_report};
pub(crate) use restore::{recover_report, recover_step, restore_notes, restore_plan, restore_report};
pub(crate) use show::shown;
pub(crate) use verify::verify_report;

use std::time::Duration;

use pg_clone::hook::{HookReport, PlannedHook};

use crate::render::escape::line;
use crate::render::units::{self, counted};

/// Seconds as people read them; what is no duration is shown as none.
fn seconds(seconds: f64) -> String {
    units::duration(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// Hooks of a plan, a line each in the order in which they run, for [`facts`].
fn hook_facts(hooks: &[PlannedHook]) -> impl Iterator<Item = (&'static str, String)> {
    hooks.iter().map(|planned| (planned.point.name(), planned.hook.clone()))
}

/// That hooks ran, if any did: what they printed went by already.
fn hooks_ran(hooks: &[HookReport]) -> String {
    match hooks.len() as u64 {
        0 => String::new(),
        ran => format!("; {} ran", counted(ran, "hook", "hooks")),
    }
}

/// What a dry run says of a confirmation that its run will want and that has not been given.
pub(crate) fn needs_confirmation(wanted: bool, database: &str, given: Option<&str>) -> String {
    match wanted && given.is_none() {
        true => format!("\n  requires --confirm-database {database}"),
        false => String::new(),
    }
}

/// Lines of `name  value`, the values under each other; empty values are left out. A value is one line, whatever it is called.
fn facts(facts: &[(&str, String)]) -> String {
    let lines: Vec<(&str, String)> = facts.iter().map(|(name, value)| (*name, line(value).into_owned())).collect();
    paragraphs(&lines)
}

/// [`facts`] with values that may have several lines.
fn paragraphs(facts: &[(&str, String)]) -> String {
    let filled = || facts.iter().filter(|(_, value)| !value.is_empty());
    let width = filled().map(|(name, _)| name.len()).max().unwrap_or_default();
    filled().map(|(name, value)| format!("  {name:width$}  {value}")).collect::<Vec<_>>().join("\n")
}
