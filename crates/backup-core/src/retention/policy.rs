//! Retention policies: what a user wants to keep.

use std::fmt;

use jiff::{Span, tz::TimeZone};

use super::error::RetentionError;
use super::{FabfileCompatible, Logarithmic, Period};

/// One reason to keep backups.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Rule {
    /// The newest so many.
    Last(u32),
    /// The newest of each of the newest so many hours, days, weeks… that have any.
    Calendar(Period, u32),
    /// Everything younger than this, counted back from the newest good backup of the group, so that a source that fell
    /// silent loses nothing.
    Within(Span),
    /// Everything with this tag, or with one `KEY=VALUE` of this key: see [`super::tag_is_meant`].
    Tag(String),
    /// Gaps that grow with age.
    Logarithmic(Logarithmic),
    /// What django-fabfile kept.
    FabfileCompatible(FabfileCompatible),
}

/// Rules, OR-ed, and the time zone in which days begin.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The rules.
    pub rules: Vec<Rule>,
    /// Where calendar periods begin; UTC unless said otherwise.
    pub time_zone: TimeZone,
}

impl Policy {
    /// These rules, in UTC.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules, time_zone: TimeZone::UTC }
    }

    /// The same rules with days that begin in `time_zone`.
    #[must_use]
    pub fn in_time_zone(mut self, time_zone: TimeZone) -> Self {
        self.time_zone = time_zone;
        self
    }

    pub(super) fn check(&self) -> Result<(), RetentionError> {
        self.rules.iter().try_for_each(Rule::check)?;
        if self.rules.iter().any(Rule::keeps_something) { Ok(()) } else { Err(RetentionError::NoRule) }
    }

    /// Whether what is kept depends on how many there are besides.
    pub(super) fn depends_on_count(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule, Rule::Logarithmic(Logarithmic { max_count: Some(_), .. })))
    }
}

impl Rule {
    /// A rule of zero keeps nothing; a policy of nothing else would delete all but the last.
    fn keeps_something(&self) -> bool {
        !matches!(self, Self::Last(0) | Self::Calendar(_, 0))
    }

    fn check(&self) -> Result<(), RetentionError> {
        let fault = match self {
            Self::Within(span) if !span.is_positive() => Some("the time must be more than zero".to_owned()),
            Self::Tag(tag) if tag.is_empty() => Some("the tag is empty".to_owned()),
            Self::Logarithmic(rule) => rule.fault(),
            _ => None,
        };
        fault.map_or(Ok(()), |what| Err(RetentionError::Invalid { rule: self.to_string(), what }))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Last(count) => write!(f, "last {count}"),
            Self::Calendar(period, count) => write!(f, "{period} {count}"),
            Self::Within(span) => write!(f, "within {span:#}"),
            Self::Tag(tag) => write!(f, "tag {tag}"),
            Self::Logarithmic(rule) => rule.fmt(f),
            Self::FabfileCompatible(_) => f.write_str("fabfile-compatible"),
        }
    }
}
