//! The only access to standard output and standard error.

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use backup_core::secret::Redactor;
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::Value;

use crate::error::{CliError, CliResult};
use crate::render::escape::{escape, styled};

/// Fields of reports that repeat what a server or a program said. The others are names and numbers: masking those would
/// turn the key of a database called like its password into one that does not exist.
const FREE_TEXTS: [&str; 7] = ["warnings", "what", "help", "message", "cause", "hook", "said"];

/// What every colour begins with.
const ESCAPE: u8 = 0x1b;

/// Written at a time of a result that is printed piece by piece.
const PIECE_BYTES: usize = 64 * 1024;

/// Standard output by way of a printer.
struct Pieces<'p>(&'p Printer);

impl Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.bytes(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(CliError::Output { source, .. }) => Err(source),
            Err(error) => Err(io::Error::other(error.to_string())),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Standard output for bytes that are no text: none of them is taken out. A reader that goes away has not got all of it.
#[cfg(feature = "dict")]
struct Exact<'p>(&'p Printer);

#[cfg(feature = "dict")]
impl Write for Exact<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.beside_the_bar(|| io::stdout().lock().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().lock().flush()
    }
}

/// Data goes to standard output, everything else past the redactor to standard error.
#[derive(Debug)]
pub(crate) struct Printer {
    json: bool,
    quiet: bool,
    redactor: Redactor,
    bar: Mutex<Option<ProgressBar>>,
    published: Mutex<Option<String>>,
    closed: AtomicBool,
}

impl Printer {
    pub(crate) fn new(json: bool, quiet: bool, redactor: Redactor) -> Self {
        let (bar, published) = (Mutex::new(None), Mutex::new(None));
        Self { json, quiet, redactor, bar, published, closed: AtomicBool::new(false) }
    }

    /// Whether results are JSON documents.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// What hides the secrets.
    pub(crate) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Prints a result: as one JSON document with `--json`, otherwise the words `text` makes of it.
    pub(crate) fn result<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) -> CliResult<()> {
        // The work is done: its picture would only be drawn once more around the result.
        if let Some(bar) = self.bar.lock().ok().and_then(|mut bar| bar.take()) {
            bar.finish_and_clear();
        }
        if !self.json {
            return self.data(&escape(&text(value)));
        }
        let document = serde_json::to_value(value).and_then(|mut document| {
            self.redact_free_texts(&mut document, false);
            serde_json::to_string(&document)
        });
        let unwritable =
            |error: serde_json::Error| CliError::Output { action: "write the result".to_owned(), source: error.into() };
        self.data(&document.map_err(unwritable)?)
    }

    /// Prints what was done, as [`Printer::result`] does. With `-q` a run that ends well says nothing, so that cron mails nothing;
    /// a document is printed whenever one was asked for.
    pub(crate) fn done<T: Serialize>(
        &self,
        value: &T,
        is_well: bool,
        text: impl FnOnce(&T) -> String,
    ) -> CliResult<()> {
        if is_well && self.quiet && !self.json { Ok(()) } else { self.result(value, text) }
    }

    /// Prints a result as [`Printer::result`] does, but piece by piece: one that may be too large for a tree in memory. Its
    /// texts are ours, and hold nothing that a server or a program said.
    pub(crate) fn large<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) -> CliResult<()> {
        if !self.json {
            return self.result(value, text);
        }
        let mut pieces = BufWriter::with_capacity(PIECE_BYTES, Pieces(self));
        let written = serde_json::to_writer(&mut pieces, value).map_err(io::Error::from);
        let written = written.and_then(|()| pieces.write_all(b"\n")).and_then(|()| pieces.flush());
        written.map_err(|source| CliError::Output { action: "write the result".to_owned(), source })
    }

    /// Prints the plan of a dry run.
    pub(crate) fn dry_run<T: Serialize>(&self, plan: &T, text: impl FnOnce(&T) -> String) -> CliResult<()> {
        self.result(plan, |plan| format!("{}\nNothing was changed (dry run)", text(plan)))
    }

    fn redact_free_texts(&self, value: &mut Value, free: bool) {
        match value {
            Value::String(text) if free => *text = self.redactor.redact(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_free_texts(item, free)),
            Value::Object(fields) => {
                fields
                    .iter_mut()
                    .for_each(|(name, field)| self.redact_free_texts(field, FREE_TEXTS.contains(&name.as_str())));
            }
            _ => {}
        }
    }

    /// Prints text on standard output, ended by a line feed unless it is empty. Texts that came from a server or a
    /// program must have been redacted and escaped.
    pub(crate) fn data(&self, text: &str) -> CliResult<()> {
        if text.is_empty() {
            return Ok(());
        }
        // Not joined first: a plan of a million lines would be there twice.
        self.bytes(text.as_bytes())?;
        if text.ends_with('\n') { Ok(()) } else { self.bytes(b"\n") }
    }

    /// Writes bytes to standard output. A reader that went away has seen what it wanted: that is no failure.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> CliResult<()> {
        if self.closed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let written = self.beside_the_bar(|| {
            // Looking for colours to take out takes longer than writing, and plans of a million lines have none.
            if !bytes.contains(&ESCAPE) {
                let mut stdout = io::stdout().lock();
                return stdout.write_all(bytes).and_then(|()| stdout.flush());
            }
            let mut stdout = anstream::stdout().lock();
            stdout.write_all(bytes).and_then(|()| stdout.flush())
        });
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(source) => Err(CliError::Output { action: "write to standard output".to_owned(), source }),
            Ok(()) => Ok(()),
        }
    }

    /// Standard output for what a command writes to `-` instead of a file: exactly that.
    #[cfg(feature = "dict")]
    pub(crate) fn exact(&self) -> impl Write + '_ {
        Exact(self)
    }

    /// Says something on standard error that is no result; silent with `-q` and with `--json`.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet && !self.json {
            self.stderr(text);
        }
    }

    /// Warns on standard error; with `--json` as a JSON line.
    pub(crate) fn warn(&self, message: &str) {
        if self.json {
            let message = self.redactor.redact(message);
            self.json_line(&serde_json::json!({"event": "warning", "message": message}).to_string());
        } else {
            let style = anstyle::AnsiColor::Yellow.on_default().effects(anstyle::Effects::BOLD);
            self.labelled(style, "warning", message);
        }
    }

    /// Writes text to standard error, as a terminal may be sent it.
    pub(crate) fn stderr(&self, text: &str) {
        self.unheard(&escape(&self.redactor.redact(text)));
    }

    /// Writes `label` in `style` and text behind it to standard error. The colours of the text are nobody's.
    pub(crate) fn labelled(&self, style: anstyle::Style, label: &str, text: &str) {
        let text = self.redactor.redact(text);
        self.unheard(&format!("{style}{label}{style:#}: {}", escape(&text)));
    }

    /// Writes text whose colours are ours to standard error: what clap says of a command line.
    pub(crate) fn styled(&self, text: &str) {
        self.unheard(&styled(&self.redactor.redact(text)));
    }

    /// Writes a JSON document of one line to standard error, exactly.
    pub(crate) fn json_line(&self, document: &str) {
        self.unheard(&self.redactor.redact(document));
    }

    /// Writes a line to standard error. Nobody may be listening there, and then nothing is lost.
    fn unheard(&self, line: &str) {
        let _unheard = self.beside_the_bar(|| writeln!(anstream::stderr().lock(), "{}", line.trim_end_matches('\n')));
    }

    /// Remembers that a backup was published, whatever becomes of the run after that.
    pub(crate) fn remember_published(&self, key: &str) {
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = Some(key.to_owned());
    }

    /// Says of a run that was interrupted, or failed after all, what it had published before: once.
    pub(crate) fn warn_of_published(&self) {
        let published = self.published.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(key) = published {
            self.warn(&format!("`{key}` was published before that, and is whole"));
        }
    }

    /// Draws lines above `bar` from now on, or, without one, where the cursor is.
    pub(crate) fn set_bar(&self, bar: Option<ProgressBar>) {
        if let Ok(mut current) = self.bar.lock() {
            *current = bar;
        }
    }

    fn beside_the_bar(&self, write: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let bar = self.bar.lock().ok().and_then(|bar| bar.clone());
        match bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

/// Whether somebody watches standard error.
pub(crate) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use backup_core::secret::Secret;

    use super::*;

    #[test]
    fn free_texts_are_redacted_and_keys_are_not() {
        let redactor = Redactor::new();
        redactor.register(&Secret::new("shop-password"));
        let printer = Printer::new(true, false, redactor);
        let mut document = serde_json::json!({"key": "shop/1.dump", "warnings": ["role shop-password"], "problems": [{"what": "shop-password"}]});
        printer.redact_free_texts(&mut document, false);
        assert_eq!(
            document,
            serde_json::json!({"key": "shop/1.dump", "warnings": ["role ****"], "problems": [{"what": "****"}]})
        );
    }
}
