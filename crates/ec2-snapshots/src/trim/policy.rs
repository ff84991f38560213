//! The named policies of trimming.

use std::fmt;
use std::str::FromStr;

use backup_core::retention::{FabfileCompatible, Logarithmic, Period, Policy, Rule};
use jiff::tz::TimeZone;

use crate::error::Ec2Error;

/// Gaps up to this many seconds are always allowed by the policy `logarithmic`: the densest schedule that is usual.
const BASE_S: u64 = 60 * 60;

/// A policy by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PolicyName {
    /// Gaps that grow with age, without end.
    #[default]
    Logarithmic,
    /// The newest of each hour, day, week, month, quarter and year; every number counts.
    Calendar,
    /// What django-fabfile kept, defects included.
    Fabfile,
}

impl PolicyName {
    /// As it is typed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Logarithmic => "logarithmic",
            Self::Calendar => "calendar",
            Self::Fabfile => "fabfile",
        }
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for PolicyName {
    type Err = Ec2Error;

    /// # Errors
    /// [`Ec2Error::Usage`] for another word.
    fn from_str(name: &str) -> Result<Self, Ec2Error> {
        let all = [Self::Logarithmic, Self::Calendar, Self::Fabfile];
        all.into_iter().find(|policy| policy.name() == name).ok_or_else(|| {
            Ec2Error::usage(format!("there is no policy `{name}`"), "use `logarithmic`, `calendar` or `fabfile`")
        })
    }
}

/// How many hours, days… the policies `calendar` and `fabfile` keep; the defaults are django-fabfile's `[purge_backups]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// `HOURLY_BACKUPS`.
    pub hourly: u32,
    /// `DAILY_BACKUPS`.
    pub daily: u32,
    /// `WEEKLY_BACKUPS`.
    pub weekly: u32,
    /// `MONTHLY_BACKUPS`.
    pub monthly: u32,
    /// `QUARTERLY_BACKUPS`.
    pub quarterly: u32,
    /// `YEARLY_BACKUPS`.
    pub yearly: u32,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { hourly: 24, daily: 7, weekly: 4, monthly: 12, quarterly: 4, yearly: 10 }
    }
}

/// The policy `name` with its `numbers`, and `more` rules beside it. `zone` is where days begin; for `fabfile` it is the
/// clock of the machine, which the original mixes with UTC.
#[must_use]
pub fn policy(name: PolicyName, numbers: Numbers, more: Vec<Rule>, zone: &TimeZone) -> Policy {
    let Numbers { hourly, daily, weekly, monthly, quarterly, yearly } = numbers;
    let mut rules = match name {
        PolicyName::Logarithmic => vec![Rule::Logarithmic(Logarithmic::new(BASE_S))],
        PolicyName::Calendar => {
            let counts = [hourly, daily, weekly, monthly, quarterly, yearly];
            Period::ALL.into_iter().zip(counts).map(|(period, count)| Rule::Calendar(period, count)).collect()
        }
        PolicyName::Fabfile => {
            let local = zone.clone();
            vec![Rule::FabfileCompatible(FabfileCompatible {
                hourly,
                daily,
                weekly,
                monthly,
                quarterly,
                yearly,
                local,
            })]
        }
    };
    rules.extend(more);
    Policy::new(rules).in_time_zone(zone.clone())
}
