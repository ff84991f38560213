//! Tokens of faulty listings: what a token asks for, and what the page returns.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::faults::ListingFault;

/// Makes tokens that were never given before.
static GIVEN: AtomicU64 = AtomicU64::new(0);

/// Stands between what makes a token new and where it goes on.
const MARK: char = '~';

/// What stands before the token of an empty page that is followed by one with entries.
const PASSED: &str = "passed";

/// The page a token asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// It goes on after this.
    pub(super) after: String,
    /// It has no entries.
    pub(super) empty: bool,
}

/// What the page says of the listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) truncated: Option<bool>,
    pub(super) next: Option<String>,
}

pub(super) fn asked(fault: ListingFault, token: Option<&str>) -> Asked {
    let (mark, place) = token.and_then(|token| token.split_once(MARK)).unwrap_or(("", token.unwrap_or_default()));
    match fault {
        ListingFault::EmptyFirst => Asked { after: place.to_owned(), empty: mark != PASSED },
        ListingFault::Empty => Asked { after: String::new(), empty: true },
        ListingFault::Same | ListingFault::Restarts => Asked { after: String::new(), empty: false },
        _ => Asked { after: place.to_owned(), empty: false },
    }
}

/// `next`: where it would go on, if there is more.
pub(super) fn said(fault: ListingFault, asked: &Asked, next: Option<String>) -> Said {
    let new = |place: &str| format!("{}{MARK}{place}", GIVEN.fetch_add(1, Ordering::Relaxed));
    let more = |next: String| Said { truncated: Some(true), next: Some(next) };
    match (fault, next) {
        (ListingFault::Empty, _) => more(new("")),
        (ListingFault::EmptyFirst, _) if asked.empty => more(format!("{PASSED}{MARK}{}", asked.after)),
        (_, None) => Said { truncated: Some(false), next: None },
        (ListingFault::Cut, Some(_)) => Said { truncated: Some(true), next: None },
        (ListingFault::Unsaid, Some(_)) => Said { truncated: None, next: None },
        (ListingFault::Same, Some(_)) => more(format!("again{MARK}")),
        (ListingFault::Restarts, Some(_)) => more(new("")),
        // Back to the beginning from the second page.
        (ListingFault::Round, Some(_)) if !asked.after.is_empty() => more(format!("round{MARK}")),
        (ListingFault::EmptyFirst | ListingFault::Round | ListingFault::None | ListingFault::Unasked, Some(next)) => {
            more(format!("at{MARK}{next}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys that a client sees in pages of one key, up to `pages` pages; whether it was told that this is all.
    fn walk(fault: ListingFault, pages: usize) -> (String, bool) {
        let (mut seen, mut token) = (String::new(), None);
        for _ in 0..pages {
            let asked = asked(fault, token.as_deref());
            let rest: Vec<char> = "abc".chars().filter(|key| key.to_string() > asked.after).collect();
            let shown = if asked.empty { None } else { rest.first() };
            seen.extend(shown);
            let next = (rest.len() > 1).then(|| rest[0].to_string());
            let said = said(fault, &asked, next);
            match said.next {
                Some(next) => token = Some(next),
                None => return (seen, said.truncated == Some(false)),
            }
        }
        (seen, false)
    }

    #[test]
    fn each_fault_is_what_it_is_called() {
        for (fault, expected) in [
            (ListingFault::None, ("abc", true)),
            (ListingFault::EmptyFirst, ("abc", true)),
            (ListingFault::Cut, ("a", false)),
            (ListingFault::Unsaid, ("a", false)),
            (ListingFault::Same, ("aaaaaaaa", false)),
            (ListingFault::Restarts, ("aaaaaaaa", false)),
            (ListingFault::Round, ("abababab", false)),
            (ListingFault::Empty, ("", false)),
        ] {
            let (seen, complete) = walk(fault, 8);
            assert_eq!((seen.as_str(), complete), expected, "{fault:?}");
        }
    }
}
