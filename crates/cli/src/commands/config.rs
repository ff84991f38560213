//! `lastgood config`: effective settings, and where they come from.

use serde::Serialize;

use crate::args::config::{Config, Show};
use crate::config::{self, Layer, Shown};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::table::{Align, Column, table};

/// What `config path` says.
#[derive(Debug, Serialize)]
struct Path {
    path: Option<String>,
    looked_for: Vec<String>,
}

pub(super) fn run(command: &Config, context: &Context) -> CliResult<Exit> {
    match command {
        Config::Show(arguments) => show(arguments, context),
        Config::Path => path(context),
    }
}

fn show(arguments: &Show, context: &Context) -> CliResult<Exit> {
    let settings = context.config.settings(arguments.config.as_deref(), Layer::default())?;
    // What is shown should be what works.
    settings.guard()?;
    settings.environment()?;
    context.printer.result(&settings.shown(), |shown| words(shown, arguments.origin))?;
    Ok(Exit::Ok)
}

/// `key = value` as in the file, or a table with the origins.
fn words(shown: &[Shown], origin: bool) -> String {
    if origin {
        let columns = ["SETTING", "VALUE", "ORIGIN"].map(|name| Column(name, Align::Left));
        let row = |shown: &Shown| vec![shown.key.to_owned(), value(shown), shown.origin.clone()];
        return table(&columns, shown.iter().map(row));
    }
    shown.iter().map(|shown| format!("{} = {}", shown.key, value(shown))).collect::<Vec<_>>().join("\n")
}

fn value(shown: &Shown) -> String {
    match shown.meaning {
        Some(meaning) => format!("({meaning})"),
        None => shown.value.to_string(),
    }
}

fn path(context: &Context) -> CliResult<Exit> {
    let located = config::locate(&context.global)?;
    let text = |path: &std::path::PathBuf| path.display().to_string();
    let result = Path { path: located.path.as_ref().map(text), looked_for: located.looked.iter().map(text).collect() };
    if result.path.is_none() {
        context.printer.note(&format!("there is no configuration file; looked for {}", result.looked_for.join(", ")));
    }
    context.printer.result(&result, |result| result.path.clone().unwrap_or_default())?;
    Ok(Exit::Ok)
}
