//! Pages of describe calls (EC2 API Reference, "Query requests", section "Pagination").

use std::ops::RangeInclusive;

use backup_core::clock::Timestamp;

use super::form::Form;
use super::rules::refused;
use super::settings::Settings;
use super::state::later;
use super::token::{fingerprint, open, seal};
use super::xml::Xml;
use crate::aws_fake::ApiError;

/// A page that was asked for.
#[derive(Debug)]
pub(super) struct Page {
    /// Ids of earlier pages are up to here.
    pub(super) after: Option<String>,
    max: Option<usize>,
    query: String,
    end: Timestamp,
    empty_next: bool,
}

impl Page {
    /// Reads `MaxResults`, which must be in `allowed` and cannot stand beside ids, and `NextToken`, which is accepted for
    /// the same query only and for a while.
    pub(super) fn read(
        form: &Form,
        settings: &Settings,
        allowed: RangeInclusive<u64>,
        ids: &str,
        now: Timestamp,
    ) -> Result<Self, ApiError> {
        let asked = form.number("MaxResults")?;
        if let Some(asked) = asked {
            if !allowed.contains(&asked) {
                let text = format!(
                    "Value ( {asked} ) for parameter maxResults is invalid. Expecting a value between {} and {}.",
                    allowed.start(),
                    allowed.end()
                );
                return Err(refused("InvalidParameterValue", text));
            }
            if !form.texts(ids).is_empty() {
                let text = format!("The parameter {ids} cannot be used with the parameter maxResults");
                return Err(refused("InvalidParameterCombination", text));
            }
        }
        let query: Vec<String> = form
            .fields()
            .filter(|(name, _)| *name != "NextToken")
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let query = fingerprint(&query.join("&"));
        let after = match form.get("NextToken") {
            None | Some("") => None,
            Some(token) => {
                let fields = open(token, &["page", &query], now).map_err(|_| {
                    refused("InvalidPaginationToken", "The pagination token is not valid or has expired.")
                })?;
                fields.into_iter().next()
            }
        };
        let max = asked.map(|asked| usize::try_from(asked).unwrap_or(usize::MAX).min(settings.page_max));
        let end = later(now, settings.page_token_s.saturating_mul(1000));
        Ok(Self { after, max, query, end, empty_next: settings.empty_next_token })
    }

    /// The entries of this page out of those behind `after`, and whether there are more.
    pub(super) fn take<'a, T>(&self, entries: impl Iterator<Item = (&'a str, T)>) -> (Vec<T>, Option<String>) {
        let mut page = Vec::new();
        let mut last = None;
        for (id, entry) in entries {
            if self.max.is_some_and(|max| page.len() >= max) {
                return (page, last.map(|last: &str| seal(&["page", &self.query, last], self.end)));
            }
            page.push(entry);
            last = Some(id);
        }
        (page, None)
    }

    /// The token of the next page.
    pub(super) fn write(&self, xml: &mut Xml, next: Option<String>) {
        let none = self.empty_next.then(String::new);
        xml.maybe("nextToken", next.or(none));
    }
}
