//! The result of a hook test.

use backup_core::secret::Redactor;
use pg_clone::hook::{HookReport, Trial};

use super::{paragraphs, seconds};
use crate::render::escape::line;
use crate::render::units::counted;

/// Lines shown of what each hook printed last; all of it has passed by already.
const SAID_LINES_MAX: usize = 3;

pub(crate) fn hook_trial(trial: &Trial, redactor: &Redactor) -> String {
    let of = match &trial.key {
        Some(key) => format!("a scratch database filled from `{key}`"),
        None => "an empty scratch database".to_owned(),
    };
    let hooks = counted(trial.hooks.len() as u64 + u64::from(trial.failure.is_some()), "hook", "hooks");
    let mut text = format!("Ran {hooks} on {of} in {}\n", seconds(trial.seconds));
    let mut lines: Vec<(&str, String)> =
        trial.hooks.iter().map(|report| (report.point.name(), words(report))).collect();
    lines.extend(
        trial
            .failure
            .iter()
            .map(|failure| (failure.point.name(), format!("{}  {}", line(&failure.hook), failure.what))),
    );
    if !lines.is_empty() {
        text.push_str(&paragraphs(&lines));
        text.push('\n');
    }
    text.push_str("The scratch database was dropped; nothing was swapped");
    redactor.redact(&text)
}

fn words(report: &HookReport) -> String {
    let printed = counted(report.output_lines, "line", "lines");
    let mut text = format!("{}  ok {}, {printed}", line(&report.hook), seconds(report.seconds));
    let skipped = report.said.len().saturating_sub(SAID_LINES_MAX);
    for said in &report.said[skipped..] {
        text.push_str(&format!("\n    {}", line(said)));
    }
    text
}

#[cfg(test)]
mod tests {
    use backup_core::secret::Secret;
    use pg_clone::hook::Point;

    use super::*;

    #[test]
    fn each_hook_is_told_with_its_last_words_and_no_secret() {
        let mut report = HookReport::new(Point::PreSwap, "./migrate.sh hunter2");
        (report.seconds, report.output_lines, report.output_bytes) = (1.4, 5, 10);
        report.said = ["1", "2", "3", "4", "5"].map(ToOwned::to_owned).to_vec();
        let mut trial = Trial::default();
        (trial.hooks, trial.seconds) = (vec![report], 2.0);
        let redactor = Redactor::new();
        redactor.register(&Secret::new("hunter2"));
        assert_eq!(
            hook_trial(&trial, &redactor),
            "Ran 1 hook on an empty scratch database in 2.0 s\n  pre-swap  ./migrate.sh ****  ok 1.4 s, 5 lines\n    \
             3\n    4\n    5\nThe scratch database was dropped; nothing was swapped"
        );
    }
}
