//! Messages of workers that wrote at the same moment.
//!
//! `pg_restore` writes what a message begins with piece by piece, and its text in one go: of two workers, the beginnings can
//! be mixed, and the texts are whole.

use super::parse::{REFUSED, is_context};

/// The pieces.
const PIECES: [&str; 3] = ["pg_restore:", "error: ", " "];

/// How every message begins.
const PROGRAM: &str = "pg_restore: ";

/// How a message about a statement begins that nobody disturbed.
const BEGINNING: &str = "pg_restore: error: ";

/// What was printed, each message about a statement with a beginning of its own. What a statement contains cannot pass for a
/// message that matters: nothing else is harmless or tried again but what an entry of the archive accounts for.
pub(super) fn apart(stderr: &str) -> String {
    let mut all = String::with_capacity(stderr.len());
    for line in stderr.split_inclusive('\n') {
        let mut text = line;
        while let Some(rest) = PIECES.iter().find_map(|piece| text.strip_prefix(piece)) {
            text = rest;
        }
        if text.starts_with(REFUSED) {
            all.push_str(BEGINNING);
            all.push_str(text);
        } else if is_context(text.trim_end()) {
            // Versions 12 to 14 say where they are, in messages of their own.
            all.push_str(PROGRAM);
            all.push_str(text);
        } else {
            all.push_str(line);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::messages::{Expectations, classify};

    const FIRST: &str = "could not execute query: ERROR:  one\nCommand was: CREATE INDEX a ON t (x);\n\n\n";
    const SECOND: &str = "could not execute query: ERROR:  two\nCommand was: CREATE INDEX b ON t (y);\n\n\n";
    const END: &str = "pg_restore: warning: errors ignored on restore: 2\n";

    #[test]
    fn beginnings_are_mixed_and_texts_are_whole() {
        let mixed = [
            format!("pg_restore: error: {FIRST}pg_restore: error: {SECOND}{END}"),
            format!("pg_restore:pg_restore: error: {FIRST} error: {SECOND}{END}"),
            format!("pg_restore:pg_restore:  error: error: {FIRST}{SECOND}{END}"),
        ];
        let parallel = Expectations { parallel: true, ..Expectations::default() };
        for stderr in mixed {
            let classified = classify(&stderr, &parallel);
            let commands: Vec<_> = classified.fatal.iter().map(|message| message.command.clone().unwrap()).collect();
            assert!(commands[0].starts_with("CREATE INDEX a") && commands[1].starts_with("CREATE INDEX b"), "{stderr}");
            assert!(commands.len() == 2 && classified.only_refused(Some(1)), "{stderr}");
        }
    }

    #[test]
    fn where_older_programs_say_they_are_is_no_message() {
        let mixed = format!(
            "pg_restore:pg_restore: while PROCESSING TOC:\n while PROCESSING TOC:\npg_restore: pg_restore: from TOC entry 7; 1259 1 INDEX a x\n\
             pg_restore: error: {FIRST}from TOC entry 8; 1259 2 INDEX b x\npg_restore: error: {SECOND}{END}"
        );
        let parallel = Expectations { parallel: true, ..Expectations::default() };
        let classified = classify(&mixed, &parallel);
        assert_eq!(classified.fatal.len(), 2, "{classified:?}");
        assert!(classified.only_refused(Some(1)), "{classified:?}");
    }

    #[test]
    fn nothing_else_is_touched() {
        let text = "pg_restore: error: could not open\n  error: in a body\npg_restore: warning: x\n";
        assert_eq!(apart(text), text);
    }
}
