//! `lastgood config`: effective settings, where they come from, and whether the configuration file is valid.

use lastgood_operator::settings::{self, Checked, Layer};
use serde::Serialize;

use crate::args::config::{Config, Show};
use crate::config;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::settings::{checked, named, settings};

/// What `config path` says.
#[derive(Debug, Serialize)]
struct Path {
    path: Option<String>,
    looked_for: Vec<String>,
}

/// What `config check` says.
#[derive(Debug, Serialize)]
struct Check {
    path: Option<String>,
    #[serde(flatten)]
    checked: Option<Checked>,
}

pub(super) fn run(command: &Config, context: &Context) -> CliResult<Exit> {
    match command {
        Config::Show(arguments) => show(arguments, context),
        Config::Ls => ls(context),
        Config::Check => check(context),
        Config::Schema => schema(context),
        Config::Path => path(context),
    }
}

fn show(arguments: &Show, context: &Context) -> CliResult<Exit> {
    let effective = context.config.settings(arguments.config.as_deref(), Layer::default())?;
    // What is shown should be what works.
    effective.guard()?;
    effective.environment()?;
    context.printer.result(&effective.shown(), |shown| settings(shown, arguments.origin))?;
    Ok(Exit::Ok)
}

/// The names that can stand behind `--config` and `-P`.
fn ls(context: &Context) -> CliResult<Exit> {
    let located = config::locate(&context.global)?;
    if located.path.is_none() {
        no_file(&located.looked, context);
    }
    context.printer.result(&context.config.names(), |names| named(names))?;
    Ok(Exit::Ok)
}

/// The file that is read, and the others that can forbid something.
fn check(context: &Context) -> CliResult<Exit> {
    let located = config::locate(&context.global)?;
    for other in located.looked.iter().filter(|path| Some(*path) != located.path.as_ref()) {
        settings::check(other)?;
    }
    let Some(file) = located.path else {
        no_file(&located.looked, context);
        context.printer.result(&Check { path: None, checked: None }, |_| String::new())?;
        return Ok(Exit::Ok);
    };
    let judged = settings::check(&file)?;
    let result = Check { path: Some(file.display().to_string()), checked: judged };
    context
        .printer
        .result(&result, |result| result.checked.as_ref().map_or_else(String::new, |judged| checked(&file, judged)))?;
    Ok(Exit::Ok)
}

fn schema(context: &Context) -> CliResult<Exit> {
    let schema = settings::schema();
    context.printer.result(&schema, |schema| format!("{schema:#}"))?;
    Ok(Exit::Ok)
}

fn path(context: &Context) -> CliResult<Exit> {
    let located = config::locate(&context.global)?;
    let text = |path: &std::path::PathBuf| path.display().to_string();
    let result = Path { path: located.path.as_ref().map(text), looked_for: located.looked.iter().map(text).collect() };
    if result.path.is_none() {
        no_file(&located.looked, context);
    }
    context.printer.result(&result, |result| result.path.clone().unwrap_or_default())?;
    Ok(Exit::Ok)
}

fn no_file(looked: &[std::path::PathBuf], context: &Context) {
    let looked: Vec<String> = looked.iter().map(|path| path.display().to_string()).collect();
    context.printer.note(&format!("there is no configuration file; looked for {}", looked.join(", ")));
}
