//! What of a dump a server refuses to take, after everything that can help was tried.

use backup_core::failure::{Remedy, Setting};
use backup_core::remedy;
use backup_core::units;
use serde::Serialize;

use crate::error::PgError;
use crate::restore::hints::hints;

/// Something of a dump that is not in the restored database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Unrestored {
    /// What: `index public.posts_slug_idx`, `rows of public.posts`.
    pub object: String,
    /// What the server said against it, with detail, hint and context.
    pub said: String,
}

impl Unrestored {
    pub(crate) fn new(object: impl Into<String>, said: impl Into<String>) -> Self {
        Self { object: object.into(), said: said.into() }
    }
}

/// The error of a restore that is not complete, which names everything that is missing.
pub(crate) fn incomplete(dump: &str, failed: &[Unrestored]) -> PgError {
    let leave_out = remedy![
        "; ",
        Setting::ExcludeTable.with("TABLE"),
        " and ",
        Setting::ExcludeExtension.with("EXTENSION"),
        " leave out what you can do without"
    ];
    error(dump, failed, leave_out)
}

/// The same of a single file, of which nothing can be left out.
pub(crate) fn incomplete_file(dump: &str, failed: &[Unrestored]) -> PgError {
    error(dump, failed, Remedy::default())
}

fn error(dump: &str, failed: &[Unrestored], leave_out: Remedy) -> PgError {
    let listed: Vec<String> = failed.iter().map(|one| format!("\n  {}: {}", one.object, one.said)).collect();
    let mut help = remedy![
        "the live database was not touched. To restore the rest and have this list in the report, use ",
        Setting::AllowIncomplete,
        "; ",
        Setting::KeepFailed,
        " keeps the temporary database to finish it by hand"
    ]
    .and(leave_out);
    let said: Vec<(&str, &str)> = failed.iter().map(|one| (one.object.as_str(), one.said.as_str())).collect();
    for hint in hints(&said) {
        help = help.and("; ").and(hint);
    }
    PgError::Incomplete {
        help,
        what: format!(
            "`{dump}` cannot be restored completely: the server refuses {}{}",
            units::counted(failed.len() as u64, "object", "objects"),
            listed.concat()
        ),
    }
}

/// What a database's comment says of it: objects alone, for the server's words may be long.
pub(crate) fn note(dump: &str, failed: &[Unrestored]) -> String {
    /// Objects named in a comment; the report has all.
    const NAMED_MAX: usize = 50;
    let named: Vec<&str> = failed.iter().take(NAMED_MAX).map(|one| one.object.as_str()).collect();
    let more = match failed.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("incomplete restore of {dump}; missing: {}{more}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use backup_core::Failure;

    use super::*;

    #[test]
    fn every_object_is_named_with_the_servers_words() {
        let failed: Vec<Unrestored> =
            (0..60).map(|at| Unrestored::new(format!("index public.i{at}"), format!("it is the {at}th"))).collect();
        let error = incomplete("shop/x", &failed);
        let text = error.to_string();
        assert!(text.contains("refuses 60 objects\n  index public.i0: it is the 0th\n"), "{text}");
        assert!(text.ends_with("index public.i59: it is the 59th"), "{text}");
        let help = error.remedy().unwrap().to_string();
        assert!(help.contains("allow_incomplete") && help.contains("exclude_table"), "{help}");
        let of_file = incomplete_file("shop/x", &failed).remedy().unwrap().to_string();
        assert!(of_file.contains("allow_incomplete") && !of_file.contains("exclude"), "{of_file}");
        let note = note("shop/x", &failed);
        assert!(note.contains("missing: index public.i0, ") && note.ends_with(" and 10 more"), "{note}");
    }
}
