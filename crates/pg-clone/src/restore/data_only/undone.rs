//! What the server refused, for somebody who wants to know what became of his database.

use backup_core::failure::{Remedy, Setting};
use backup_core::remedy;

use crate::adapters::sql::target::TargetCheck;
use crate::error::PgError;
use crate::restore::data_only::decide::DataPlan;
use crate::restore::data_only::tables::LOCK_TIMEOUT_MS;

/// SQLSTATE of `foreign_key_violation`.
const KEY_BROKEN: &str = "23503";

/// SQLSTATEs of `check_violation` and `not_null_violation`.
const CHECK_BROKEN: [&str; 2] = ["23514", "23502"];

/// SQLSTATE of `lock_not_available`, as of a `lock_timeout`.
const LOCKED: &str = "55P03";

/// An error after which the server undid everything.
pub(super) fn undone(error: PgError, database: &str, plan: Option<&DataPlan>) -> PgError {
    if let PgError::Mismatch { what } = error {
        return PgError::RowsDiffer { database: database.to_owned(), what };
    }
    let PgError::Sql { doing, message, sqlstate, .. } = error else { return error };
    let help = match sqlstate.as_str() {
        KEY_BROKEN => broken_key(&message, plan),
        code if CHECK_BROKEN.contains(&code) => broken_check(&message, plan),
        LOCKED => format!(
            "another session has used it for {} s (see pg_stat_activity): run it again when that has ended",
            LOCK_TIMEOUT_MS / 1_000
        )
        .into(),
        _ => misfit(),
    };
    PgError::RolledBack {
        doing,
        message,
        sqlstate,
        help: help.and("; everything was rolled back, nothing was changed"),
    }
}

fn misfit() -> Remedy {
    "the rows do not fit, or the role lacks a privilege".into()
}

fn broken_key(message: &str, plan: Option<&DataPlan>) -> Remedy {
    let names = |key: &&String| key.rsplit('.').next().is_some_and(|name| says(message, name));
    match plan.and_then(|plan| plan.not_valid_keys.iter().find(names)) {
        Some(key) => remedy![
            format!(
                "`{key}` is NOT VALID in the live database: rows from before it may break it, and the dump has such rows. \
                 A superuser can load them as they are with "
            ),
            Setting::DisableTriggers
        ],
        None => {
            remedy!["also select the table that it refers to (", Setting::Table, "), or make sure that its rows exist"]
        }
    }
}

fn broken_check(message: &str, plan: Option<&DataPlan>) -> Remedy {
    let is_meant = |check: &&TargetCheck| says(message, check.said()) && says(message, &check.table);
    let Some(check) = plan.and_then(|plan| plan.checks.iter().find(is_meant)) else { return misfit() };
    remedy![
        format!(
            "`{}` is NOT VALID in the live database: rows from before it may break it, and the dump has such rows. The server \
             checks whatever is put in, also with ",
            check.label()
        ),
        Setting::DisableTriggers,
        format!(": {}; then restore, and put it back: {}", check.drop_statement(), check.add_statement())
    ]
}

/// Whether a message of the server names it.
fn says(message: &str, name: &str) -> bool {
    message.contains(&format!("\"{name}\""))
}

/// A refused COMMIT changes nothing; whether a lost one did, nobody can tell from here.
pub(super) fn not_committed(database: &str, error: PgError) -> PgError {
    match error {
        PgError::Lost { source, .. } => PgError::Uncertain { database: database.to_owned(), source },
        error => undone(error, database, None),
    }
}

#[cfg(test)]
mod tests {
    use backup_core::Failure;

    use super::*;

    fn sql(sqlstate: &str, message: &str) -> PgError {
        PgError::Sql {
            doing: "checking the foreign keys".to_owned(),
            message: message.to_owned(),
            sqlstate: sqlstate.to_owned(),
            help: None,
        }
    }

    fn help(error: &PgError) -> String {
        error.remedy().unwrap_or_default().to_string()
    }

    #[test]
    fn a_refusal_says_what_to_do_and_that_nothing_was_changed() {
        let cases = [("23503", "`table`"), ("55P03", "30 s"), ("22P02", "do not fit"), ("23514", "do not fit")];
        for (sqlstate, expected) in cases {
            let error = undone(sql(sqlstate, "it is broken"), "shop", None);
            assert_eq!(error.to_string(), "checking the foreign keys failed: it is broken");
            let help = help(&error);
            assert!(help.contains(expected) && help.ends_with("nothing was changed"), "{help}");
        }
        assert!(matches!(undone(PgError::Interrupted, "shop", None), PgError::Interrupted));
    }

    #[test]
    fn what_is_not_valid_is_named_with_what_helps() {
        let check = TargetCheck {
            table: "t_1".to_owned(),
            schema: "public".to_owned(),
            of_table: "t".to_owned(),
            name: "low".to_owned(),
            definition: "CHECK ((i < 5)) NOT VALID".to_owned(),
            column: None,
        };
        let not_null = TargetCheck { column: Some("i".to_owned()), name: "t_i".to_owned(), ..check.clone() };
        let plan = DataPlan {
            not_valid_keys: vec!["public.t.late".to_owned()],
            checks: vec![check, not_null],
            ..DataPlan::default()
        };
        let refused = |sqlstate: &str, message: &str| help(&undone(sql(sqlstate, message), "shop", Some(&plan)));
        let key = refused("23503", "insert on table \"t\" violates foreign key constraint \"late\"");
        assert!(key.contains("`public.t.late` is NOT VALID") && key.contains("`disable_triggers`"), "{key}");
        let said = "new row for relation \"t_1\" violates check constraint \"low\"";
        let check = refused("23514", said);
        for expected in [
            "`public.t.low` is NOT VALID",
            "ALTER TABLE \"public\".\"t\" DROP CONSTRAINT \"low\"",
            "ALTER TABLE \"public\".\"t\" ADD CONSTRAINT \"low\" CHECK ((i < 5)) NOT VALID",
            "nothing was changed",
        ] {
            assert!(check.contains(expected), "{expected}: {check}");
        }
        let null = "null value in column \"i\" of relation \"t_1\" violates not-null constraint";
        assert!(refused("23502", null).contains("`public.t.t_i` is NOT VALID"));
        // Of another table, or of a name that only begins so.
        assert!(refused("23514", &said.replace("t_1", "u")).contains("do not fit"));
        assert!(refused("23514", &said.replace("low", "lower")).contains("do not fit"));
    }

    #[test]
    fn rows_that_differ_are_told_with_what_became_of_them() {
        let what = "`public.t` holds 60 rows, not 90".to_owned();
        let error = undone(PgError::Mismatch { what }, "shop", None);
        assert_eq!(
            error.to_string(),
            "the rows in `shop` would differ from the dump: `public.t` holds 60 rows, not 90"
        );
        assert!(help(&error).contains("nothing was changed"));
    }
}
