//! One run from arguments to exit code.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use anstream::ColorChoice;
use backup_core::run::Run;
use backup_core::secret::Redactor;
use clap::error::ErrorKind;
use lastgood_operator::settings::{Config, Layer};
use tokio_util::sync::CancellationToken;

use crate::args::config::Config as ConfigCommand;
use crate::args::{Cli, Color, Command, help, words};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::{self, Exit};
use crate::render::printer::Printer;
use crate::render::{error, progress};
use crate::{args, clock, commands, config, env, faults, location, logging, secrets, signal};

/// How long is waited, at the end of everything, for what still blocks a thread; what was begun and given up is no more than
/// a temporary file.
const LAST_TASKS_MAX: Duration = Duration::from_secs(2);

/// Runs the command line; returns the code to end with.
pub(crate) fn run(arguments: Vec<OsString>) -> u8 {
    let redactor = secrets::redactor();
    for argument in &arguments {
        // A password on the command line is refused later; until then nothing may repeat it.
        secrets::register_url(&redactor, &argument.to_string_lossy());
    }
    let json = arguments.iter().any(|argument| argument == "--json");
    let cli = match args::parse(&arguments) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error, &arguments, json, redactor).code(),
    };
    match cli.global.color {
        Color::Auto => {}
        Color::Always => ColorChoice::Always.write_global(),
        Color::Never => ColorChoice::Never.write_global(),
    }
    let printer = Arc::new(Printer::new(cli.global.json, cli.global.quiet, redactor));
    report_panics(&printer);
    logging::start(cli.global.verbose, &printer);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(source) => {
            let failed = CliError::Output { action: "start threads".to_owned(), source };
            error::report(&printer, &failed, Exit::Failed);
            return Exit::Failed.code();
        }
    };
    let exit = runtime.block_on(Box::pin(execute(cli, Arc::clone(&printer))));
    // A file that is read on a disk which does not answer would be waited for without end.
    runtime.shutdown_timeout(LAST_TASKS_MAX);
    exit.code()
}

async fn execute(cli: Cli, printer: Arc<Printer>) -> Exit {
    let cancel = CancellationToken::new();
    let caught = match signal::listen(cancel.clone(), Arc::clone(&printer)) {
        Ok(caught) => caught,
        Err(source) => {
            let failed = CliError::Output { action: "install signal handlers".to_owned(), source };
            error::report(&printer, &failed, Exit::Failed);
            return Exit::Failed;
        }
    };
    let result = match context(&cli, &printer, cancel) {
        Ok(context) => {
            let ended = Box::pin(commands::run(cli.command, &context)).await;
            context.warn_of_links();
            match ended {
                Err(error) => Err(Box::pin(location::explained(error, &context)).await),
                ended => ended,
            }
        }
        Err(error) => Err(error),
    };
    if caught.exit().is_some() || result.is_err() {
        printer.warn_of_published();
    }
    match result {
        Ok(exit) => exit,
        Err(failed) => {
            // Whatever failed after a signal failed because of it: connections and children were told to end.
            let exit = caught.exit().unwrap_or_else(|| exit::of(&failed));
            error::report(&printer, &failed, exit);
            exit
        }
    }
}

fn context(cli: &Cli, printer: &Arc<Printer>, cancel: CancellationToken) -> CliResult<Context> {
    let wanted = env::value(env::PROGRESS);
    let mode = progress::Mode::choose(wanted.as_deref(), cli.global.quiet, cli.global.json)?;
    let progress = faults::wrap(progress::progress(mode, printer), &cancel);
    let run = Run { cancel, ..Run::new(progress) };
    // Documentation must be had whatever a file says, and what looks at the file itself above all when it is wrong.
    let config = match cli.command {
        Command::Completions { .. } | Command::Man { .. } | Command::Version | Command::Reference { .. } => {
            Config::default()
        }
        Command::Config(ConfigCommand::Path | ConfigCommand::Check | ConfigCommand::Schema) => Config::default(),
        _ => {
            clock::check(std::time::SystemTime::now())?;
            config::load(&cli.global)?
        }
    };
    let settings = config.settings(None, Layer::default())?;
    Ok(Context::new(cli.global.clone(), Arc::clone(printer), run, config, settings))
}

/// What clap has to say: help and version are data, the rest is an error of the user's.
fn refuse(error: &clap::Error, arguments: &[OsString], json: bool, redactor: Redactor) -> Exit {
    let printer = Printer::new(json, false, redactor);
    if !error.use_stderr() {
        if error.kind() == ErrorKind::DisplayHelp
            && let Some(host) = help::mistaken_host(&args::command(), arguments)
        {
            let what = format!("here `-h` prints help and takes no value, but it is followed by `{host}`");
            let remedy = "nothing was done. Commands of `lastgood pg` that connect take -h, -p and -U; elsewhere set PGHOST or use \
                          a URL. `--help` prints help";
            error::report(&printer, &CliError::usage(what, remedy), Exit::Usage);
            return Exit::Usage;
        }
        let styled = error.render().ansi().to_string();
        return match printer.data(&styled) {
            Ok(()) => Exit::Ok,
            Err(_) => Exit::Failed,
        };
    }
    // clap itself shows the page only where no variable gives an option.
    if error.kind() == ErrorKind::MissingSubcommand
        && !json
        && let Some(page) = args::page_of(arguments)
    {
        printer.styled(&page.ansi().to_string());
        return Exit::Usage;
    }
    if let Some((what, advice)) = words::meant(error, &args::command(), arguments) {
        let remedy = format!("nothing was done. {}", capital(&advice));
        error::report(&printer, &CliError::usage(what, remedy), Exit::Usage);
        return Exit::Usage;
    }
    let plain = words::without_guesses(error, &args::command(), arguments);
    let error = plain.as_ref().unwrap_or(error);
    if json {
        let text = words::plainly(error.render().to_string());
        let (message, rest) = text.trim_end().split_once("\n\n").unwrap_or((text.trim_end(), ""));
        let message = message.strip_prefix("error: ").unwrap_or(message);
        let tip = if help::is_host_missing(error) { help::HOST_TIP } else { "" };
        error::report(&printer, &CliError::usage(message, format!("{rest}\n{tip}")), Exit::Usage);
    } else {
        printer.styled(&words::plainly(error.render().ansi().to_string()));
        if help::is_host_missing(error) {
            printer.stderr(&format!("\n  tip: {}", help::HOST_TIP));
        }
    }
    Exit::Usage
}

/// A sentence behind another one.
fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A panic's message may hold anything, so that it passes the redactor too.
fn report_panics(printer: &Arc<Printer>) {
    let printer = Arc::clone(printer);
    std::panic::set_hook(Box::new(move |panic| {
        error::report(&printer, &CliError::Bug { panic: panic.to_string() }, Exit::Failed);
    }));
}
