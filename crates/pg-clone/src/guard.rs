//! Protects databases from restores; overrides every option and every confirmation.
//!
//! It is a second line of defence for production, against the right name typed on the wrong machine. Everything that
//! replaces, drops or disconnects a database asks [`Guard::refusal`]. Guards can only be extended, never loosened.

use crate::error::{PgError, PgResult};

/// Variable that forbids every restore when it says no.
pub const ALLOW_RESTORE: &str = "LASTGOOD_ALLOW_RESTORE";

/// What may not be replaced, and who says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Who forbids everything.
    forbidden: Option<String>,
    protected: Vec<Protected>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Protected {
    host: String,
    database: String,
    /// Who says so.
    said_by: String,
}

/// Why a database may not be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// What is forbidden, and by whom.
    pub what: String,
}

impl Guard {
    /// What the variable [`ALLOW_RESTORE`] forbids, if it is set.
    ///
    /// # Errors
    /// [`PgError::Usage`] if it says neither yes nor no.
    pub fn of_variable(allow_restore: Option<&str>) -> PgResult<Self> {
        let mut guard = Self::default();
        if let Some(text) = allow_restore
            && !parse_allow_restore(text)?
        {
            guard.forbid(ALLOW_RESTORE);
        }
        Ok(guard)
    }

    /// Forbids every restore; `said_by` names the place for people.
    pub fn forbid(&mut self, said_by: impl Into<String>) {
        self.forbidden.get_or_insert(said_by.into());
    }

    /// Protects the databases that `pattern` means: `HOST/DATABASE`, where `*` is any text and `?` any character. Sockets
    /// and loopback addresses are `localhost` too.
    ///
    /// # Errors
    /// [`PgError::Usage`] for a pattern without `/` or with an empty part.
    pub fn protect(&mut self, pattern: &str, said_by: impl Into<String>) -> PgResult<()> {
        // The first: a database's name may hold a `/`, a host's may not.
        let parts = pattern.split_once('/').filter(|(host, database)| !host.is_empty() && !database.is_empty());
        let (host, database) = parts.ok_or_else(|| PgError::Usage {
            what: format!("the protected pattern `{pattern}` is not HOST/DATABASE"),
            help: "nothing was changed. Use `prod-*/shop`, or `*/shop` for that database on every host".into(),
        })?;
        let protected = Protected { host: plain_host(host), database: database.to_owned(), said_by: said_by.into() };
        if !self.protected.contains(&protected) {
            self.protected.push(protected);
        }
        Ok(())
    }

    /// Takes in all that another forbids.
    pub fn join(&mut self, other: Self) {
        if let Some(said_by) = other.forbidden {
            self.forbid(said_by);
        }
        for protected in other.protected {
            if !self.protected.contains(&protected) {
                self.protected.push(protected);
            }
        }
    }

    /// Why `database` may not be replaced, filled or dropped on the server that answers to any of `hosts`; nothing if it
    /// may.
    #[must_use]
    pub fn refusal(&self, hosts: &[String], database: &str) -> Option<Refusal> {
        if let Some(said_by) = &self.forbidden {
            return Some(Refusal { what: format!("restoring is forbidden here by {said_by}") });
        }
        let hosts: Vec<String> = hosts.iter().map(|host| plain_host(host)).collect();
        let protects = |protected: &&Protected| {
            matches(&protected.database, database) && hosts.iter().any(|host| matches(&protected.host, host))
        };
        self.protected.iter().find(protects).map(|protected| Refusal {
            what: format!(
                "`{database}` is protected by `{}/{}` in {}",
                protected.host, protected.database, protected.said_by
            ),
        })
    }
}

/// Reads yes or no as people write it into a variable.
///
/// # Errors
/// [`PgError::Usage`] for anything else: it may have been meant to forbid.
pub fn parse_allow_restore(text: &str) -> PgResult<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(PgError::Usage {
            what: format!("{ALLOW_RESTORE} is neither true nor false"),
            help: format!("nothing was changed. Set {ALLOW_RESTORE}=false to forbid restores").into(),
        }),
    }
}

/// Names of hosts are the same in every case, and with the dot of the root behind.
fn plain_host(host: &str) -> String {
    host.trim_end_matches('.').to_lowercase()
}

/// Whether `pattern` is all of `text`.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut in_text) = (0, 0);
    // Where the last `*` stands, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while in_text < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, in_text));
                at += 1;
            }
            Some(sign) if *sign == '?' || *sign == text[in_text] => {
                at += 1;
                in_text += 1;
            }
            _ => {
                let Some((star_at, taken)) = star else { return false };
                star = Some((star_at, taken + 1));
                (at, in_text) = (star_at + 1, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|sign| *sign == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn guard(patterns: &[&str]) -> Guard {
        let mut guard = Guard::default();
        for pattern in patterns {
            guard.protect(pattern, "lastgood.toml:3").unwrap();
        }
        guard
    }

    fn refused(guard: &Guard, host: &str, database: &str) -> bool {
        guard.refusal(&[host.to_owned()], database).is_some()
    }

    #[test]
    fn patterns_name_hosts_and_databases() {
        let guard = guard(&["prod-*/shop", "*/billing", "db?.internal/*", "localhost/a/b"]);
        for (host, database, expected) in [
            ("prod-1", "shop", true),
            ("PROD-1.", "shop", true),
            ("prod-", "shop", true),
            ("preprod-1", "shop", false),
            ("prod-1", "Shop", false),
            ("prod-1", "shop_copy", false),
            ("anything", "billing", true),
            ("db7.internal", "whatever", true),
            ("db10.internal", "whatever", false),
            ("localhost", "a/b", true),
        ] {
            assert_eq!(refused(&guard, host, database), expected, "{host}/{database}");
        }
        let hosts = ["standby".to_owned(), "prod-2".to_owned()];
        let refusal = guard.refusal(&hosts, "shop").unwrap();
        assert_eq!(refusal.what, "`shop` is protected by `prod-*/shop` in lastgood.toml:3");
    }

    #[test]
    fn patterns_that_protect_nothing_are_refused() {
        for pattern in ["shop", "/shop", "prod-1/", "", "/"] {
            let error = Guard::default().protect(pattern, "x").expect_err(pattern);
            assert!(matches!(error, PgError::Usage { .. }), "{error}");
        }
    }

    #[test]
    fn a_variable_says_yes_or_no_or_is_refused() {
        let of = |text: &str| Guard::of_variable(Some(text));
        for text in ["false", "no", "OFF", "0", " False "] {
            assert!(refused(&of(text).unwrap(), "h", "d"), "{text}");
        }
        for text in ["true", "1", "yes"] {
            assert!(!refused(&of(text).unwrap(), "h", "d"), "{text}");
        }
        assert!(!refused(&Guard::of_variable(None).unwrap(), "h", "d"));
        for text in ["fasle", "never", "2"] {
            of(text).expect_err(text);
        }
    }

    proptest! {
        #[test]
        fn a_guard_that_is_added_to_refuses_no_less(
            a in proptest::collection::vec("[a-c*?]{1,3}/[a-c*?]{1,3}", 0..4),
            b in proptest::collection::vec("[a-c*?]{1,3}/[a-c*?]{1,3}", 0..4),
            forbids in any::<bool>(),
            host in "[a-c]{0,3}",
            database in "[a-c]{0,3}",
        ) {
            let texts = |list: &[String]| guard(&list.iter().map(String::as_str).collect::<Vec<_>>());
            let (first, mut second) = (texts(&a), texts(&b));
            if forbids {
                second.forbid("somebody");
            }
            let mut both = first.clone();
            both.join(second.clone());
            let either = refused(&first, &host, &database) || refused(&second, &host, &database);
            prop_assert_eq!(refused(&both, &host, &database), either);
        }

        #[test]
        fn a_pattern_means_what_a_regular_expression_says(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            let expression = format!("^{}$", pattern.replace('*', ".*").replace('?', "."));
            let expected = regex_lite::Regex::new(&expression).unwrap().is_match(&text);
            prop_assert_eq!(matches(&pattern, &text), expected);
        }
    }
}
