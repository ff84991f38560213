//! The retention rules, as typed and as retention takes them.

use backup_core::prune::GRACE;
use backup_core::retention::{Logarithmic, Period, Policy, Rule};
use clap::Args;
use jiff::{SignedDuration, Span};
use lastgood_operator::settings::time::{self, TimeError};

/// What interrupted runs left.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Unfinished {
    /// Delete only leftovers of interrupted runs; with --keep-*, leftovers are always removed too
    #[arg(long)]
    pub(crate) incomplete: bool,
    /// Minimum age of leftovers to delete; must be longer than any backup takes [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = time::duration)]
    pub(crate) grace: Option<SignedDuration>,
}

impl Unfinished {
    /// How long something unfinished is left alone.
    pub(crate) fn grace(&self) -> SignedDuration {
        self.grace.unwrap_or(GRACE)
    }
}

/// What to keep; rules are OR-ed.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Retention rules (a backup is kept if any rule keeps it)")]
pub(crate) struct Keep {
    /// Keep the newest N backups
    #[arg(long, value_name = "N")]
    pub(crate) keep_last: Option<u32>,
    /// Keep the newest backup of each of the last N hours that have one
    #[arg(long, value_name = "N")]
    pub(crate) keep_hourly: Option<u32>,
    /// Keep the newest backup of each of the last N days that have one
    #[arg(long, value_name = "N")]
    pub(crate) keep_daily: Option<u32>,
    /// Keep the newest backup of each of the last N weeks that have one
    #[arg(long, value_name = "N")]
    pub(crate) keep_weekly: Option<u32>,
    /// Keep the newest backup of each of the last N months that have one
    #[arg(long, value_name = "N")]
    pub(crate) keep_monthly: Option<u32>,
    /// Keep the newest backup of each of the last N quarters that have one
    #[arg(long, value_name = "N")]
    pub(crate) keep_quarterly: Option<u32>,
    /// Keep the newest backup of each of the last N years that have one
    #[arg(long, value_name = "N")]
    pub(crate) keep_yearly: Option<u32>,
    /// Keep all backups made within this time before the newest good one, such as 14d
    #[arg(long, value_name = "TIME", value_parser = within)]
    pub(crate) keep_within: Option<Span>,
    /// Keep all backups with this tag, or with any value of this key; repeatable
    #[arg(long, value_name = "KEY[=VALUE]")]
    pub(crate) keep_tag: Vec<String>,
    /// Keep backups at gaps that grow with age: at most BASE or RATIO × age, whichever is longer, such as 1d,0.5
    #[arg(long, value_name = "BASE,RATIO", value_parser = logarithmic)]
    pub(crate) logarithmic: Option<Logarithmic>,
}

impl Keep {
    /// The policy; without a rule it is empty, and retention refuses it.
    pub(crate) fn policy(&self) -> Policy {
        let mut rules = Vec::new();
        rules.extend(self.keep_last.map(Rule::Last));
        let periods = [
            (Period::Hourly, self.keep_hourly),
            (Period::Daily, self.keep_daily),
            (Period::Weekly, self.keep_weekly),
            (Period::Monthly, self.keep_monthly),
            (Period::Quarterly, self.keep_quarterly),
            (Period::Yearly, self.keep_yearly),
        ];
        rules.extend(periods.into_iter().filter_map(|(period, count)| Some(Rule::Calendar(period, count?))));
        rules.extend(self.keep_within.map(Rule::Within));
        rules.extend(self.keep_tag.iter().cloned().map(Rule::Tag));
        rules.extend(self.logarithmic.map(Rule::Logarithmic));
        Policy::new(rules)
    }

    /// The policy; none if nothing but leftovers is to go. Without a rule, retention refuses it.
    pub(crate) fn policy_beside(&self, unfinished: &Unfinished) -> Option<Policy> {
        let policy = self.policy();
        (!policy.rules.is_empty() || !unfinished.incomplete).then_some(policy)
    }
}

/// Nobody keeps backups for seconds.
fn within(text: &str) -> Result<Span, String> {
    time::span(text).map_err(|error| match error {
        TimeError::NoUnit(number) => format!("`{number}` has no unit: write {number}h or {number}d"),
        other => other.to_string(),
    })
}

fn logarithmic(text: &str) -> Result<Logarithmic, &'static str> {
    const HOW: &str = "use BASE,RATIO such as `1d,0.5`: a duration and a number with up to six decimals";
    let (base, ratio) = text.split_once(',').ok_or(HOW)?;
    let base_s = time::duration(base.trim()).map_err(|_| HOW)?.unsigned_abs().as_secs();
    let ratio_millionths = millionths(ratio.trim()).filter(|_| base_s > 0).ok_or(HOW)?;
    Ok(Logarithmic { ratio_millionths, ..Logarithmic::new(base_s) })
}

/// A plain decimal number in millionths, without going through binary fractions.
fn millionths(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 6 {
        return None;
    }
    let fraction: u32 = format!("{fraction:0<6}").parse().ok()?;
    whole.parse::<u32>().ok()?.checked_mul(1_000_000)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_exact() {
        assert_eq!(millionths("0.5"), Some(500_000));
        assert_eq!(millionths("0.000001"), Some(1));
        assert_eq!(millionths("2"), Some(2_000_000));
        for wrong in ["", ".", "-1", "0.0000001", "1e3", "5000", "0.5x"] {
            assert_eq!(millionths(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_time_to_keep_for_has_a_unit_that_people_keep_for() {
        assert_eq!(within("30d").unwrap().get_days(), 30);
        assert_eq!(within("30").unwrap_err(), "`30` has no unit: write 30h or 30d");
        assert!(within("soon").unwrap_err().contains("`14d`"));
    }

    #[test]
    fn logarithmic_takes_a_time_and_a_ratio() {
        let rule = logarithmic("1d,0.25").unwrap();
        assert_eq!((rule.base_s, rule.ratio_millionths), (86_400, 250_000));
        for wrong in ["1d", "0s,1", "x,1", "1d,x", "1mo,0.5"] {
            assert!(logarithmic(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_option_is_a_rule() {
        let keep = Keep {
            keep_last: Some(1),
            keep_hourly: Some(1),
            keep_daily: Some(1),
            keep_weekly: Some(1),
            keep_monthly: Some(1),
            keep_quarterly: Some(1),
            keep_yearly: Some(1),
            keep_within: Some(Span::new().days(14)),
            keep_tag: vec!["a".to_owned(), "b".to_owned()],
            logarithmic: Some(Logarithmic::new(86_400)),
        };
        assert_eq!(keep.policy().rules.len(), 11);
        assert!(Keep::default().policy().rules.is_empty());
    }
}
