//! What an archive's statements would do outside of the new database, or run on the server: found before anything is made.
//!
//! `pg_dump` writes statements that make something in one database. Whoever can write to the location can put others into an
//! archive, and `pg_restore` sends what it is given, with the rights of the restoring role. What functions do when they are
//! called, no reader can tell: that is why a restore is better not run by a superuser.

mod entry;
mod judge;
mod kind;
mod settings;
mod tokens;

use std::collections::BTreeSet;

use backup_core::failure::Setting;
use backup_core::remedy;

use crate::error::{Obstacle, PgError, PgResult, Problem};
use crate::restore::archive_toc::{self, Written};
use crate::restore::outside::entry::{is_of_the_database, of_entry, strings};
pub use crate::restore::outside::kind::Outside;
pub(crate) use crate::restore::outside::kind::{Acting, Content};
use crate::stored::database_settings::DatabaseSettings;

/// Entries that are told; more would not help anybody.
const TOLD_MAX: usize = 5;

/// Refuses an archive that acts outside of the new database but for what is `allowed`.
///
/// # Errors
/// [`PgError::Obstacle`]; [`PgError::Integrity`] for an archive that cannot be read.
pub(crate) fn refuse(archive: &[u8], content: Content, dump: &str, allowed: &BTreeSet<Outside>) -> PgResult<()> {
    let acting = acting(archive, content).map_err(|what| PgError::Integrity {
        dump: dump.to_owned(),
        what: format!("the schema archive's table of contents cannot be read: {what}"),
    })?;
    refuse_unless(&acting, "schema", dump, allowed)
}

/// Refuses settings of a database that act outside of it but for what is `allowed`.
///
/// # Errors
/// [`PgError::Obstacle`].
pub(crate) fn refuse_settings(settings: &DatabaseSettings, dump: &str, allowed: &BTreeSet<Outside>) -> PgResult<()> {
    refuse_unless(&settings::acting(settings), "manifest", dump, allowed)
}

fn refuse_unless(acting: &[Acting], part: &str, dump: &str, allowed: &BTreeSet<Outside>) -> PgResult<()> {
    let refused: Vec<&Acting> = acting.iter().filter(|acting| !allowed.contains(&acting.outside)).collect();
    match problem(&refused, part) {
        Some(problem) => Err(problem.against(&format!("`{dump}` cannot be restored"))),
        None => Ok(()),
    }
}

/// Refuses an archive that `pg_restore` may be able to read and we are not, unless statements that nobody has read are
/// `allowed`.
///
/// # Errors
/// [`PgError::Obstacle`].
pub(crate) fn refuse_unread(why: &str, dump: &str, allowed: &BTreeSet<Outside>) -> PgResult<()> {
    if allowed.contains(&Outside::Commands) {
        return Ok(());
    }
    let what =
        format!("its statements cannot be read ({why}), so nobody knows what they do outside of the new database");
    let help = remedy![
        "if you trust whoever wrote the dump, use ",
        Setting::AllowOutside.with(Outside::Commands.name().to_owned())
    ];
    Err(Problem::new(Obstacle::ActsOutside, what, help).against(&format!("`{dump}` cannot be restored")))
}

/// What stands against a restore of statements that nobody has allowed.
fn problem(refused: &[&Acting], part: &str) -> Option<Problem> {
    let kinds: BTreeSet<Outside> = refused.iter().map(|acting| acting.outside).collect();
    let mut told: Vec<String> = Vec::new();
    for acting in refused {
        let line = format!("{} {}", acting.entry, acting.outside.does());
        if !told.contains(&line) {
            told.push(line);
        }
    }
    let more = told.len().saturating_sub(TOLD_MAX);
    told.truncate(TOLD_MAX);
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    let mut help = remedy!["if you trust whoever wrote the dump, use "];
    for (at, kind) in kinds.iter().enumerate() {
        let between = if at == 0 { "" } else { " and " };
        help = help.and(remedy![between, Setting::AllowOutside.with(kind.name().to_owned())]);
    }
    let what = format!("its {part} acts outside of the new database: {}", told.join("; "));
    (!kinds.is_empty()).then(|| Problem::new(Obstacle::ActsOutside, what, help))
}

/// Everything in an archive that acts outside of a new database.
pub(crate) fn acting(archive: &[u8], content: Content) -> Result<Vec<Acting>, String> {
    let entries = archive_toc::parse_all(archive)?;
    let strings = strings(&entries);
    let mut acting = Vec::new();
    for one in entries.iter().filter(|one| !is_of_the_database(&one.written.entry)) {
        let entry = told_entry(&one.written);
        let found = of_entry(one, content, strings, &entries);
        acting.extend(found.into_iter().map(|outside| Acting { outside, entry: entry.clone() }));
    }
    Ok(acting)
}

fn told_entry(written: &Written) -> String {
    // Whoever wrote it may have given it any name.
    format!("`{}`", written.entry.label().escape_debug())
}

/// Whether a dump has code that runs while it is restored, with the rights of the restoring role.
pub(crate) fn has_code(entries: &[archive_toc::Entry]) -> bool {
    const CODE: [&str; 4] = ["AGGREGATE", "EVENT TRIGGER", "FUNCTION", "PROCEDURE"];
    entries.iter().any(|entry| CODE.contains(&entry.kind.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::archive_toc::Entry;

    #[test]
    fn what_is_refused_is_named_with_what_allows_it() {
        let acting = |outside, entry: &str| Acting { outside, entry: entry.to_owned() };
        let all = [acting(Outside::Roles, "`role r`"), acting(Outside::Languages, "`function f`")];
        let problem = problem(&all.iter().collect::<Vec<_>>(), "schema").unwrap();
        assert!(problem.what.contains("`role r` changes roles"), "{}", problem.what);
        let help = problem.help.to_string();
        assert!(help.contains("roles") && help.contains("languages"), "{help}");
        assert_eq!(super::problem(&[], "schema"), None);
        let many: Vec<Acting> = (0..9).map(|at| acting(Outside::Roles, &format!("`role {at}`"))).collect();
        let told = super::problem(&many.iter().collect::<Vec<_>>(), "schema").unwrap().what;
        assert!(told.contains("and 4 more"), "{told}");
    }

    #[test]
    fn whoever_restores_code_is_told() {
        let entry = |kind: &str| Entry { id: 7, kind: kind.into(), schema: None, name: "n".into(), needs: Vec::new() };
        assert!(has_code(&[entry("TABLE"), entry("FUNCTION")]));
        assert!(!has_code(&[entry("TABLE"), entry("INDEX")]));
    }
}
