//! `lastgood reference`: the reference pages, made from the tables the code itself uses.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use backup_core::failure::{self, FailureKind};
use clap::Command;
use pg_clone::adapters::libpq::{SETTINGS, Treatment};

use crate::args;
use crate::context::Context;
use crate::env::{Group, VARIABLES};
use crate::error::{CliError, CliResult};
use crate::exit::{Exit, TABLE};

/// Columns of the help texts, whatever terminal the pages are made on.
const WIDTH: usize = 100;

pub(super) fn run(out: &Path, context: &Context) -> CliResult<Exit> {
    let unwritable =
        |source: std::io::Error| CliError::Output { target: format!("the reference to `{}`", out.display()), source };
    fs::create_dir_all(out).map_err(unwritable)?;
    let pages = [
        ("cli.md", commands()),
        ("env.md", variables()),
        ("errors.md", errors(&failure::kinds_of::<CliError>())),
        ("exit-codes.md", exit_codes()),
    ];
    for (name, text) in pages {
        fs::write(out.join(name), text).map_err(unwritable)?;
    }
    context.printer.note(&format!("wrote the reference to `{}`", out.display()));
    Ok(Exit::Ok)
}

fn commands() -> String {
    let mut text = "# Commands\n\nMade by `lastgood reference`; do not edit.\n".to_owned();
    // Values of this process's environment are no part of a reference.
    let mut root = args::command().mut_args(|argument| argument.hide_env_values(true)).term_width(WIDTH);
    root.build();
    append(&mut text, &root, "lastgood");
    text
}

fn append(text: &mut String, command: &Command, path: &str) {
    let mut shown = command.clone().term_width(WIDTH).mut_args(|argument| argument.hide_env_values(true));
    let help = shown.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    let written = write!(text, "\n## `{path}`\n\n```text\n{}\n```\n", help.join("\n").trim_end());
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
    for child in command.get_subcommands().filter(|child| !child.is_hide_set() && child.get_name() != "help") {
        append(text, child, &format!("{path} {}", child.get_name()));
    }
}

fn variables() -> String {
    let mut text =
        "# Environment variables\n\nMade by `lastgood reference`; do not edit. An option on the command line \
                    wins over a variable.\n"
            .to_owned();
    for group in Group::ALL {
        text.push_str(&format!("\n## {}\n\n| variable | meaning |\n|---|---|\n", group.title()));
        for variable in VARIABLES.iter().filter(|variable| variable.group == group) {
            text.push_str(&format!("| `{}` | {} |\n", variable.name, variable.meaning));
        }
        if group == Group::Postgres {
            text.push_str(&libpq_settings());
        }
    }
    text
}

/// The table of libpq's settings.
fn libpq_settings() -> String {
    let mut text = "\n### Settings of libpq\n\nAll of PostgreSQL 18, in connection strings, URLs, service files and as \
                    variables. What is refused ends with exit code 2 before anything is done, unless its value stands in \
                    the column. Of what says the same, the first counts: options and arguments, `LASTGOOD_PG_URL` or \
                    `DATABASE_URL` (only where the former name no host), the service, the variables here, the \
                    configuration file.\n\n| parameter | variable | here | |\n|---|---|---|---|\n"
        .to_owned();
    let code = |name: Option<&str>| name.map_or_else(String::new, |name| format!("`{name}`"));
    for setting in SETTINGS {
        let here = match setting.treatment {
            Treatment::Honoured => "honoured".to_owned(),
            Treatment::Ignored => "changes nothing".to_owned(),
            Treatment::Refused { unless: [] } => "refused".to_owned(),
            Treatment::Refused { unless } => {
                format!(
                    "refused, but for {}",
                    unless.iter().map(|value| code(Some(value))).collect::<Vec<_>>().join(", ")
                )
            }
        };
        let (keyword, variable) = (code(setting.keyword), code(setting.variable));
        text.push_str(&format!("| {keyword} | {variable} | {here} | {} |\n", setting.note));
    }
    text
}

fn exit_codes() -> String {
    let mut text =
        "# Exit codes\n\nMade by `lastgood reference`; do not edit. Read every code that is not listed here as \
                    failure.\n\n| code | meaning |\n|---|---|\n"
            .to_owned();
    for (exit, meaning) in TABLE {
        text.push_str(&format!("| {} | {meaning} |\n", exit.code()));
    }
    text
}

/// Every error that a command can end with: what it contains, the command's own error type contains as well.
fn errors(kinds: &[FailureKind]) -> String {
    let mut text = "# Errors\n\nMade by `lastgood reference`; do not edit. A code stands in brackets before its message, and in the `code` of \
                    the JSON line ([json.md](../json.md)); it stays the same from version to version. The class is what a \
                    Rust program asks an error for (`Failure::class`), with the exit code that the command ends with \
                    ([exit-codes.md](exit-codes.md)). The message names what it is about and can know better what to do. \
                    Where *passing* stands, the same command may succeed later; a code that stands nowhere here is one of \
                    a newer version.\n"
        .to_owned();
    let mut group = "";
    for kind in kinds {
        let of = kind.code.split("::").next().unwrap_or_default();
        if of != group {
            group = of;
            let title = group_title(group);
            text.push_str(&format!(
                "\n## {title}\n\n| code | class and exit code | what happened | what to do |\n|---|---|---|---|\n"
            ));
        }
        let passing = if kind.is_permanent { "" } else { ", *passing*" };
        text.push_str(&format!(
            "| `{}` | `{:?}`, {}{passing} | {} | {} |\n",
            kind.code,
            kind.class,
            Exit::from(kind.class).code(),
            kind.meaning,
            kind.remedy.unwrap_or_default()
        ));
    }
    text
}

/// What the codes that begin so are about.
fn group_title(group: &str) -> &str {
    match group {
        "app" => "`app`: records",
        "cli" => "`cli`: the command line",
        "core" => "`core`: backups of any kind",
        "dict" => "`dict`: in-memory stores",
        "format" => "`format`: manifests and other stored documents",
        "pg" => "`pg`: PostgreSQL",
        "retention" => "`retention`: retention rules",
        "store" => "`store`: the location",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::*;

    /// The folder of the committed pages.
    fn docs() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
    }

    #[test]
    fn no_two_errors_have_one_code_and_every_code_is_documented_once() {
        let kinds = failure::kinds_of::<CliError>();
        let page = fs::read_to_string(docs().join("reference/errors.md")).unwrap();
        let mut seen = BTreeSet::new();
        for kind in &kinds {
            assert!(seen.insert(kind.code), "`{}` is the code of two errors", kind.code);
            let row = format!("| `{}` | `{:?}`, {}", kind.code, kind.class, Exit::from(kind.class).code());
            assert_eq!(page.matches(&row).count(), 1, "`{}` in docs/reference/errors.md", kind.code);
            for text in [kind.meaning, kind.remedy.unwrap_or_default()] {
                assert!(!text.contains(['|', '\n']), "`{}`: {text} breaks the table", kind.code);
            }
        }
        // One of each type, so that none of them is left out of the others.
        for code in [
            "app::names",
            "cli::usage",
            "core::taken",
            "dict::gap",
            "format::newer",
            "pg::lock_table_full",
            "pg::standby",
        ] {
            assert!(seen.contains(code), "{code}");
        }
    }

    #[test]
    fn every_error_that_a_page_shows_is_one_of_ours() {
        let known: BTreeSet<&str> = failure::kinds_of::<CliError>().iter().map(|kind| kind.code).collect();
        let mut shown = 0;
        for page in ["json.md", "guides/postgres.md", "guides/objects.md"] {
            let text = fs::read_to_string(docs().join(page)).unwrap();
            for (before, after) in [("error[", ']'), ("\"code\": \"", '"')] {
                for code in text.split(before).skip(1).filter_map(|rest| rest.split(after).next()) {
                    assert!(known.contains(code), "`{code}` in {page}");
                    shown += 1;
                }
            }
        }
        assert!(shown > 2, "{shown}");
    }
}
