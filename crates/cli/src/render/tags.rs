//! Tags of backups: what a change of them does, and which are in use.

use backup_core::tags::{InUse, RetagPlan, RetagReport};
use jiff::Timestamp;

use crate::render::escape::line;
use crate::render::table::{Align, Column, table};
use crate::render::units::{age, count};

/// Tags as a list; a tag may be called anything.
fn all(tags: &[String]) -> String {
    match tags {
        [] => "no tags".to_owned(),
        tags => tags.iter().map(|tag| format!("`{}`", line(tag))).collect::<Vec<_>>().join(", "),
    }
}

pub(crate) fn retag_plan(plan: &RetagPlan) -> String {
    let key = line(&plan.key);
    match plan.before == plan.after {
        true => format!("Would leave `{key}` as it is: {}", all(&plan.after)),
        false => format!("Would tag `{key}`\n  before  {}\n  after   {}", all(&plan.before), all(&plan.after)),
    }
}

pub(crate) fn retag_report(report: &RetagReport) -> String {
    let key = line(&report.key);
    match report.changed {
        true => format!("Tagged `{key}`: {}", all(&report.tags)),
        false => format!("`{key}` stays as it was: {}", all(&report.tags)),
    }
}

/// The tags in use, with the newest backup that has each; `many` is what backups are called here.
pub(crate) fn tags_in_use(tags: &[InUse], many: &'static str, now: Timestamp) -> String {
    if tags.is_empty() {
        return String::new();
    }
    let columns = [
        Column("TAG", Align::Left),
        Column(many, Align::Right),
        Column("AGE", Align::Left),
        Column("NEWEST", Align::Left),
    ];
    table(&columns, tags.iter().map(|of| vec![of.tag.clone(), count(of.backups), age(of.time, now), of.newest.clone()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_tags_are_shown_and_stay_on_their_line() {
        let time = Timestamp::UNIX_EPOCH;
        let tags = [InUse::new("\u{1b}]0;owned\u{7}\nshop", 2, "shop/1.dump", time)];
        let text = tags_in_use(&tags, "DUMPS", Timestamp::UNIX_EPOCH);
        assert_eq!(text.lines().count(), 2, "{text:?}");
        assert!(text.contains("\\u{1b}]0;owned") && !text.contains('\u{1b}'), "{text:?}");
        assert_eq!(all(&["a\nb".to_owned()]), "`a\\nb`");
    }
}
