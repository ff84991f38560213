//! `lastgood reference`: the reference pages, made from the tables the code itself uses.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

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
        ("exit-codes.md", exit_codes()),
        ("lastgood.schema.json", format!("{:#}\n", lastgood_operator::settings::schema())),
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
