//! What every `pg_restore` is started with, and what its messages come to.

use std::process::ExitStatus;

use backup_core::failure::{Remedy, Setting};
use backup_core::remedy;
use backup_core::units;
use tokio::process::Command;

use crate::adapters::connection::Server;
use crate::adapters::pg_tools::{Tool, what_helps};
use crate::error::PgError;
use crate::options::RestoreOptions;
use crate::restore::messages::{Classified, Expectations, Harmless, Reason};

/// Memory for index builds when the server allows no more by itself, shared by the jobs; in kilobytes.
const MAINTENANCE_WORK_MEM_KB: usize = 256 * 1024;

/// PostgreSQL's own default, below which we never go; in kilobytes.
const MAINTENANCE_WORK_MEM_KB_MIN: usize = 64 * 1024;

pub(super) fn common_arguments(command: &mut Command, options: &RestoreOptions) {
    if options.no_owner {
        command.arg("--no-owner");
    }
    if options.no_acl {
        command.arg("--no-acl");
    }
    if options.managed || options.no_tablespaces {
        command.arg("--no-tablespaces");
    }
}

/// What `pg_restore` says, in English, when the server refuses a tablespace.
const NO_TABLESPACE: &str = "could not set default_tablespace";

/// First major version with the parameter `idle_session_timeout` (PostgreSQL 14 release notes).
const IDLE_SESSION_MAJOR: u32 = 14;

pub(super) fn session_options(server: &Server, tool: &Tool, jobs: usize) -> String {
    // Of several jobs, those that have nothing to do wait for the others, for as long as these take.
    let idle = if tool.server_major >= IDLE_SESSION_MAJOR { " -c idle_session_timeout=0" } else { "" };
    let work_mem = (MAINTENANCE_WORK_MEM_KB / jobs.max(1)).max(MAINTENANCE_WORK_MEM_KB_MIN);
    // The user's first: of two the server takes the last.
    format!(
        "{} -c maintenance_work_mem={work_mem} -c synchronous_commit=off -c statement_timeout={} \
        -c lock_timeout=0 -c default_transaction_read_only=off -c array_nulls=on -c client_min_messages=warning{idle}",
        server.program_options(),
        server.statement_timeout_ms()
    )
}

pub(super) fn expected(tool: &Tool, options: &RestoreOptions) -> Expectations {
    Expectations {
        managed: options.managed,
        hooks_ran: !options.hooks.post_create.is_empty(),
        unknown_setting: tool.sends_unknown_setting(),
        ..Expectations::default()
    }
}

/// What a run says that stops nothing, but for what was told once, before anything was made.
pub(super) fn told(classified: Classified) -> impl Iterator<Item = Harmless> {
    classified.harmless.into_iter().filter(|harmless| harmless.reason != Reason::UnknownSetting)
}

/// The error of a run that ended badly, with everything it said. A run is good when every message is on the allow-list:
/// `pg_restore` goes on after an error and says so only by its exit code, which it also uses for errors that do not matter.
pub(super) fn failure(tool: &Tool, status: ExitStatus, said: &str, classified: &Classified) -> PgError {
    if classified.fatal.is_empty() {
        return tool.failed(status, said);
    }
    let told: Vec<String> = classified.fatal.iter().map(ToString::to_string).collect();
    let mut help = Remedy::from(told.join("\n"));
    if let Some(helps) = what_helps(said) {
        help = help.and("\n").and(helps);
    }
    if said.contains(NO_TABLESPACE) {
        help = help.and("\nthe server has not all tablespaces of the dump: create them, or restore everything into the database's own with ");
        help = help.and(remedy![Setting::NoTablespaces]);
    }
    let help = help
        .and("\nthe live database was not touched; ")
        .and(remedy![Setting::KeepFailed, " keeps the temporary database for inspection"]);
    PgError::Tool {
        program: tool.path.display().to_string(),
        how: format!("reported {}", units::counted(classified.fatal_count, "error", "errors")),
        help,
    }
}

pub(super) fn memory(source: std::io::Error) -> PgError {
    PgError::Machine { what: "pg_restore cannot be run", safe: "the live database was not touched", source }
}
