//! Sends logs to standard error, past the redactor.

use std::io::{self, Write};
use std::sync::Arc;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::env;
use crate::render::printer::Printer;

/// Starts logging: `-v` shows what our own crates do, `-vv` how, `-vvv` everything they know.
pub(crate) fn start(verbose: u8, printer: &Arc<Printer>) {
    let level = match verbose {
        0 => "off",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let ours = format!("off,lastgood={level},pg_clone={level},backup_core={level}");
    let filter = match env::value(env::LOG) {
        Some(text) => EnvFilter::try_new(&text).unwrap_or_else(|error| {
            printer.warn(&format!("{} is ignored: {error}", env::LOG));
            EnvFilter::new(ours)
        }),
        None => EnvFilter::new(ours),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Lines(Arc::clone(printer)))
        .finish();
    // Only refused when a subscriber is set already, and this is the only place that sets one.
    let _already_set = tracing::subscriber::set_global_default(subscriber);
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
