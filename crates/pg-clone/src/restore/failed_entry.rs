//! Which entries of an archive the messages of a `pg_restore` are about.
//!
//! From version 15 on it no longer names the entry, so that an entry is known by the statement that failed.

use std::collections::BTreeMap;

use crate::restore::archive_toc::Written;
use crate::restore::messages::Message;
use crate::restore::unrestored::Unrestored;

/// An entry of an archive that the server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailedEntry {
    /// Its number in the archive.
    pub(crate) id: u32,
    pub(crate) object: Unrestored,
    /// Whether it is not there at all, so that it can be made another time. What is there without its owner cannot.
    pub(crate) again: bool,
}

/// What a server says that has no room or no time, or is told to stop: no fault of what it was to make. A wait for a lock is
/// one of our own jobs for another, and ends with them.
const NO_REFUSALS: [&str; 7] = [
    "No space left on device",
    "out of memory",
    "out of shared memory",
    "canceling statement due to statement timeout",
    "canceling statement due to user request",
    "canceling statement due to conflict with recovery",
    "terminating connection due to",
];

/// What the server said of an object that it refuses.
pub(crate) fn refusal(message: &Message) -> Option<String> {
    let said = message.servers_words()?;
    (!NO_REFUSALS.iter().any(|words| said.contains(words))).then_some(said)
}

/// The entries that `messages` are about; none if one of them is about something else.
pub(crate) fn failed_entries(messages: &[Message], written: &[Written]) -> Option<Vec<FailedEntry>> {
    let known = Known::new(written);
    messages.iter().map(|message| known.failed(message)).collect()
}

/// The same of an archive that was read from a pipe: objects are known by their statements alone.
pub(crate) fn failed_statements(messages: &[Message]) -> Option<Vec<Unrestored>> {
    let object = |message: &Message| {
        let said = refusal(message)?;
        if let Some(table) = message.refused_table() {
            return Some(Unrestored::new(format!("rows of {table}"), said));
        }
        let statement = message.command.as_deref()?.lines().next()?;
        Some(Unrestored::new(format!("`{}`", statement.trim_end_matches(';')), said))
    };
    messages.iter().map(object).collect()
}

struct Known<'a> {
    by_statements: BTreeMap<String, &'a Written>,
    by_object: BTreeMap<&'a str, &'a Written>,
}

impl<'a> Known<'a> {
    fn new(written: &'a [Written]) -> Self {
        let of_object = |one: &'a Written| Some((object_name(one.dropped_by.trim().strip_prefix("DROP ")?), one));
        Self {
            by_statements: written
                .iter()
                .map(|one| (plain(&one.made_by), one))
                .filter(|(made_by, _)| !made_by.is_empty())
                .collect(),
            by_object: written.iter().filter_map(of_object).collect(),
        }
    }

    fn failed(&self, message: &Message) -> Option<FailedEntry> {
        let said = refusal(message)?;
        let command = plain(message.command.as_deref()?);
        if let Some(one) = self.made_by(&command, message.is_cut) {
            let object = Unrestored::new(one.entry.label(), said);
            return Some(FailedEntry { id: one.entry.id, object, again: true });
        }
        // Whose it is, is said by a statement that no entry holds.
        let (object, _) = command.strip_prefix("ALTER ")?.rsplit_once(" OWNER TO ")?;
        let one = self.by_object.get(object_name(object))?;
        let object = Unrestored::new(format!("owner of {}", one.entry.label()), said);
        Some(FailedEntry { id: one.entry.id, object, again: false })
    }

    fn made_by(&self, command: &str, is_cut: bool) -> Option<&'a Written> {
        if let Some(one) = self.by_statements.get(command) {
            return Some(*one);
        }
        // In order, what begins like it comes right after it.
        let (statement, one) = self.by_statements.range(command.to_owned()..).next()?;
        (is_cut && statement.starts_with(command)).then_some(*one)
    }
}

/// A statement as the parser of messages leaves it.
fn plain(statement: &str) -> String {
    statement.trim().lines().collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// The name in `TABLE public.t;`: kinds are in capital letters, which names are only within quotes. What is altered as a
/// table may be dropped as a view.
fn object_name(kind_and_name: &str) -> &str {
    let text = kind_and_name.trim().trim_end_matches(';');
    let name = text.split_once(|c: char| !c.is_ascii_uppercase() && c != ' ');
    name.map_or("", |(kind, _)| &text[kind.len()..])
}

#[cfg(test)]
mod tests {
    use crate::restore::archive_toc::Entry;
    use crate::restore::messages::{Expectations, classify};

    use super::*;

    fn written(id: u32, kind: &str, name: &str, made_by: &str, dropped_by: &str) -> Written {
        let entry =
            Entry { id, kind: kind.into(), schema: Some("public".into()), name: name.into(), needs: Vec::new() };
        Written { entry, made_by: made_by.into(), dropped_by: dropped_by.into() }
    }

    fn messages(statements: &[&str]) -> Vec<Message> {
        let said = statements.iter().map(|statement| {
            format!("pg_restore: error: could not execute query: ERROR:  no\nCommand was: {statement}\n\n\n")
        });
        classify(&said.collect::<String>(), &Expectations::default()).fatal
    }

    #[test]
    fn entries_are_known_by_what_makes_them_and_by_their_owner() {
        let long =
            format!("CREATE FUNCTION public.f() RETURNS text\n    LANGUAGE sql\n    AS '{}';\n", "x\n".repeat(9_000));
        let archive = [
            written(7, "INDEX", "i", "CREATE INDEX i ON public.t USING btree (a);\n", "DROP INDEX public.i;\n"),
            written(8, "FUNCTION", "f()", &long, "DROP FUNCTION public.f();\n"),
            written(
                9,
                "MATERIALIZED VIEW",
                "Mv",
                "CREATE MATERIALIZED VIEW…",
                "DROP MATERIALIZED VIEW public.\"Mv\";\n",
            ),
        ];
        let said = messages(&[
            "CREATE INDEX i ON public.t USING btree (a);",
            &long,
            "ALTER TABLE public.\"Mv\" OWNER TO nobody;",
            "ALTER FUNCTION public.f() OWNER TO nobody;",
        ]);
        let found = failed_entries(&said, &archive).unwrap();
        let found: Vec<_> = found.iter().map(|one| (one.id, one.object.object.as_str(), one.again)).collect();
        assert_eq!(
            found,
            [
                (7, "index public.i", true),
                (8, "function public.f()", true),
                (9, "owner of materialized view public.Mv", false),
                (8, "owner of function public.f()", false),
            ]
        );
        for strange in
            ["SET default_tablespace = fast;", "CREATE INDEX j ON public.t USING btree (a);", "CREATE INDEX i"]
        {
            assert_eq!(failed_entries(&messages(&[strange]), &archive), None, "{strange}");
        }
    }

    #[test]
    fn of_a_pipe_only_statements_are_known() {
        let said = "pg_restore: error: COPY failed for table \"t\": ERROR:  function f(text) does not exist\nCONTEXT:  COPY t, line 1\n\
            pg_restore: error: could not execute query: ERROR:  no\nCommand was: CREATE INDEX i\n  ON t (a);\n\n";
        let said = classify(said, &Expectations::default()).fatal;
        let found = failed_statements(&said).unwrap();
        assert_eq!(found[0], Unrestored::new("rows of t", "function f(text) does not exist; CONTEXT:  COPY t, line 1"));
        assert_eq!(found[1], Unrestored::new("`CREATE INDEX i`", "no"));
    }
}
