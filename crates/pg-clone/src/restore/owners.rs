//! Owners that could not be set when their object was made: on a managed server a role gets the right to create in a
//! schema only with the privileges, which come last.

use crate::adapters::connection::Session;
use crate::adapters::sql::foreign;
use crate::restore::messages::{Harmless, Reason};

/// Tries the statements behind `postponed` again, and says which did not work out this time either.
pub(super) async fn try_again(session: &Session, postponed: Vec<Harmless>) -> Vec<String> {
    let mut warnings = Vec::new();
    for message in postponed {
        let Some(statement) = statement(&message) else {
            warnings.push(message.to_string());
            continue;
        };
        if let Err(why) = foreign::try_statement(session, statement).await {
            warnings
                .push(format!("skipped: `{}` ({why}); the restoring role owns it", statement.trim_end_matches(';')));
        }
    }
    warnings
}

/// The statement of a message, if trying it again can help.
fn statement(message: &Harmless) -> Option<&str> {
    let command = message.message.command.as_deref()?.trim();
    let is_owner = command.starts_with("ALTER ") && command.contains(" OWNER TO ") && !message.message.is_cut;
    (message.reason == Reason::OthersOwner && is_owner).then_some(command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::messages::{Expectations, classify};

    #[test]
    fn only_owners_are_tried_again() {
        let stderr = "pg_restore: error: could not execute query: ERROR:  permission denied for schema public\n\
            Command was: ALTER TABLE public.a OWNER TO app;\n\n\
            pg_restore: error: could not execute query: ERROR:  permission denied to change default privileges\n\
            Command was: ALTER DEFAULT PRIVILEGES FOR ROLE other GRANT SELECT ON TABLES  TO app;\n\n\n\
            pg_restore: warning: errors ignored on restore: 2\n";
        let managed = Expectations { managed: true, ..Expectations::default() };
        let classified = classify(stderr, &managed);
        assert!(classified.accepts(Some(1)), "{classified:?}");
        let statements: Vec<_> = classified.harmless.iter().map(statement).collect();
        assert_eq!(statements, [Some("ALTER TABLE public.a OWNER TO app;"), None]);
        assert!(!classify(stderr, &Expectations::default()).accepts(Some(1)));
    }
}
