//! Sends logs to standard error, past the redactor.

use std::io::{self, Write};
use std::sync::Arc;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::env;
use crate::render::printer::Printer;

/// Our crates, as log filters name them.
const CRATES: [&str; 8] = [
    "lastgood",
    "lastgood_operator",
    "pg_clone",
    "dictstore_backup",
    "object_backup",
    "ec2_snapshots",
    "glacier_archive",
    "backup_core",
];

/// Starts logging: `-v` shows what our own crates do, `-vv` how, `-vvv` everything they know.
pub(crate) fn start(verbose: u8, printer: &Arc<Printer>) {
    let wanted = [env::LOG, env::RUST_LOG].into_iter().find_map(|name| Some((name, env::value(name)?)));
    let filter = match wanted {
        Some((name, text)) => EnvFilter::try_new(&text).unwrap_or_else(|error| {
            printer.warn(&format!("{name} is ignored: {error}"));
            EnvFilter::new(ours(verbose))
        }),
        None => EnvFilter::new(ours(verbose)),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Lines(Arc::clone(printer)))
        .finish();
    // Only refused when a subscriber is set already, and this is the only place that sets one.
    let _already_set = tracing::subscriber::set_global_default(subscriber);
}

/// The filter of `-v`, repeated `verbose` times.
fn ours(verbose: u8) -> String {
    let level = match verbose {
        0 => "off",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    CRATES.iter().fold("off".to_owned(), |filter, name| format!("{filter},{name}={level}"))
}

#[derive(Clone, Debug)]
struct Lines(Arc<Printer>);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { printer: Arc::clone(&self.0), text: Vec::new() }
    }
}

/// One log line: written whole, because a secret may be split between two writes.
#[derive(Debug)]
struct Line {
    printer: Arc<Printer>,
    text: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.text.is_empty() {
            self.printer.stderr(&String::from_utf8_lossy(&self.text));
        }
    }
}
