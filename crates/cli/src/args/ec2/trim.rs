//! Arguments of `ec2 trim`.

use std::path::PathBuf;

use backup_core::retention::{Policy, Rule};
use clap::Args;
use ec2_snapshots::trim::{Numbers, PolicyName, policy};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use lastgood_operator::settings::time;

use crate::args::common::DryRun;
use crate::args::ec2::common::{Any, InRegions, Tagged};
use crate::args::retention::Keep;

/// Arguments of `ec2 trim`.
#[derive(Debug, Args)]
pub(crate) struct Trim {
    #[command(flatten)]
    pub(crate) tagged: Tagged,
    #[command(flatten)]
    pub(crate) regions: InRegions,
    #[command(flatten)]
    pub(crate) any: Any,
    /// Policy: logarithmic (gaps that grow with age), calendar or fabfile (what django-fabfile kept); the last two take their
    /// numbers from --keep-hourly to --keep-yearly [default: logarithmic, unless rules are given]
    #[arg(long, value_name = "NAME", value_parser = policy_name)]
    pub(crate) policy: Option<PolicyName>,
    /// Write the plan to this file, for `ec2 apply`, and delete nothing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from_json", "simulate"])]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
    /// Plan for the snapshots in this file (`-` for standard input), the output of `aws ec2 describe-snapshots`, without
    /// asking EC2; with -n
    #[arg(long, value_name = "FILE", requires = "dry_run")]
    pub(crate) from_json: Option<PathBuf>,
    /// Plan as of this time instead of now; with -n
    #[arg(long, value_name = "TIME", requires = "dry_run", value_parser = moment)]
    pub(crate) now: Option<Timestamp>,
    /// Offset of local time, where days begin [default: +00:00]
    #[arg(long, value_name = "OFFSET", allow_hyphen_values = true, value_parser = offset)]
    pub(crate) local_offset: Option<Offset>,
    /// Show what the policy would keep over time, without asking EC2
    #[arg(long, conflicts_with = "from_json")]
    pub(crate) simulate: bool,
    /// Time between snapshots in a simulation
    #[arg(long, value_name = "TIME", default_value = "1h", requires = "simulate", value_parser = time::duration)]
    pub(crate) cadence: SignedDuration,
    /// Duration of a simulation, such as 2y
    #[arg(long = "for", value_name = "TIME", default_value = "2y", requires = "simulate", value_parser = long)]
    pub(crate) lasts: SignedDuration,
    /// Write the curve of a simulation to this file as SVG
    #[arg(long, value_name = "FILE", requires = "simulate")]
    pub(crate) svg: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) keep: Keep,
}

impl Trim {
    /// What is kept, and how it is called.
    pub(crate) fn policy(&self) -> (Policy, String) {
        let zone = self.local_offset.unwrap_or(Offset::UTC).to_time_zone();
        let rules = self.keep.policy().rules;
        let name = match self.policy {
            None if !rules.is_empty() => {
                let words: Vec<String> = rules.iter().map(ToString::to_string).collect();
                return (Policy::new(rules).in_time_zone(zone), words.join(", "));
            }
            named => named.unwrap_or_default(),
        };
        (named(name, &self.keep, rules, &zone), name.to_string())
    }
}

/// A policy by its name; what is no number of it keeps more.
fn named(name: PolicyName, keep: &Keep, rules: Vec<Rule>, zone: &TimeZone) -> Policy {
    let own = Numbers::default();
    let numbers = Numbers {
        hourly: keep.keep_hourly.unwrap_or(own.hourly),
        daily: keep.keep_daily.unwrap_or(own.daily),
        weekly: keep.keep_weekly.unwrap_or(own.weekly),
        monthly: keep.keep_monthly.unwrap_or(own.monthly),
        quarterly: keep.keep_quarterly.unwrap_or(own.quarterly),
        yearly: keep.keep_yearly.unwrap_or(own.yearly),
    };
    if name == PolicyName::Logarithmic {
        // With a base and ratio of its own the usual ones would keep more than was asked for.
        let is_given = rules.iter().any(|rule| matches!(rule, Rule::Logarithmic(_)));
        return if is_given {
            Policy::new(rules).in_time_zone(zone.clone())
        } else {
            policy(name, numbers, rules, zone)
        };
    }
    let more = rules.into_iter().filter(|rule| !matches!(rule, Rule::Calendar(..)));
    policy(name, numbers, more.collect(), zone)
}

fn policy_name(text: &str) -> Result<PolicyName, &'static str> {
    text.parse().map_err(|_| "use `logarithmic`, `calendar` or `fabfile`")
}

fn moment(text: &str) -> Result<Timestamp, &'static str> {
    text.parse().map_err(|_| "use a time with its time zone, such as `2026-11-21T03:00:00Z`")
}

fn offset(text: &str) -> Result<Offset, &'static str> {
    const HOW: &str = "use an offset such as `+02:00` or `-05:30`";
    let (sign, rest) = match text.split_at_checked(1).ok_or(HOW)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return Err(HOW),
    };
    let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "0"));
    let number =
        |text: &str, most: i32| text.parse::<i32>().ok().filter(|number| (0..=most).contains(number)).ok_or(HOW);
    let seconds = number(hours, 23)? * 3_600 + number(minutes, 59)? * 60;
    Offset::from_seconds(sign * seconds).map_err(|_| HOW)
}

/// A duration that may be years: they count 365 days here, months 30.
fn long(text: &str) -> Result<SignedDuration, &'static str> {
    const HOW: &str = "use a duration with its unit, such as `90d` or `2y`";
    let span = time::span(text).map_err(|_| HOW)?;
    let days = i64::from(span.get_years()) * 365 + i64::from(span.get_months()) * 30;
    let rest = span.years(0).months(0);
    let rest = rest.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| HOW)?;
    Ok(SignedDuration::from_hours(days * 24) + rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    use crate::args::{Cli, Command};

    fn trim(line: &str) -> Trim {
        let words = format!("lastgood ec2 trim {line}");
        match Cli::try_parse_from(words.split_whitespace()).unwrap().command {
            Command::Ec2(crate::args::ec2::Ec2::Trim(trim)) => *trim,
            _ => panic!("another command"),
        }
    }

    #[test]
    fn without_a_policy_the_rules_alone_count_and_without_both_the_logarithmic_one() {
        assert_eq!(trim("").policy().1, "logarithmic");
        assert_eq!(trim("--keep-daily 7").policy().0.rules.len(), 1);
        assert_eq!(trim("--policy logarithmic --keep-daily 7").policy().0.rules.len(), 2);
        assert_eq!(trim("--policy logarithmic --logarithmic 1d,0.2").policy().0.rules.len(), 1);
        let (calendar, name) = trim("--policy calendar --keep-hourly 0 --keep-last 3").policy();
        assert_eq!((calendar.rules.len(), name.as_str()), (7, "calendar"));
    }

    #[test]
    fn offsets_and_years_are_read() {
        assert_eq!(offset("+02:00").map(Offset::seconds), Ok(7_200));
        assert_eq!(offset("-05:30").map(Offset::seconds), Ok(-19_800));
        for wrong in ["", "2", "+25", "+02:99", "Z"] {
            assert!(offset(wrong).is_err(), "{wrong}");
        }
        assert_eq!(long("2y").unwrap().as_hours(), 2 * 365 * 24);
        assert!(long("soon").is_err());
    }

    #[test]
    fn reading_a_file_never_deletes() {
        let parsed = Cli::try_parse_from("lastgood ec2 trim --from-json a.json".split_whitespace());
        assert!(parsed.is_err());
        assert!(trim("-n --from-json a.json --now 2026-11-21T03:00:00Z").from_json.is_some());
    }
}
