//! The messages of `pg_dump` and `pg_restore`: harmless by a written rule, or fatal.
//!
//! `pg_restore` goes on after an error and says so only in its exit code, and tools that look at neither have reported
//! empty databases as restored. Here every message that no rule of [`ALLOW_LIST`] covers stops the restore, messages this
//! parser does not understand included.

mod allow_list;
mod expectations;
mod identifier;
mod mixed;
mod parse;

use std::fmt;

use serde::Serialize;

use self::parse::REFUSED;

pub use allow_list::{ALLOW_LIST, MANAGED_ROLES, Reason, Rule};
pub use parse::{Message, Severity};

pub use crate::restore::messages::expectations::Expectations;

/// Most messages of each sort that are kept; all are counted. A restore with more needs no further evidence.
pub const MESSAGES_KEPT_MAX: usize = 1_000;

/// A message that a rule allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Harmless {
    /// The rule.
    pub reason: Reason,
    /// The message.
    pub message: Message,
}

impl Harmless {
    /// What is told of it; nothing if that is told with another one.
    pub(crate) fn told(&self) -> Option<String> {
        if self.reason != Reason::BrokenForeignKey {
            return Some(self.message.to_string());
        }
        let key = allow_list::key_made_by(self.message.command.as_deref()?)?;
        Some(format!(
            "the foreign key `{}.{}.{}` was left out: rows of the dump need rows that were left out of it",
            key.schema, key.table, key.name
        ))
    }
}

/// What a program printed, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Classified {
    /// Messages that a rule allows, the first [`MESSAGES_KEPT_MAX`].
    pub harmless: Vec<Harmless>,
    /// How many there were.
    pub harmless_count: u64,
    /// All others, the first [`MESSAGES_KEPT_MAX`].
    pub fatal: Vec<Message>,
    /// How many there were.
    pub fatal_count: u64,
    /// `errors ignored on restore: N`, printed by a `pg_restore` that reached its end.
    pub errors_ignored: Option<u64>,
}

impl Classified {
    /// Whether a `pg_restore` that ended with `exit_code` did all it should: 0, or 1 with the summary it prints at its
    /// end, and nothing fatal either way. A killed program has no exit code and did not.
    #[must_use]
    pub fn accepts(&self, exit_code: Option<i32>) -> bool {
        let reached_its_end = match exit_code {
            Some(0) => true,
            Some(1) => self.errors_ignored.is_some(),
            _ => false,
        };
        reached_its_end && self.fatal_count == 0
    }

    /// Whether a `pg_restore` that ended with `exit_code` did all but what is fatal, of which all is known.
    pub(crate) fn only_refused(&self, exit_code: Option<i32>) -> bool {
        exit_code == Some(1) && self.errors_ignored.is_some() && self.fatal.len() as u64 == self.fatal_count
    }
}

/// Sorts everything a `pg_restore` or `pg_dump` printed on stderr. It must run with `LC_ALL=C` and without `--verbose`;
/// messages in another language match no rule, so they are fatal.
#[must_use]
pub fn classify(stderr: &str, expectations: &Expectations) -> Classified {
    let mut classified = Classified::default();
    let (mut errors, mut refusals) = (0, 0);
    let stderr = if expectations.parallel { &mixed::apart(stderr) } else { stderr };
    for message in parse::messages(stderr) {
        if let Some(count) = message.errors_ignored() {
            classified.errors_ignored = Some(count);
            continue;
        }
        errors += u64::from(message.severity == Severity::Error);
        refusals += usize::from(message.text.starts_with(REFUSED));
        classified.add(message, expectations);
    }
    // Of two workers that write at the same moment, one message may stand within the other.
    let all_stand_apart = stderr.matches(REFUSED).count() == refusals;
    let may_miscount = expectations.parallel && errors > 0 && all_stand_apart;
    if classified.errors_ignored.is_some_and(|ignored| ignored != errors) && !may_miscount {
        // Something was printed that looked like part of another message.
        let text = format!("pg_restore ignored {} errors and printed {errors}", classified.errors_ignored.unwrap_or(0));
        classified.add(Message::unexplained(&text), expectations);
    }
    classified
}

impl Classified {
    fn add(&mut self, message: Message, expectations: &Expectations) {
        if let Some(reason) = allow_list::reason(&message, expectations) {
            self.harmless_count += 1;
            if self.harmless.len() < MESSAGES_KEPT_MAX {
                self.harmless.push(Harmless { reason, message });
            }
        } else {
            self.fatal_count += 1;
            if self.fatal.len() < MESSAGES_KEPT_MAX {
                self.fatal.push(message);
            }
        }
    }
}

impl Message {
    /// The table whose rows the server refused, without its schema; none if it is about something else.
    pub(crate) fn refused_table(&self) -> Option<&str> {
        let (table, said) = parse::refused_rows(self.text.lines().next()?)?;
        parse::after_severity(said).map(|_| table)
    }

    /// What the server said, with detail, hint and context, in one line and without the statement; none if it is not an
    /// error of the server's.
    pub(crate) fn servers_words(&self) -> Option<String> {
        let first = self.server_error()?;
        let is_of_statement = |line: &&str| line.starts_with("LINE ") || line.trim() == "^";
        let rest = self.text.lines().skip(1).filter(|line| !is_of_statement(line)).map(str::trim);
        Some(std::iter::once(first).chain(rest.filter(|line| !line.is_empty())).collect::<Vec<_>>().join("; "))
    }
}

/// The message and the first line of its command, in one line.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.text.lines().map(str::trim).filter(|line| !line.is_empty());
        f.write_str(lines.next().unwrap_or("an empty message"))?;
        for line in lines {
            write!(f, "; {line}")?;
        }
        match self.command.as_deref().and_then(|command| command.lines().next()) {
            Some(command) => write!(f, " (`{}`)", command.trim_end()),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Harmless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is harmless: {}", self.message, self.reason.why())
    }
}

#[cfg(test)]
mod tests;
