//! What the dumping role cannot read, reported before the first row is copied.

use crate::adapters::connection::Session;
use crate::adapters::sql::readable;
use crate::dump::selection::Selection;
use crate::error::{PgError, PgResult};

/// Most names an error lists.
const NAMES_SHOWN: usize = 20;

/// Asks the server about everything that would be read.
pub(crate) async fn check(session: &Session, selection: &Selection) -> PgResult<()> {
    let kept: Vec<u32> = selection.kept.iter().map(|relation| relation.oid).collect();
    let excluded: Vec<u32> = selection.excluded.iter().map(|relation| relation.oid).collect();
    let with_rows: Vec<u32> = selection.with_rows.iter().copied().collect();
    let unreadable = readable::unreadable(session, &kept, &excluded, &with_rows).await?;
    verdict(&unreadable.forbidden, &unreadable.hidden)
}

fn verdict(forbidden: &[String], hidden: &[String]) -> PgResult<()> {
    if !forbidden.is_empty() {
        return Err(PgError::Unreadable { tables: names(forbidden) });
    }
    if !hidden.is_empty() {
        return Err(PgError::RowsHidden { tables: names(hidden) });
    }
    Ok(())
}

fn names(all: &[String]) -> String {
    let mut text = all.iter().take(NAMES_SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if all.len() > NAMES_SHOWN {
        text.push_str(&format!(" and {} more", all.len() - NAMES_SHOWN));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_in_the_way_is_named_at_once() {
        let many: Vec<String> = (0..25).map(|at| format!("public.t{at}")).collect();
        let error = verdict(&many, &[]).unwrap_err().to_string();
        assert!(error.contains("`public.t0`, `public.t1`") && error.ends_with(" and 5 more"), "{error}");
        let error = verdict(&[], &["public.tenants".to_owned()]).unwrap_err().to_string();
        assert_eq!(error, "row security would hide rows of `public.tenants`");
        verdict(&[], &[]).unwrap();
    }
}
