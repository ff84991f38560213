//! Sets sequences.

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};
use crate::ident::{qualified, quote_literal};
use crate::stored::detail::SequenceState;

/// Sequences set by one statement.
const BATCH: usize = 500;

/// Sets every sequence to what it was.
pub(crate) async fn set(session: &Session, sequences: &[SequenceState]) -> PgResult<()> {
    for batch in sequences.chunks(BATCH) {
        session.batch_execute(&statement(batch)).await.map_err(|error| PgError::sql("setting the sequences", error))?;
    }
    Ok(())
}

fn statement(sequences: &[SequenceState]) -> String {
    let call = |sequence: &SequenceState| {
        let name = quote_literal(&qualified(&sequence.schema, &sequence.name));
        format!("pg_catalog.setval({name}, {}, {})", sequence.last_value, sequence.is_called)
    };
    format!("SELECT {}", sequences.iter().map(call).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_batch_are_set_by_one_statement() {
        let state = |name: &str, last_value, is_called| SequenceState {
            schema: "s".into(),
            name: name.into(),
            last_value,
            is_called,
        };
        assert_eq!(
            statement(&[state("it's", 7, true), state("B", 1, false)]),
            r#"SELECT pg_catalog.setval('"s"."it''s"', 7, true), pg_catalog.setval('"s"."B"', 1, false)"#
        );
    }
}
