//! Whether a listing goes on, has ended, or cannot be trusted: a pure decision by what each page says.
//!
//! What is deleted is decided by what a listing shows, so that one that may be short, or that never ends, is an error.

/// Pages of one listing at most: a hundred million objects at S3's thousand a page. A location has some thousands.
const PAGES_MAX: u64 = 100_000;

/// Pages without an entry in a row. S3 answers so where it passed many deleted objects, and ends at some time.
const EMPTY_PAGES_MAX: u64 = 1_000;

/// What a page says of the listing.
#[derive(Clone, Debug)]
pub(super) struct Reply<'a, T> {
    /// Whether there is more, if it says so.
    pub(super) truncated: Option<bool>,
    /// Where it goes on.
    pub(super) next: Option<T>,
    /// Its first entry.
    pub(super) first: Option<&'a str>,
}

/// A listing in progress. Remembers one page at a time, each remembered for twice as many pages as the one before: a listing
/// that goes round is found whatever the length of its round (Brent's algorithm), in little memory.
#[derive(Debug)]
pub(super) struct Pages<T> {
    count: u64,
    empty: u64,
    remembered: Option<(Option<T>, Option<String>)>,
    forget_at: u64,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self { count: 0, empty: 0, remembered: None, forget_at: 1 }
    }
}

impl<T: Clone + PartialEq> Pages<T> {
    /// Where the listing goes on after a page; `None` if that was the last one.
    ///
    /// # Errors
    /// Why the listing cannot be trusted.
    pub(super) fn after(&mut self, reply: Reply<'_, T>) -> Result<Option<T>, String> {
        self.count += 1;
        self.empty = if reply.first.is_none() { self.empty + 1 } else { 0 };
        if let Some((next, first)) = &self.remembered {
            let again = |seen: bool| if seen { Err(self.went_round()) } else { Ok(()) };
            again(reply.next.is_some() && *next == reply.next)?;
            again(reply.first.is_some() && first.as_deref() == reply.first)?;
        }
        if self.count == self.forget_at {
            self.remembered = Some((reply.next.clone(), reply.first.map(str::to_owned)));
            self.forget_at *= 2;
        }
        match (reply.truncated, reply.next) {
            (Some(false), _) => Ok(None),
            (Some(true), None) => Err("it says that there is more, but not where to continue".to_owned()),
            (None, None) => Err("it does not say whether there is more".to_owned()),
            (Some(true) | None, Some(_)) if self.count >= PAGES_MAX => {
                Err(format!("it has not ended after {} pages", self.count))
            }
            (Some(true) | None, Some(_)) if self.empty >= EMPTY_PAGES_MAX => {
                Err(format!("its last {} pages were empty, and it says that there is more", self.empty))
            }
            (Some(true) | None, next) => Ok(next),
        }
    }

    fn went_round(&self) -> String {
        format!("it starts again at its page {}, so it would never end", self.count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds pages of a server, which knows the number of the page, until the listing ends or is refused.
    fn walk(page: impl Fn(u64) -> (Option<bool>, Option<String>, Option<String>)) -> (u64, Option<String>) {
        let mut pages = Pages::default();
        for number in 0.. {
            let (truncated, next, first) = page(number);
            match pages.after(Reply { truncated, next, first: first.as_deref() }) {
                Ok(Some(_)) => {}
                Ok(None) => return (number + 1, None),
                Err(why) => return (number + 1, Some(why)),
            }
        }
        unreachable!("the walk above ends by itself")
    }

    fn text(number: u64) -> Option<String> {
        Some(number.to_string())
    }

    #[test]
    fn a_listing_ends_where_it_says_so() {
        assert_eq!(walk(|_| (Some(false), None, None)), (1, None));
        // A token that comes with the end means nothing.
        assert_eq!(walk(|_| (Some(false), text(7), text(1))), (1, None));
        assert_eq!(walk(|page| (Some(page < 4_999), text(page), text(page))), (5_000, None));
        // Some servers leave out that there is more, and say where.
        assert_eq!(
            walk(|page| if page < 9 { (None, text(page), text(page)) } else { (Some(false), None, None) }),
            (10, None)
        );
    }

    #[test]
    fn empty_pages_with_a_token_are_passed_until_they_are_too_many() {
        let last = EMPTY_PAGES_MAX - 1;
        assert_eq!(walk(|page| (Some(page < last), text(page), None)), (EMPTY_PAGES_MAX, None));
        let (_, why) = walk(|page| (Some(true), text(page), None));
        assert!(why.unwrap().contains("were empty"));
        // Every other page has something: they do not add up.
        assert_eq!(
            walk(|page| (Some(page < 5_000), text(page), if page % 2 == 0 { text(page) } else { None })),
            (5_001, None)
        );
    }

    #[test]
    fn a_listing_that_does_not_say_how_it_goes_on_is_refused() {
        let (pages, why) =
            walk(|page| if page < 3 { (Some(true), text(page), text(page)) } else { (Some(true), None, text(page)) });
        assert_eq!((pages, why.as_deref()), (4, Some("it says that there is more, but not where to continue")));
        assert_eq!(walk(|_| (None, None, text(0))).1.as_deref(), Some("it does not say whether there is more"));
    }

    #[test]
    fn no_listing_goes_on_for_ever() {
        let (pages, why) = walk(|page| (Some(true), text(page), text(page)));
        assert_eq!((pages, why.is_some()), (PAGES_MAX, true));
    }

    proptest! {
        #[test]
        fn a_round_is_found_soon_whatever_its_length(lead in 0_u64..40, round in 1_u64..40, by_token in any::<bool>()) {
            let place = |page: u64| if page < lead { page } else { lead + (page - lead) % round };
            // Only the one or the other repeats: a server may make up new tokens for the same pages.
            let (pages, why) = walk(|page| match by_token {
                true => (Some(true), text(place(page)), None),
                false => (Some(true), text(page), text(place(page))),
            });
            prop_assert!(why.unwrap().contains("starts again"));
            prop_assert!(pages <= 3 * (lead + round) + 3, "{pages} pages");
        }
    }
}
