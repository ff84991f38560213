//! Rules by which the bucket itself deletes archives, or moves what must be readable: a pure decision about what it tells.
//!
//! What such a rule deletes is still named by manifests, and is not archived again: nothing on this machine has changed. An
//! archive that is moved is retrieved from where it is; a manifest that is moved hides its backup.

use backup_core::units;
use jiff::Timestamp;
use serde::Serialize;

use crate::class::Class;
use crate::price::PriceBook;

/// A rule of a bucket that deletes objects, or moves them to where they must be retrieved from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Expiring {
    /// What the rule is called.
    pub rule: Option<String>,
    /// Which objects it is for, by the beginning of their keys; empty for all.
    pub prefix: String,
    /// When it does.
    #[serde(flatten)]
    pub when: When,
    /// The class that it moves them to; absent if it deletes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Class>,
}

/// When a rule deletes or moves objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// So many days after they were stored.
    AfterDays(u32),
    /// From a day on.
    From(Timestamp),
}

impl Expiring {
    /// Whether it does any harm in `folder`, as the bucket has it, where archives are in the folders `payloads`: these may be
    /// moved, and nothing else.
    #[must_use]
    pub fn meets(&self, folder: &str, payloads: &[String]) -> bool {
        let is_of_payloads = payloads.iter().any(|payload| self.prefix.starts_with(payload.as_str()));
        let is_there = folder.starts_with(&self.prefix) || self.prefix.starts_with(folder);
        is_there && !(self.to.is_some() && is_of_payloads)
    }

    /// What somebody should know who archives in `class`.
    #[must_use]
    pub fn warning(&self, class: Option<Class>, prices: &PriceBook) -> String {
        let name = self.rule.as_ref().map_or_else(String::new, |rule| format!(" `{rule}`"));
        let place = if self.prefix.is_empty() { "everything".to_owned() } else { format!("`{}*`", self.prefix) };
        let when = match self.when {
            When::AfterDays(days) => format!("after {}", days_of(days)),
            When::From(day) => format!("from {} on", day.strftime("%Y-%m-%d")),
        };
        if let Some(to) = self.to {
            return format!(
                "the bucket's lifecycle rule{name} moves {place} to {to} {when}: manifests and lists of this backup must then be \
                 retrieved before it can be used; let the rule move `archives/`, `bundles/` and `database/` alone"
            );
        }
        let paid = match (self.when, class.and_then(|class| prices.class.get(&class).map(|own| (class, own)))) {
            (When::AfterDays(days), Some((class, own))) if days < own.minimum_days => {
                format!(", and {class} is paid for {} all the same", days_of(own.minimum_days))
            }
            _ => String::new(),
        };
        format!(
            "the bucket's lifecycle rule{name} deletes {place} {when}: archives of this backup are lost then, and are not \
             archived again{paid}"
        )
    }
}

fn days_of(days: u32) -> String {
    units::counted(u64::from(days), "day", "days")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(prefix: &str, days: u32) -> Expiring {
        Expiring { rule: Some("tidy".to_owned()), prefix: prefix.to_owned(), when: When::AfterDays(days), to: None }
    }

    #[test]
    fn a_rule_is_told_if_it_meets_the_folder_or_a_part_of_it() {
        let folder = "team/glacier/uploads/";
        let payloads = ["team/glacier/uploads/archives/".to_owned()];
        let moves = |prefix: &str| Expiring { to: Some(Class::DeepArchive), ..rule(prefix, 30) };
        for prefix in ["", "team", "team/glacier/", folder, "team/glacier/uploads/archives/"] {
            assert!(rule(prefix, 30).meets(folder, &payloads), "{prefix}");
            assert_eq!(moves(prefix).meets(folder, &payloads), !prefix.ends_with("archives/"), "{prefix}");
        }
        for prefix in ["teams/", "team/glacier/other/", "team/glacier/uploads2", "glacier/uploads/"] {
            assert!(!rule(prefix, 30).meets(folder, &payloads) && !moves(prefix).meets(folder, &payloads), "{prefix}");
        }
        let told = moves("team/").warning(Some(Class::Glacier), &PriceBook::builtin().unwrap());
        assert!(told.contains("rule `tidy` moves `team/*` to DEEP_ARCHIVE after 30 days: manifests"), "{told}");
    }

    #[test]
    fn days_before_the_minimum_cost_something() {
        let prices = PriceBook::builtin().unwrap();
        let told = rule("team/", 30).warning(Some(Class::Glacier), &prices);
        assert_eq!(
            told,
            "the bucket's lifecycle rule `tidy` deletes `team/*` after 30 days: archives of this backup are lost then, and \
             are not archived again, and GLACIER is paid for 90 days all the same"
        );
        let told = rule("", 400).warning(Some(Class::Glacier), &prices);
        assert!(told.contains("deletes everything after 400 days") && !told.contains("paid"), "{told}");
        let dated = Expiring { when: When::From("2027-01-01T00:00:00Z".parse().unwrap()), ..rule("x", 1) };
        assert!(dated.warning(None, &prices).contains("from 2027-01-01 on"));
    }
}
